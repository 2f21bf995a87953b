"""The code of each function as a directory: its package, the parts of tallygate/ that it imports, and its wheels."""

import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aws_cdk import aws_lambda as lambda_

from stacks.closure import closure

NOT_PACKED: Final = shutil.ignore_patterns("__pycache__", "*.pyc", "requirements.txt")


class FunctionCode:
    """Assembles each function once, and says how large it is. `wheels` gives the directory of a function's third-party
    packages, or None where the function runs in an environment that has them."""

    def __init__(self, root: Path, wheels: Callable[[str], Path | None]) -> None:
        self._root = root
        self._wheels = wheels
        # CDK copies what it packs into the assembly when a function is made, so ours may go when this object does.
        self._scratch = tempfile.TemporaryDirectory(prefix="tallygate-code-")
        self._assembled: dict[str, Path] = {}

    def of(self, part: str) -> lambda_.Code:
        """The code of `functions/<part>`. Its hash is of names and contents only: it is the same on every machine."""
        if part not in self._assembled:
            target = Path(self._scratch.name) / part
            assemble(self._root, part, self._wheels(part), target)
            self._assembled[part] = target
            print(f"{part}: {size_of(target)}", file=sys.stderr)
        return lambda_.Code.from_asset(str(self._assembled[part]))


def assemble(root: Path, part: str, wheels: Path | None, target: Path) -> None:
    """Fills `target` with what `functions/<part>` needs to run."""
    if wheels is not None:
        shutil.copytree(wheels, target, ignore=NOT_PACKED)
    shutil.copytree(root / "functions" / part, target / "functions" / part, ignore=NOT_PACKED)
    for file in closure(root, f"functions.{part}"):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, target / file)


def size_of(directory: Path) -> str:
    """`41 KB compressed, 128 KB uncompressed`, as Lambda's limits count them (50 MB and 250 MB)."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    with tempfile.TemporaryFile() as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, path.relative_to(directory))
        compressed = packed.seek(0, os.SEEK_END)
    whole = sum(path.stat().st_size for path in files)
    return f"{compressed / 1000:,.0f} KB compressed, {whole / 1000:,.0f} KB uncompressed"
