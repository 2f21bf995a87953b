"""From lines of a log to calls: where each goes to and which key it brings. The same log gives the same calls."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tallygate.demo.access_log import LogLine

KEYED_OF_100: Final = 30
MISTYPED_OF_100: Final = 2


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
    """A call for each line: a region for each in turn, one of `secrets` for some, a mistyped one for a few."""
    for index, line in enumerate(lines):
        region = regions[index % len(regions)]
        draw = zlib.crc32(b"%d" % line.number)
        if draw % 100 < KEYED_OF_100:
            yield Call(region, line.client, line.referer, secrets[draw // 100 % len(secrets)])
        elif draw % 100 < KEYED_OF_100 + MISTYPED_OF_100:
            yield Call(region, line.client, line.referer, mistyped(secrets[0]), is_key=False)
        else:
            yield Call(region, line.client, line.referer)


def mistyped(secret: str) -> str:
    """`secret` with its last two different characters exchanged, as typing hands do: its checksum no longer fits."""
    at = next(index for index in range(len(secret) - 2, 0, -1) if secret[index] != secret[index + 1])
    return secret[:at] + secret[at + 1] + secret[at] + secret[at + 2 :]
