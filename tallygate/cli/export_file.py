"""Where an export goes: standard output, or a file that is there whole or not at all."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from tallygate.cli.output import NewFile

STANDARD_OUTPUT: Final = Path("-")


class Destination(NewFile):
    """A file to write, or `-` for standard output."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        return STANDARD_OUTPUT if os.fspath(value) == "-" else NewFile.convert(self, value, param, ctx)


@contextmanager
def destination(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content is in `path` once the block has ended, and not before: whatever ends it early (an error,
    Ctrl-C, a signal) leaves what was there. What is no file (a pipe, /dev/null) is written as it comes."""
    if path == STANDARD_OUTPUT:
        stream = sys.stdout.buffer
        yield stream
        stream.flush()
        return
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with path.open("wb") as special:
            yield special
        return
    target = path.resolve()  # of a link, what it leads to is replaced
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
