"""Fault schedules hold, are what they say, and can fail."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from tallygate.core.counting import Counting
from tallygate.core.seen import SeenPayloads
from tallygate.core.tally import TallyItem, Update, Written
from tallygate.sim.faults.campaign import describe, outcome, run, run_seeds, shrink
from tallygate.sim.faults.schedule import FAULTS, WINDOW_MS, Fault, Put, Reshard, Turn, draw
from tallygate.sim.memory import MemoryTally

RUNS = 2_000


@pytest.fixture(scope="module")
def report():  # type: ignore[no-untyped-def]
    return run(RUNS, seed=0, processes=2)


def test_no_schedule_drifts(report) -> None:  # type: ignore[no-untyped-def]
    assert (report.schedules, report.drift, report.failing) == (RUNS, 0, None)


def test_every_kind_of_fault_happened_often(report) -> None:  # type: ignore[no-untyped-def]
    kinds = {
        *FAULTS,
        "payload again",
        "payload again after a reshard",
        "read again from before",
        "answer of a batch lost",
        "batch in parts",
        "cold start",
        "woke up late",
        "split",
        "merge",
    }
    assert set(report.faults) == kinds
    assert min(report.faults.values()) > 300


@pytest.mark.parametrize("seed", range(25))
def test_a_schedule_has_at_least_200_events_3_writers_and_5_faults(seed: int) -> None:
    schedule = draw(seed)
    assert sum(len(sent.events) for sent in schedule.sent) >= 200
    assert {move.sent for move in schedule.moves if isinstance(move, Put)} == set(range(len(schedule.sent)))
    faults = [fault for move in schedule.moves if isinstance(move, Turn) for fault in move.faults]
    assert len(faults) >= 5
    world, wrong = outcome(schedule)
    assert wrong == []
    writers = {
        (home.name, shard.writer) for home in world.homes.values() for shard in home.stream.shards if shard.records
    }
    assert len(writers) >= 3


def test_schedules_last_for_days_and_repeat_up_to_the_end_of_the_window() -> None:
    spans, repeats = [], []
    for seed in range(30):
        schedule = draw(seed)
        last_ms: dict[int, int] = {}
        for move in schedule.moves:
            if isinstance(move, Put):
                if move.sent in last_ms:
                    repeats.append(move.at_ms - last_ms[move.sent])
                last_ms[move.sent] = move.at_ms
        spans.append(max(last_ms.values()))
    assert max(spans) > 24 * 3_600_000
    assert max(repeats) == WINDOW_MS


def test_a_seed_is_a_schedule() -> None:
    assert draw(7) == draw(7)
    assert outcome(draw(7))[0].happened == outcome(draw(7))[0].happened


def test_schedules_reach_leap_days_year_ends_and_both_sides_of_midnight() -> None:
    days: Counter[str] = Counter()
    for seed in range(40):
        for home in outcome(draw(seed))[0].homes.values():
            for key, item in home.tally.items.items():
                days.update(f"{key.sk}-{day:02d}" for day in item.days)
    assert {"month#2024-02-29", "month#2024-03-01", "month#2025-12-31", "month#2026-01-01"} <= days.keys()


# --- it can fail ---


def _without_watermarks(tally: MemoryTally, update: Update) -> Written:
    before = tally.items.get(update.key, TallyItem())
    tally.items[update.key] = replace(
        before, units=before.units + update.delta.units, watermarks={update.writer: update.last}
    )
    return Written(True, before)


BREAKS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "an update is applied whatever was before": lambda patch: patch.setattr(MemoryTally, "add", _without_watermarks),
    "no payload is known": lambda patch: patch.setattr(SeenPayloads, "duplicates", lambda self, writer, batch: set()),
    "nothing is published": lambda patch: patch.setattr(Counting, "_publish", lambda *arguments: False),
    "nothing is ranked": lambda patch: patch.setattr(Counting, "_rank", lambda *arguments: None),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_consumer_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "no payload is known":
        monkeypatch.setattr(SeenPayloads, "remember", lambda self, writer, batch: None)
    BREAKS[name](monkeypatch)
    assert run_seeds(range(3)).drift > 0


def test_a_failing_schedule_shrinks_to_what_makes_it_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SeenPayloads, "duplicates", lambda self, writer, batch: set())
    monkeypatch.setattr(SeenPayloads, "remember", lambda self, writer, batch: None)
    smallest = shrink(draw(1), lambda smaller: bool(outcome(smaller)[1]))
    assert len(smallest.moves) == 2
    first, second = smallest.moves
    assert isinstance(first, Put)
    assert isinstance(second, Put)
    assert first.sent == second.sent
    assert len(smallest.sent[first.sent].events) == 1
    assert len(describe(smallest)) == 2


def test_a_schedule_stays_runnable_without_any_of_its_moves() -> None:
    schedule = draw(3)
    for kind in (Put, Reshard, Turn):
        moves = tuple(move for move in schedule.moves if not isinstance(move, kind))
        assert outcome(replace(schedule, moves=moves))[1] == []


def test_what_failed_at_every_turn_is_counted_once_delivery_goes_on() -> None:
    schedule = draw(5)
    turns = tuple(
        replace(move, faults=tuple(Fault("throttled", call) for call in range(60))) if isinstance(move, Turn) else move
        for move in schedule.moves
    )
    assert outcome(replace(schedule, moves=turns))[1] == []
