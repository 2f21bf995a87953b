"""One list of behaviours for every store of payload digests."""

from tallygate.core.seen import SeenBatch, SeenStore, Sighting

HUGE = 10**55
NOON_MS = 1_700_000_040_000
"""The start of a minute."""


def _batch(*seen: tuple[int, int]) -> SeenBatch:
    return SeenBatch(tuple(Sighting(HUGE + s, NOON_MS + at_ms, s.to_bytes(16, "big")) for s, at_ms in seen))


def _between(seen: SeenStore, from_ms: int, to_ms: int, writer: str = "0.1") -> list[int]:
    return sorted(sighting.sequence - HUGE for sighting in seen.seen(writer, NOON_MS + from_ms, NOON_MS + to_ms))


def test_nothing_is_there_at_first(seen: SeenStore) -> None:
    assert list(seen.seen("0.1", 0, NOON_MS)) == []
    assert list(seen.writers()) == []


def test_sightings_come_back_whole(seen: SeenStore) -> None:
    batch = _batch((1, 0), (2, 59_999), (3, 60_000), (4, 7_200_000))
    seen.keep("0.1", batch, 2_000_000_000)
    found = seen.seen("0.1", NOON_MS, NOON_MS + 7_200_000)
    assert sorted(found) == list(batch.sightings)


def test_a_range_is_whole_minutes(seen: SeenStore) -> None:
    seen.keep("0.1", _batch((1, -1), (2, 0), (3, 59_999), (4, 60_000), (5, 119_999), (6, 120_000)), 2_000_000_000)
    assert _between(seen, 30_000, 30_000) == [2, 3]
    assert _between(seen, 59_999, 60_000) == [2, 3, 4, 5]
    assert _between(seen, -1, 120_000) == [1, 2, 3, 4, 5, 6]
    assert _between(seen, 180_000, 600_000) == []


def test_batches_with_other_boundaries_take_nothing_away(seen: SeenStore) -> None:
    for batch in (_batch((1, 0), (2, 0), (3, 0)), _batch((2, 0), (3, 0)), _batch((1, 0)), _batch((2, 0), (3, 0))):
        seen.keep("0.1", batch, 2_000_000_000)
    assert set(_between(seen, 0, 0)) == {1, 2, 3}


def test_a_range_from_before_all_time_is_taken(seen: SeenStore) -> None:
    seen.keep("0.1", _batch((1, 0)), 2_000_000_000)
    assert _between(seen, -NOON_MS - 5_000_000, 0) == [1]


def test_more_than_a_page_comes_back(seen: SeenStore) -> None:
    for start in range(0, 40_000, 4_000):
        seen.keep("0.1", _batch(*((s, s) for s in range(start, start + 4_000))), 2_000_000_000)
    assert _between(seen, 0, 40_000) == list(range(40_000))


def test_writers_are_apart_and_listed_once(seen: SeenStore) -> None:
    seen.keep("0.1", _batch((1, 0)), 2_000_000_000)
    for writer in ("1.1", "0.1", "1.1"):
        seen.register(writer, 2_000_000_000)
    assert _between(seen, 0, 0, "1.1") == []
    assert sorted(seen.writers()) == ["0.1", "1.1"]
