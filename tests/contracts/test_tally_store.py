"""One list of behaviours for every store of the tally."""

from collections.abc import Callable

import pytest

from tallygate.core.tally import Addition, Claim, Delta, ItemKey, TallyItem, TallyStore, Update

KEY = ItemKey("ip#203.0.113.7", "month#2026-11")
HUGE = 10**55
"""Of the size of a Kinesis sequence number: 56 digits."""


def _update(first: int, last: int, delta: Delta | None = None, writer: str = "0.1", key: ItemKey = KEY) -> Update:
    return Update(key, writer, HUGE + first, HUGE + last, delta or Delta(2, 1, 0, {7: 1}), 5_000 + last, 2_000_000_000)


def test_the_first_update_finds_nothing(tally: TallyStore) -> None:
    written = tally.add(_update(3, 9))
    assert written.applied
    assert written.before == TallyItem()


def test_an_update_adds_to_what_is_there(tally: TallyStore) -> None:
    tally.add(_update(3, 9, Delta(2, 1, 3, {7: 1}, {7: 1}, {7: 3})))
    written = tally.add(_update(10, 12, Delta(5, 4, 1, {7: 1, 30: 3}, {8: 1}, {7: 1})))
    assert written.before == TallyItem(2, 1, 3, {7: 1}, {"0.1": HUGE + 9}, 5_009, free_days={7: 1}, denied_days={7: 3})
    assert tally.add(_update(13, 14)).before == TallyItem(
        7, 5, 4, {7: 2, 30: 3}, {"0.1": HUGE + 12}, 5_012, free_days={7: 1, 8: 1}, denied_days={7: 4}
    )


@pytest.mark.parametrize("first", [3, 8, 9])
def test_a_repeat_changes_nothing_and_brings_the_item(tally: TallyStore, first: int) -> None:
    tally.add(_update(3, 9))
    stored = TallyItem(2, 1, 0, {7: 1}, {"0.1": HUGE + 9}, 5_009)
    for _ in range(2):
        written = tally.add(_update(first, 20, Delta(100, 100, 100, {1: 100})))
        assert not written.applied
        assert written.before == stored


def test_what_begins_right_above_the_watermark_is_applied(tally: TallyStore) -> None:
    tally.add(_update(3, 9))
    assert tally.add(_update(10, 10)).applied


def test_writers_do_not_see_each_others_watermarks(tally: TallyStore) -> None:
    tally.add(_update(3, 9, writer="0.1"))
    written = tally.add(_update(1, 2, writer="1.1"))
    assert written.applied
    assert tally.add(_update(10, 10)).before.watermarks == {"0.1": HUGE + 9, "1.1": HUGE + 2}


def test_items_are_apart(tally: TallyStore) -> None:
    tally.add(_update(3, 9))
    assert tally.add(_update(3, 9, key=ItemKey(KEY.pk, "month#2026-12"))).before == TallyItem()
    assert tally.add(_update(3, 9, key=ItemKey("ref#203.0.113.7", KEY.sk))).before == TallyItem()


def test_a_refusal_alone_is_counted(tally: TallyStore) -> None:
    tally.add(_update(1, 1, Delta(denied=2)))
    assert tally.add(_update(2, 2)).before == TallyItem(denied=2, watermarks={"0.1": HUGE + 1}, last_flush_ms=5_001)


def test_forgotten_writers_are_gone_and_counts_stay(tally: TallyStore) -> None:
    for writer in ("0.1", "1.1", "2.1"):
        tally.add(_update(3, 9, writer=writer))
    tally.forget_writers(KEY, ["0.1", "2.1", "9.9"])
    after = tally.add(_update(10, 10, writer="1.1")).before
    assert (after.units, dict(after.watermarks)) == (6, {"1.1": HUGE + 9})


def test_forgetting_makes_no_item(tally: TallyStore) -> None:
    tally.forget_writers(KEY, ["0.1"])
    assert tally.add(_update(3, 9)).before == TallyItem()


def test_a_rank_only_rises(tally: TallyStore, ranks: Callable[[], dict[str, tuple[str, int]]]) -> None:
    tally.add(_update(3, 9))
    tally.set_rank(KEY, "ip#2026-11#0", 16)
    tally.set_rank(KEY, "ip#2026-11#0", 11)
    assert ranks() == {KEY.pk: ("ip#2026-11#0", 16)}
    tally.set_rank(KEY, "ip#2026-11#0", 22)
    assert ranks() == {KEY.pk: ("ip#2026-11#0", 22)}
    assert tally.add(_update(10, 12)).before.units == 2


def test_a_writers_share_is_kept_where_asked_for(tally: TallyStore) -> None:
    counter = ItemKey("ctr#9f2c", "sold#00000000")
    for writer, units in (("0.1", 3), ("1.1", 4), ("1.1", -6)):
        first = 10 * abs(units)
        written = tally.add(Update(counter, writer, HUGE + first, HUGE + first, Delta(units), 5_000, None, shared=True))
        assert written.applied
    item = tally.get(counter)
    assert (item.units, dict(item.shares)) == (1, {"0.1": 3, "1.1": -2})


def test_a_count_that_comes_to_nothing_is_written_with_its_watermark(tally: TallyStore) -> None:
    assert tally.add(_update(1, 2, Delta())).applied
    assert not tally.add(_update(1, 2, Delta(7))).applied
    assert tally.get(KEY).units == 0


# --- lines with an idempotency key
# -------------------------------------------------------------------------------------

DAY_MS = 86_400_000
OTHER = ItemKey("ref#shop.example", "month#2026-11")
COUNTER = ItemKey("ctr#9f2c", "sold#00000000")
ADDITIONS = [
    Addition(KEY, "0.1", Delta(2, 1, 0, {7: 1}, {7: 1}), 2_000_000_000),
    Addition(OTHER, "0.1", Delta(2), 2_000_000_000),
    Addition(COUNTER, "0.1", Delta(5), None, shared=True, flushed_ms=7_001),
]


def _claim(by: str, at_ms: int = 100 * DAY_MS, idem: str = "order-1") -> Claim:
    return Claim(idem, by, at_ms, 2_000_000_000)


def _units(tally: TallyStore) -> list[int]:
    return [tally.get(key).units for key in (KEY, OTHER, COUNTER)]


def test_a_claimed_line_adds_to_all_its_items_beside_what_is_there(tally: TallyStore) -> None:
    tally.add(_update(3, 9))
    assert tally.add_once(_claim("a"), ADDITIONS) == "added"
    assert tally.get(KEY) == TallyItem(4, 2, 0, {7: 2}, {"0.1": HUGE + 9}, 5_009, free_days={7: 1})
    assert tally.get(OTHER) == TallyItem(units=2)
    assert tally.get(COUNTER) == TallyItem(units=5, last_flush_ms=7_001, shares={"0.1": 5})


def test_the_same_line_again_adds_nothing(tally: TallyStore) -> None:
    tally.add_once(_claim("a"), ADDITIONS)
    assert [tally.add_once(_claim("a"), ADDITIONS) for _ in range(2)] == ["again", "again"]
    assert _units(tally) == [2, 2, 5]


@pytest.mark.parametrize("later_ms", [-5 * DAY_MS, -1, 0, DAY_MS - 1])
def test_another_line_with_the_key_of_one_within_a_day_adds_nothing(tally: TallyStore, later_ms: int) -> None:
    tally.add_once(_claim("a"), ADDITIONS)
    assert tally.add_once(_claim("b", 100 * DAY_MS + later_ms), ADDITIONS) == "taken"
    assert _units(tally) == [2, 2, 5]


def test_a_day_later_the_key_is_free_and_the_first_line_stays_counted(tally: TallyStore) -> None:
    tally.add_once(_claim("a"), ADDITIONS)
    assert tally.add_once(_claim("b", 101 * DAY_MS), ADDITIONS) == "added"
    assert tally.add_once(_claim("a"), ADDITIONS) == "taken"
    assert tally.add_once(_claim("b", 101 * DAY_MS), ADDITIONS) == "again"
    assert tally.add_once(_claim("b", 110 * DAY_MS), ADDITIONS) == "again", "the same line, whatever time it is given"
    assert _units(tally) == [4, 4, 10]


def test_keys_are_apart(tally: TallyStore) -> None:
    tally.add_once(_claim("a"), ADDITIONS)
    assert tally.add_once(_claim("a", idem="order-2"), ADDITIONS) == "added"


def test_nothing_stands_where_nothing_was_written(tally: TallyStore) -> None:
    assert tally.get(KEY) == TallyItem()
