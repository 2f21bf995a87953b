"""From lines of a log to calls: where each goes to and which key it brings. The same log gives the same calls."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tallygate.demo.access_log import LogLine

CLIENTS_PER_KEYED: Final = 5
"""One client address of this many has a key, and forgets it at every fourth call."""
CALLS_PER_MISTYPED: Final = 50


@dataclass(frozen=True, slots=True)
class Call:
    """One call to one region's API. `is_key` is false for a secret that was never given out."""

    region: str
    client: str
    referer: bytes | None = None
    secret: str | None = None
    is_key: bool = True
    path: str = "/v1/whoami"


def calls_of(lines: Iterable[LogLine], regions: Sequence[str], secrets: Sequence[str]) -> Iterator[Call]:
    """A call for each line, to a region in turn; some with one of `secrets`, if there are any, a few with a mistyped
    one."""
    for index, line in enumerate(lines):
        region = regions[index % len(regions)]
        if not secrets:
            yield Call(region, line.client, line.referer)
            continue
        draw = zlib.crc32(line.client.encode())
        secret = secrets[draw // CLIENTS_PER_KEYED % len(secrets)]
        if line.number % CALLS_PER_MISTYPED == 0:
            yield Call(region, line.client, line.referer, mistyped(secret), is_key=False)
        elif draw % CLIENTS_PER_KEYED == 0 and line.number % 4:
            yield Call(region, line.client, line.referer, secret)
        else:
            yield Call(region, line.client, line.referer)


def mistyped(secret: str) -> str:
    """`secret` with its last two different neighbours exchanged, as typing hands do: its checksum no longer fits."""
    at = next(index for index in range(len(secret) - 2, 0, -1) if secret[index] != secret[index + 1])
    return secret[:at] + secret[at + 1] + secret[at] + secret[at + 2 :]
