"""What a line of an access log says of one call."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

SHOWN_BYTES: Final = 160
"""Of a line that cannot be read."""


class Entry(NamedTuple):
    """One call. `at_ms` is when the server wrote the line, which most do at the end of a request. `client` is an IP
    address, perhaps with a port. `referer` and `origin` have the bytes of the log; None when it has `-` or nothing.
    `key` names the API key or the user."""

    number: int
    at_ms: int
    client: str
    referer: bytes | None = None
    origin: bytes | None = None
    key: str | None = None
    status: int = 0


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that cannot be used, why, and how it begins, safe to print."""

    number: int
    reason: str
    text: str


class UnreadableError(ValueError):
    """A line is no entry; the message says why."""


def skipped(number: int, line: bytes, reason: str) -> Skipped:
    text = line[:SHOWN_BYTES].decode("utf-8", "backslashreplace")
    return Skipped(number, reason, printable(text))


def printable(text: str) -> str:
    """`text` with what a terminal would act on written out."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


@lru_cache(maxsize=65_536)
def is_address(text: str) -> bool:
    """An address that means something elsewhere too: a zone is an interface of the machine that logged it."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
