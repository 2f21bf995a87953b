"""What an item of the tally weighs: under 1 KB, and so one write unit, for whoever calls as callers do (ADR 14)."""

import pytest

from tallygate.aws.rows import counts_of, sequence_bytes
from tallygate.core import names
from tallygate.core.counting import MAX_WATERMARKS
from tallygate.core.ranks import rank_partition
from tallygate.core.tally import Delta, ItemKey, Update

KEY = ItemKey("key#0123456789abcdef", "month#2026-12")
WRITER = "1a.6740f1a0"
SEQUENCE = 10**55
WRITE_UNIT = 1024
DAYS = range(1, 32)


def item_bytes(delta: Delta, writers: int) -> int:
    """The size of the item that `delta` alone makes, with watermarks of so many writers. Source: DynamoDB Developer
    Guide, "Item sizes and formats": names and strings by their UTF-8, a number a byte and one for each two digits."""
    numbers = counts_of(Update(KEY, WRITER, SEQUENCE, SEQUENCE, delta, 0, None))
    numbers |= {names.LAST_FLUSH_MS: 1_796_083_200_000, names.RANK: delta.units, names.EXPIRES: 1_796_083_200}
    texts = {names.PK: KEY.pk, names.SK: KEY.sk, names.RANK_PARTITION: rank_partition("key", "2026-12", KEY.pk)}
    return (
        sum(len(name) + 1 + (len(str(number)) + 1) // 2 for name, number in numbers.items())
        + sum(len(name) + len(text.encode()) for name, text in texts.items())
        + writers * (len(names.WATERMARK_PREFIX + WRITER) + len(sequence_bytes(SEQUENCE)))
    )


def used(per_day: int, *, free: range = range(0), denied: range = range(0)) -> Delta:
    total = 31 * per_day
    days = dict.fromkeys(DAYS, per_day)
    return Delta(
        total + len(free) * per_day,
        total,
        len(denied) * per_day,
        days,
        dict.fromkeys(free, per_day),
        dict.fromkeys(denied, per_day),
    )


@pytest.mark.parametrize(
    ("delta", "writers"),
    [
        (used(99_999), MAX_WATERMARKS),
        (used(9_999_999, denied=range(1, 11)), 10),
        (used(99_999, denied=DAYS), 8),
        (used(99_999, free=DAYS, denied=DAYS), 4),
    ],
    ids=["charged every day", "refused on some days", "refused every day", "everything every day"],
)
def test_an_ordinary_item_is_one_write_unit(delta: Delta, writers: int) -> None:
    assert item_bytes(delta, writers) <= WRITE_UNIT


def test_the_worst_item_is_two() -> None:
    worst = item_bytes(used(10**9, free=DAYS, denied=DAYS), MAX_WATERMARKS)
    assert WRITE_UNIT < worst <= 2 * WRITE_UNIT
