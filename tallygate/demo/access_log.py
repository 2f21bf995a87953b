"""Access logs in the combined format of Apache and nginx, gzip or not, as bytes: a log is in no particular encoding.

203.0.113.7 - frank [17/May/2026:10:05:03 +0000] "GET /a HTTP/1.1" 200 512 "http://shop.example/" "Mozilla/5.0"
"""

import gzip
import ipaddress
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GZIP_MAGIC: Final = b"\x1f\x8b"
_QUOTED: Final = rb'"((?:[^"\\]|\\.)*)"'
_LINE: Final = re.compile(
    rb"(?P<client>\S+) \S+ .+? \[[^\]]+\] " + _QUOTED + rb" \d{3} (?:\d+|-) " + _QUOTED + rb" " + _QUOTED + rb".*"
)
_UNSENDABLE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header may hold (RFC 9110, 5.5); everything above ASCII may."""

MOST_HEADER_BYTES: Final = 10_240
"""Request line and headers together, of API Gateway (HTTP APIs, quotas)."""
OTHER_HEADER_BYTES: Final = 512
"""More than a call has besides its Referer: request line, Host, X-Forwarded-For, X-Api-Key."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that can be sent again. `referer` has the bytes of the log; None when the log has `-` or nothing."""

    number: int
    client: str
    referer: bytes | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that cannot, and why."""

    number: int
    reason: str
    text: str


def read_log(path: Path) -> Iterator[LogLine | Skipped]:
    """Every line of the log at `path` that is not empty, in order. OSError if it cannot be read or is a broken gzip."""
    with open(path, "rb") as file:
        packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        try:
            lines: Iterable[bytes] = gzip.GzipFile(fileobj=file) if packed else file
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield parse_line(number, line.rstrip(b"\r\n"))
        except (EOFError, zlib.error) as error:
            raise OSError(f"{path} is a broken gzip file: {error}") from None


def parse_line(number: int, line: bytes) -> LogLine | Skipped:
    """One line of a log, without its end."""
    match = _LINE.fullmatch(line)
    if match is None:
        return _skipped(number, line, "not in the combined format")
    client = match["client"].decode("ascii", "replace")
    if not _is_address(client):
        return _skipped(number, line, "its client is not an IP address")
    referer = match[3].strip(b" \t")
    if _UNSENDABLE.search(referer):
        return _skipped(number, line, "its Referer has bytes that no header may hold")
    if len(referer) > MOST_HEADER_BYTES - OTHER_HEADER_BYTES:
        return _skipped(number, line, f"its Referer is too long for API Gateway: {len(referer):,} bytes")
    return LogLine(number, client, None if referer in (b"", b"-") else referer)


def _is_address(text: str) -> bool:
    """An address that means something elsewhere too: a zone is an interface of the machine that logged it."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _skipped(number: int, line: bytes, reason: str) -> Skipped:
    text = line[:160].decode("utf-8", "backslashreplace")
    return Skipped(number, reason, "".join(char if char.isprintable() else repr(char)[1:-1] for char in text))
