"""Payload deduplication: what is dropped depends on the records alone, not on batches, containers or their memory."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.seen import JITTER_MS, REGISTER_EVERY_MS, BatchStatistics, SeenBatch, SeenPayloads, Sighting
from tallygate.sim.memory import MemorySeen

WINDOW_MS = 60_000


def _container(store: MemorySeen) -> SeenPayloads:
    return SeenPayloads(store, WINDOW_MS, keep_seconds=86_400)


def _batch(*sightings: tuple[int, int, str]) -> SeenBatch:
    return SeenBatch(tuple(Sighting(sequence, at_ms, name.encode()) for sequence, at_ms, name in sightings))


def _count(container: SeenPayloads, batch: SeenBatch, writer: str = "0.1") -> set[int]:
    dropped = container.duplicates(writer, batch)
    container.remember(writer, batch)
    return dropped


def test_a_repeat_within_a_batch_is_dropped() -> None:
    assert _count(_container(MemorySeen()), _batch((1, 0, "a"), (2, 0, "b"), (3, 9, "a"))) == {3}


def test_a_repeat_in_a_later_batch_is_dropped() -> None:
    container = _container(MemorySeen())
    _count(container, _batch((1, 0, "a")))
    assert _count(container, _batch((2, WINDOW_MS, "a"))) == {2}


def test_a_repeat_after_the_window_is_not() -> None:
    container = _container(MemorySeen())
    _count(container, _batch((1, 0, "a")))
    assert _count(container, _batch((2, WINDOW_MS + 1, "a"))) == set()


def test_how_late_the_latest_repeat_came_is_told_for_each_batch() -> None:
    container = _container(MemorySeen())
    _count(container, _batch((1, 0, "a"), (2, 0, "b"), (3, 500, "c")))
    assert container.oldest_repeat_ms == 0
    _count(container, _batch((4, 900, "a"), (5, 1_000, "c"), (6, 800, "b")))
    assert container.oldest_repeat_ms == 900
    _count(container, _batch((7, 2_000, "d")))
    assert container.oldest_repeat_ms == 0


def test_each_repeat_extends_the_window() -> None:
    container = _container(MemorySeen())
    _count(container, _batch((1, 0, "a")))
    _count(container, _batch((2, WINDOW_MS, "a")))
    assert _count(container, _batch((3, 2 * WINDOW_MS, "a"))) == {3}


@pytest.mark.parametrize("warm", [True, False])
def test_a_batch_that_comes_again_is_not_its_own_repeat(warm: bool) -> None:
    store = MemorySeen()
    container = _container(store)
    batch = _batch((1, 0, "a"), (2, 5, "b"), (3, 9, "a"))
    _count(container, batch)
    again = container if warm else _container(store)
    assert _count(again, batch) == {3}
    assert _count(again, _batch((2, 5, "b"), (3, 9, "a"), (4, 9, "c"))) == {3}


def test_a_container_sees_what_another_did_between_its_turns() -> None:
    store = MemorySeen()
    one, other = _container(store), _container(store)
    _count(one, _batch((1, 0, "a")))
    _count(other, _batch((2, 1, "b")))
    assert _count(one, _batch((3, 2, "b"))) == {3}


def test_after_a_failure_the_store_is_asked_again() -> None:
    store = MemorySeen()
    one, other = _container(store), _container(store)
    _count(one, _batch((1, 0, "a")))
    one.duplicates("0.1", _batch((2, 1, "b")))  # fails before it is remembered
    _count(other, _batch((2, 1, "b"), (3, 1, "c")))
    assert _count(one, _batch((4, 2, "c"), (5, 2, "b"))) == {4, 5}


def test_a_child_shard_knows_what_its_parent_saw() -> None:
    store = MemorySeen()
    container = _container(store)
    _count(container, _batch((1, 0, "a")), "0.1")
    assert _count(container, _batch((10, 5, "a"), (11, 5, "d")), "1.1") == {10}


def test_a_replay_decides_as_the_first_run_did() -> None:
    store = MemorySeen()
    first = [_batch((1, 0, "a")), _batch((2, 10, "b"), (3, 11, "a")), _batch((4, 12, "b")), _batch((5, 13, "e"))]
    decided = [_count(_container(store), batch) for batch in first]
    assert decided == [set(), {3}, {4}, set()]
    replayed = _container(store)
    assert _count(replayed, _batch((2, 10, "b"), (3, 11, "a"), (4, 12, "b"))) == {3, 4}
    assert _count(replayed, first[3]) == set()


def test_remembering_something_else_is_an_error() -> None:
    container = _container(MemorySeen())
    container.duplicates("0.1", _batch((1, 0, "a")))
    with pytest.raises(ValueError, match="remember follows duplicates"):
        container.remember("0.1", _batch((2, 0, "a")))


arrivals = st.lists(st.tuples(st.integers(0, WINDOW_MS), st.sampled_from("abcdef")), min_size=1, max_size=40)


moves = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 2), st.sampled_from(["counted", "failed", "lost"]), st.integers(0, 40))
)


@given(arrivals, moves)
def test_what_is_dropped_does_not_depend_on_batches_containers_or_repeats(
    gaps: list[tuple[int, str]], turns: list[tuple[int, int, str, int]]
) -> None:
    sightings, at_ms = [], 0
    for sequence, (gap_ms, name) in enumerate(gaps, 1):
        at_ms += gap_ms
        sightings.append((sequence, at_ms, name))
    latest: dict[str, int] = {}
    expected = set()
    for sequence, seen_ms, name in sightings:
        if name in latest and seen_ms - latest[name] <= WINDOW_MS:
            expected.add(sequence)
        latest[name] = seen_ms

    store = MemorySeen()
    containers = [_container(store) for _ in range(3)]
    position, dropped = 0, set()
    while position < len(sightings):
        size, number, end, back = turns.pop() if turns else (len(sightings), 0, "counted", 0)
        batch = _batch(*sightings[position : position + size])
        decided = containers[number].duplicates("0.1", batch)
        assert decided == {sequence for sequence in expected if batch.first <= sequence <= batch.last}
        if end == "failed":
            continue  # the batch, or one with another end, comes again
        containers[number].remember("0.1", batch)
        dropped |= decided
        # When the answer is lost, an older position is read again.
        position = batch.last if end == "counted" else min(back, batch.last)
    assert dropped == expected


class Watched(MemorySeen):
    """Notes what it is asked, and answers in an order of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, int, int]] = []
        self.kept_until: list[int] = []
        self.registered_until: list[int] = []

    def seen(self, writer: str, from_ms: int, to_ms: int) -> Iterator[Sighting]:
        self.asked.append((writer, from_ms, to_ms))
        return iter(sorted(super().seen(writer, from_ms, to_ms), reverse=True))

    def keep(
        self, writer: str, batch: SeenBatch, expires_seconds: int, statistics: BatchStatistics | None = None
    ) -> None:
        self.kept_until.append(expires_seconds)
        super().keep(writer, batch, expires_seconds, statistics)

    def register(self, writer: str, expires_seconds: int) -> None:
        self.registered_until.append(expires_seconds)
        super().register(writer, expires_seconds)


def test_a_container_that_keeps_a_shard_looks_only_behind_its_last_record() -> None:
    store = Watched()
    container = _container(store)
    _count(container, _batch((1, 1_000_000, "a")))
    store.asked.clear()
    _count(container, _batch((2, 2_000_000, "b"), (3, 2_500_000, "c")))
    assert store.asked == [("0.1", 1_000_000 - JITTER_MS, 2_000_000 + JITTER_MS)]


def test_a_take_over_reads_the_window_before_the_oldest_record() -> None:
    store = Watched()
    _count(_container(store), _batch((1, 0, "a")))
    later = _batch((2, WINDOW_MS, "a"), (3, 90 * WINDOW_MS, "b"))
    assert _count(_container(store), later) == {2}
    assert store.asked[-1] == ("0.1", 0, 90 * WINDOW_MS + JITTER_MS)


def test_of_several_sightings_the_latest_counts_in_whatever_order_they_are_read() -> None:
    store = Watched()
    container = _container(store)
    _count(container, _batch((1, 0, "a")))
    _count(container, _batch((2, WINDOW_MS // 2, "a")))
    assert _count(_container(store), _batch((3, WINDOW_MS * 5 // 4, "a"))) == {3}


def test_a_batch_that_begins_with_the_last_record_again_is_a_repeat() -> None:
    container = _container(MemorySeen())
    _count(container, _batch((1, 0, "a"), (2, 0, "b")))
    assert _count(container, _batch((2, 0, "b"), (3, 0, "c"))) == set()


def test_digests_and_writers_are_kept_for_as_long_as_asked_from_the_newest_arrival() -> None:
    store = Watched()
    _count(_container(store), _batch((1, 7_000, "a"), (2, 9_999, "b")))
    assert (store.kept_until, store.registered_until) == ([86_409], [86_409 + REGISTER_EVERY_MS // 1000])


def test_a_writer_registers_again_after_six_hours_and_not_before() -> None:
    store = Watched()
    container = _container(store)
    for sequence, at_ms in enumerate((0, REGISTER_EVERY_MS, REGISTER_EVERY_MS + 5_000, REGISTER_EVERY_MS + 9_000), 1):
        _count(container, _batch((sequence, at_ms, str(sequence))))
    six_hours = REGISTER_EVERY_MS // 1000
    assert store.registered_until == [86_400 + six_hours, 86_400 + 2 * six_hours + 5]


@pytest.mark.parametrize("writer", ["1.1", "0.1"])
def test_remembering_without_asking_is_an_error(writer: str) -> None:
    container = _container(MemorySeen())
    batch = _batch((1, 0, "a"))
    with pytest.raises(ValueError, match="remember follows duplicates"):
        container.remember(writer, batch)
    container.duplicates("0.1", batch)
    if writer == "0.1":
        container.remember("0.1", batch)
    with pytest.raises(ValueError, match="remember follows duplicates"):
        container.remember(writer, batch)


def test_what_is_within_the_window_is_not_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallygate.core.seen.PRUNE_ABOVE", 0)
    container = _container(MemorySeen())
    _count(container, _batch((0, 0, "first")))
    for sequence in range(1, 20):
        _count(container, _batch((sequence, sequence * 100, str(sequence))))
    _count(container, _batch((20, WINDOW_MS + JITTER_MS, "last")))
    assert b"first" in container._shards["0.1"].latest, "arrival times are approximate: a little more is kept"
    assert _count(container, _batch((21, WINDOW_MS, "first"))) == {21}


def test_what_left_the_window_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallygate.core.seen.PRUNE_ABOVE", 10)
    container = _container(MemorySeen())
    for sequence in range(100):
        _count(container, _batch((sequence, sequence * 10 * JITTER_MS, str(sequence))))
    assert len(container._shards["0.1"].latest) <= 20
