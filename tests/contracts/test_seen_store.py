"""One list of behaviours for every store of payload digests."""

from tallygate.core.seen import SeenBatch, SeenStore, Sighting

HUGE = 10**55


def _batch(*sequences: int) -> SeenBatch:
    return SeenBatch(tuple(Sighting(HUGE + s, 1_700_000_000_000 + s, s.to_bytes(16, "big")) for s in sequences))


def test_nothing_is_there_at_first(seen: SeenStore) -> None:
    assert list(seen.above("0.1", 0)) == []
    assert list(seen.below("0.1", HUGE)) == []
    assert seen.writers() == []


def test_batches_come_back_whole_and_in_order(seen: SeenStore) -> None:
    batches = [_batch(*range(start, start + 3)) for start in range(0, 180, 3)]
    for batch in reversed(batches):
        seen.append("0.1", batch, 2_000_000_000)
    assert list(seen.above("0.1", 0)) == batches
    assert list(seen.below("0.1", HUGE * 2)) == batches[::-1]


def test_the_bounds_are_open(seen: SeenStore) -> None:
    for batch in (_batch(1, 2), _batch(3, 4), _batch(5, 6)):
        seen.append("0.1", batch, 2_000_000_000)
    assert [batch.last - HUGE for batch in seen.above("0.1", HUGE + 4)] == [6]
    assert [batch.last - HUGE for batch in seen.below("0.1", HUGE + 4)] == [2]
    assert [batch.last - HUGE for batch in seen.above("0.1", HUGE + 3)] == [4, 6]


def test_the_same_end_replaces(seen: SeenStore) -> None:
    seen.append("0.1", _batch(1, 2, 3), 2_000_000_000)
    seen.append("0.1", _batch(2, 3), 2_000_000_000)
    assert list(seen.above("0.1", 0)) == [_batch(2, 3)]


def test_writers_are_apart_and_listed_once(seen: SeenStore) -> None:
    seen.append("0.1", _batch(1), 2_000_000_000)
    for writer in ("1.1", "0.1", "1.1"):
        seen.register(writer, 2_000_000_000)
    assert list(seen.above("1.1", 0)) == []
    assert seen.writers() == ["0.1", "1.1"]
