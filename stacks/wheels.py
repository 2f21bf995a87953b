"""Third-party packages of a function, as wheels for Lambda's arm64, exactly as requirements.lock has them."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

PLATFORM: Final = "aarch64-manylinux2014"
PYTHON: Final = "3.13"
RUNTIME_HAS: Final = ("boto3", "botocore")
"""Lambda brings these and what they need; what only they need is not packed either."""

INSTALL: Final = (
    "--no-deps",
    "--require-hashes",
    "--only-binary=:all:",
    f"--python-platform={PLATFORM}",
    f"--python-version={PYTHON}",
)

_REQUIREMENT = re.compile(r"^([a-z0-9][a-z0-9-]*)==", re.ASCII)
_VIA = re.compile(r"^    #(?: via|  ) +([a-z0-9][a-z0-9-]*)", re.ASCII)


class WheelsError(RuntimeError):
    """The packages cannot be had; the message says which command failed and how."""


def wheels(root: Path, part: str) -> Path | None:
    """Directory of what `functions/<part>/requirements.txt` names and needs; None when it names nothing. Kept under
    build/ by the hash of what is in it, so that a second synthesis installs nothing."""
    wanted = named(root / "functions" / part / "requirements.txt")
    if not wanted:
        return None
    pinned = subset((root / "requirements.lock").read_text(), wanted)
    digest = hashlib.sha256(f"{PLATFORM} {PYTHON}\n{pinned}".encode()).hexdigest()[:16]
    kept = root / "build" / "wheels" / digest
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            _install(pinned, Path(scratch))
            if not kept.is_dir():  # another synthesis may have been quicker
                (Path(scratch) / "packages").rename(kept)
    return kept


def named(requirements: Path) -> set[str]:
    """Names in a requirements.txt of ours, which has one name to a line: versions are the lock's matter."""
    lines = requirements.read_text().splitlines() if requirements.is_file() else []
    return {line.split("#")[0].strip() for line in lines} - {""}


def subset(lock: str, wanted: set[str]) -> str:
    """The entries of `lock`, hashes included, of the packages `wanted` and of all that they need."""
    entries = _entries(lock)
    missing = sorted(wanted - entries.keys())
    if missing:
        raise WheelsError(f"requirements.lock does not have {', '.join(missing)}")
    needed = set(wanted)
    while True:
        more = {
            name
            for name, entry in entries.items()
            if name not in needed and name not in RUNTIME_HAS and needed & _needed_by(entry)
        }
        if not more:
            lines = [line for name in sorted(needed) for line in entries[name].splitlines()]
            return "".join(f"{line}\n" for line in lines if not line.lstrip().startswith("#"))
        needed |= more


def _entries(lock: str) -> dict[str, str]:
    """Name to the lines of its entry, from a lock as `uv pip compile --generate-hashes` writes it."""
    entries: dict[str, str] = {}
    name = ""
    for line in lock.splitlines(keepends=True):
        found = _REQUIREMENT.match(line)
        if found:
            name = found[1]
            entries[name] = ""
        if name:
            entries[name] += line
    return entries


def _needed_by(entry: str) -> set[str]:
    return {found[1] for found in map(_VIA.match, entry.splitlines()) if found}


def _install(pinned: str, scratch: Path) -> None:
    lock, packages = scratch / "requirements.txt", scratch / "packages"
    lock.write_text(pinned)
    uv = shutil.which("uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    if uv is None:
        raise WheelsError("uv is not installed, which fetches the functions' packages: make setup")
    ran = subprocess.run(
        [uv, "pip", "install", "--quiet", *INSTALL, "--python", sys.executable, "--target", packages, "-r", lock],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise WheelsError(f"uv pip install failed: {ran.stderr.strip()}")
    for name in ("bin", ".lock"):
        _remove(packages / name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
