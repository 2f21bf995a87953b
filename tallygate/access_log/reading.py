"""Reading a log from a file, a pipe or standard input, packed with gzip or not, in constant memory."""

import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO, Final, cast

from tallygate.access_log.combined import parse_combined
from tallygate.access_log.entry import Entry, Skipped, UnreadableError, skipped
from tallygate.access_log.json_lines import JsonLines

GZIP_MAGIC: Final = b"\x1f\x8b"
OTHER_MAGICS: Final = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"PK\x03\x04": "unzip"}
MOST_LINE_BYTES: Final = 65_536
"""Servers limit a request's headers to less; what is longer is no line of a log."""
STANDARD_INPUT: Final = "-"


class LogFile:
    """One log, by its path or `-`. Iterating gives every line of it that is not empty, once, in order, and raises
    OSError if it cannot be read."""

    def __init__(self, path: str | os.PathLike[str], json_lines: JsonLines | None = None) -> None:
        self.path = os.fspath(path)
        self.name = "standard input" if self.path == STANDARD_INPUT else self.path
        self._json_lines = json_lines or JsonLines()
        self._file: BinaryIO | None = None

    @property
    def size_bytes(self) -> int | None:
        """None when nobody knows: a pipe."""
        if self.path == STANDARD_INPUT or not os.path.isfile(self.path):
            return None
        return os.path.getsize(self.path)

    @property
    def done_bytes(self) -> int:
        """How much of the file was taken in, packed as it is."""
        return self._file.tell() if self._file is not None and self._file.seekable() else 0

    def __iter__(self) -> Iterator[Entry | Skipped]:
        for number, line in self._lines():
            if len(line) > MOST_LINE_BYTES:
                yield skipped(number, line, f"longer than {MOST_LINE_BYTES:,} bytes")
            elif text := line.strip():
                yield parse_line(number, line.rstrip(b"\r\n") if text[:1] != b"{" else text, self._json_lines)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Lines with their numbers. Of one that is too long, its beginning."""
        with ExitStack() as stack:
            if self.path == STANDARD_INPUT:
                given = sys.stdin.buffer
                file = given if isinstance(given, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", given))
            else:
                file = stack.enter_context(open(self.path, "rb"))
            self._file = file
            number = 0
            try:
                unpacked = self._unpacked(file)
                while line := unpacked.readline(MOST_LINE_BYTES + 1):
                    number += 1
                    yield number, line
                    while len(line) > MOST_LINE_BYTES and not line.endswith(b"\n"):
                        line = unpacked.readline(MOST_LINE_BYTES + 1)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise OSError(f"{self.name} is a broken gzip file: {error}, after line {number:,}") from None
            finally:
                self._file = None

    def _unpacked(self, file: io.BufferedReader) -> io.BufferedReader:
        begins = file.peek(6)
        if begins.startswith(GZIP_MAGIC):
            return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=file)), 1 << 17)
        for magic, program in OTHER_MAGICS.items():
            if begins.startswith(magic):
                raise OSError(f"{self.name} is packed, but not with gzip: unpack it with {program}, and give it as -")
        return file


def parse_line(number: int, line: bytes, json_lines: JsonLines) -> Entry | Skipped:
    """One line, without its end: JSON when it begins with a brace, else the combined format."""
    try:
        return json_lines.parse(number, line) if line.startswith(b"{") else parse_combined(number, line)
    except UnreadableError as error:
        return skipped(number, line, str(error))
