"""Synthesizing the app for the local stage, once per state of its sources: it takes ten seconds, of which Node has
most."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tallygate.local.errors import WorldError
from tallygate.local.flavour import LOCAL_STAGE

SOURCES: Final = ("app.py", "cdk.json", "stacks", "functions", "tallygate", "requirements.lock")
KEPT: Final = 3
"""Assemblies that stay for the next start."""


def synthesize(project: Path, config: Path, cache: Path) -> Path:
    """The cloud assembly of the app with this configuration: from `cache` if nothing that it is made of has changed."""
    assembly = cache / _digest(project, config)
    if not (assembly / "manifest.json").exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="unfinished-") as unfinished:
            _run(project, config, Path(unfinished) / "out")
            if not assembly.exists():  # another start may have been quicker
                os.replace(Path(unfinished) / "out", assembly)
    os.utime(assembly)
    _forget_older(cache)
    return assembly


def _run(project: Path, config: Path, out: Path) -> None:
    context = {"stage": LOCAL_STAGE, "config": str(config.resolve())}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CDK_", "AWS_"))}
    completed = subprocess.run(
        [sys.executable, "app.py"],
        cwd=project,
        env={**environment, "CDK_OUTDIR": str(out.resolve()), "CDK_CONTEXT_JSON": json.dumps(context)},
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode or not (out / "manifest.json").exists():
        said = completed.stderr.strip() or completed.stdout.strip() or "app.py wrote nothing"
        raise WorldError(f"the app cannot be synthesized: {said.splitlines()[-1] if 'Traceback' in said else said}")


def _digest(project: Path, config: Path) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in [config, *_source_files(project)]:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(project) if path != config else ''}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:24]


def _source_files(project: Path) -> Iterator[Path]:
    for source in SOURCES:
        path = project / source
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (file for file in files if file.is_file() and "__pycache__" not in file.parts)


def _forget_older(cache: Path) -> None:
    finished = [path for path in cache.iterdir() if (path / "manifest.json").exists()]
    for old in sorted(finished, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
