"""Where an export goes: standard output, or a file that is there whole or not at all."""

import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from tallygate.cli.failures import Failure
from tallygate.cli.output import NewFile

STANDARD_OUTPUT: Final = Path("-")


class Destination(NewFile):
    """A file to write, or `-` for standard output."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(value))
        # What is no file is written where it is: its directory (/dev) need not be ours.
        return path if path == STANDARD_OUTPUT or _is_special(path) else NewFile.convert(self, value, param, ctx)


@contextmanager
def destination(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content is in `path` once the block has ended, and not before: whatever ends it early (an error,
    Ctrl-C, a signal) leaves what was there. A file that is replaced keeps who may read it. What is no file (a pipe,
    /dev/null) is written as it comes."""
    if path == STANDARD_OUTPUT:
        if sys.stdout is None:
            raise Failure("standard output is closed: give --output FILE")
        stream = sys.stdout.buffer
        yield stream
        stream.flush()
        return
    if _is_special(path):
        with path.open("wb") as special:
            yield special
        return
    target = path.resolve()  # of a link, what it leads to is replaced
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _is_special(path: Path) -> bool:
    """Whether it is there and neither a file nor a directory. OSError for a link that leads to itself."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
