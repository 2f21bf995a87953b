"""Synthesizing the app for the local stage, once per state of its sources: it takes ten seconds, of which Node has
most."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from tallygate.local.errors import WorldError
from tallygate.local.flavour import LOCAL_STAGE

SOURCES: Final = ("app.py", "cdk.json", "stacks", "functions", "tallygate", "requirements.lock")
MOST_SECONDS: Final = 300.0
"""It takes ten, on a very busy machine a minute."""
KEPT: Final = 3
"""Assemblies that stay for the next start."""


class Synthesis:
    """The cloud assembly of the app with a configuration, in the making: Node works while the caller does other things.
    Taken from `cache` if nothing that it is made of has changed."""

    def __init__(self, project: Path, config: Path, cache: Path) -> None:
        self._cache = cache
        self._assembly = cache / _digest(project, config)
        self._unfinished: tempfile.TemporaryDirectory[str] | None = None
        if (self._assembly / "manifest.json").exists():
            return
        cache.mkdir(parents=True, exist_ok=True)
        self._unfinished = tempfile.TemporaryDirectory(dir=cache, prefix="unfinished-")
        self._process = _app(project, config, self._out)

    @property
    def _out(self) -> Path:
        assert self._unfinished is not None
        return Path(self._unfinished.name) / "out"

    def result(self, most_seconds: float = MOST_SECONDS) -> Path:
        """The assembly's directory, when it is there. WorldError says what app.py complains about, or that it does not
        end."""
        if self._unfinished is not None:
            try:
                said, _ = self._process.communicate(timeout=most_seconds)
            except subprocess.TimeoutExpired:
                self.cancel()
                raise WorldError(f"the app is not synthesized after {most_seconds:.0f} s") from None
            with self._unfinished:
                if self._process.returncode or not (self._out / "manifest.json").exists():
                    reason = said.strip() or "app.py wrote nothing"
                    if "Traceback" in reason:
                        reason = reason.splitlines()[-1]
                    raise WorldError(f"the app cannot be synthesized: {reason}")
                if not self._assembly.exists():  # another start may have been quicker
                    self._out.replace(self._assembly)
        os.utime(self._assembly)
        _forget_older(self._cache)
        return self._assembly

    def cancel(self) -> None:
        """Ends app.py, if it still runs."""
        if self._unfinished is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # Node is in its group, and would keep the pipe open
            self._process.communicate()
            self._unfinished.cleanup()


def _app(project: Path, config: Path, out: Path) -> "subprocess.Popen[str]":
    context = {"stage": LOCAL_STAGE, "config": str(config.resolve())}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CDK_", "AWS_"))}
    return subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=project,
        env={**environment, "CDK_OUTDIR": str(out.resolve()), "CDK_CONTEXT_JSON": json.dumps(context)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # ended by us alone, as a group
    )


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
