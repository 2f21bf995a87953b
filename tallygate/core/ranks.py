"""Ranks: how the largest identifiers are found without an index write per call. An item's rank is the last step of √2
that its count has passed, so it changes about twice per doubling, and bounds the count from both sides."""

import zlib
from math import isqrt
from typing import Final

LEAST_RANK: Final = 8
"""Smaller counts are in no index: most identifiers never reach it, and nobody asks for the largest of them."""

PARTITIONS: Final = 8
"""An index partition takes 1,000 writes/s; a month's ranking is spread over this many."""

_STEPS: Final = tuple(isqrt(1 << power) for power in range(6, 128))


def rank_of(count: int) -> int:
    """The last step of √2 (8, 11, 16, 22, 32 …) at or below `count`, or 0 below the least."""
    if count < LEAST_RANK:
        return 0
    rank = isqrt(1 << (2 * count.bit_length() - 1))  # the step between two powers of two, at or above most of them
    return rank if rank <= count else 1 << (count.bit_length() - 1)


def count_below(rank: int) -> int:
    """Every count of rank `rank` is smaller than this: the next step of √2."""
    return next(step for step in _STEPS if step > rank)


def rank_partition(kind: str, month: str, pk: str) -> str:
    """Partition of the index of the largest: `ip#2026-11#3`. A checksum spreads them, the same in every run of
    Python."""
    return f"{kind}#{month}#{zlib.crc32(pk.encode()) % PARTITIONS}"


def rank_partitions(kind: str, month: str) -> list[str]:
    """All partitions in which the largest of `kind` in `month` stand."""
    return [f"{kind}#{month}#{number}" for number in range(PARTITIONS)]
