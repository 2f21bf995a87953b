"""Lines of an access log that can be sent again, as calls."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tallygate.access_log.entry import Entry, Skipped, printable
from tallygate.access_log.reading import LogFile

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


def read_log(path: Path) -> Iterator[LogLine | Skipped]:
    """Every line of the log at `path` that is not empty, in order. OSError if it cannot be read or is a broken gzip."""
    for line in LogFile(path):
        yield line if isinstance(line, Skipped) else sendable(line)


def sendable(entry: Entry) -> LogLine | Skipped:
    """The call of a log's entry, if its headers may be sent."""
    referer = entry.referer
    if referer is not None:
        reason = None
        if _UNSENDABLE.search(referer):
            reason = "its Referer has bytes that no header may hold"
        elif len(referer) > MOST_HEADER_BYTES - OTHER_HEADER_BYTES:
            reason = f"its Referer is too long for API Gateway: {len(referer):,} bytes"
        if reason is not None:
            return Skipped(entry.number, reason, printable(referer[:160].decode("utf-8", "backslashreplace")))
    return LogLine(entry.number, entry.client, referer)
