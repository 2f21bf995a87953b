"""Fault schedules hold, are what they say, and can fail."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import pytest

from tallygate.core import notify
from tallygate.core.counting import Counting
from tallygate.core.gate import Partition
from tallygate.core.notices import Change, Known, Notice, notices_of
from tallygate.core.notify import Notifier, Told
from tallygate.core.seen import SeenPayloads
from tallygate.core.tally import TallyItem, Update, Written
from tallygate.sim.faults.campaign import describe, outcome, run, run_seeds, shrink
from tallygate.sim.faults.schedule import FAULTS, LEVELS, WINDOW_MS, Fault, Put, Reshard, Tell, Turn, draw
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
        *(f"notifier {kind}" for kind in FAULTS),
        "event refused",
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


def test_notices_of_two_homes_and_of_periods_that_are_over_are_told() -> None:
    worlds = [outcome(draw(seed))[0] for seed in range(20)]
    told = [(world, notice) for world in worlds for notice in world.notices.bus.events]
    assert {notice.subject.kind for _, notice in told} == {"ip", "ref", "key"}
    assert {notice.limit.window for _, notice in told} == {"hour", "day", "month"}
    assert {notice.level for _, notice in told} == set(LEVELS)
    assert any(notice.limit.soft for _, notice in told)
    repeated = [
        world for world in worlds if len({n.place for n in world.notices.bus.events}) < len(world.notices.bus.events)
    ]
    assert repeated, "some are told twice, with one id"
    summed = 0
    for world in worlds:
        rows = [home.gate.rows for home in world.homes.values()]
        for notice in world.notices.bus.events if len(rows) > 1 else ():
            if notice.limit.window == "month":
                own = [
                    gate[notice.subject.pk, notice.period].item.charged
                    for gate in rows
                    if (notice.subject.pk, notice.period) in gate
                ]
                summed += all(each * 100 < notice.limit.quota * notice.level for each in own)
    assert summed > 0, "levels that no home reaches by itself"


# --- it can fail ---


def _without_watermarks(tally: MemoryTally, update: Update) -> Written:
    before = tally.items.get(update.key, TallyItem())
    tally.items[update.key] = replace(
        before, units=before.units + update.delta.units, watermarks={update.writer: update.last}
    )
    return Written(True, before)


def _forgetting_levels(changes: Iterable[Change], known: Known) -> Iterator[Notice]:
    return (notice for notice in notices_of(changes, known) if notice.level != 95)


def _telling_early(changes: Iterable[Change], known: Known) -> Iterator[Notice]:
    return (
        replace(notice, level=notice.level + 5 if notice.level == 95 else notice.level)
        for notice in notices_of(changes, known)
    )


def _of_its_own_home(changes: Iterable[Change], known: Known) -> Iterator[Notice]:
    return notices_of(changes, replace(known, partition=Partition()))


def _remembered_first(notifier: Notifier, changes: Sequence[Change], now_ms: int) -> Told:
    due = notifier._due(changes, now_ms)
    told = notifier._store.told(due)
    for notice in due:
        if notice.place not in told:
            notifier._store.remember(notice, now_ms)
            notifier._bus.put([notice])
    return Told()


def _id_of_the_use(notice: Notice, service: str, stage: str) -> str:
    return f"{notice.place} {notice.used}"


def _id_of_the_limit(notice: Notice, service: str, stage: str) -> str:
    return f"{notice.limit.name} {notice.period} {notice.level}"


BREAKS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "an update is applied whatever was before": lambda patch: patch.setattr(MemoryTally, "add", _without_watermarks),
    "no payload is known": lambda patch: patch.setattr(SeenPayloads, "duplicates", lambda self, writer, batch: set()),
    "nothing is published": lambda patch: patch.setattr(Counting, "_publish", lambda *arguments: False),
    "a level is not told": lambda patch: patch.setattr(notify, "notices_of", _forgetting_levels),
    "a level is told before it is reached": lambda patch: patch.setattr(notify, "notices_of", _telling_early),
    "homes are not added up": lambda patch: patch.setattr(notify, "notices_of", _of_its_own_home),
    "what is told is remembered before": lambda patch: patch.setattr(Notifier, "notify", _remembered_first),
    "an id tells how much was used": lambda patch: patch.setattr(Notice, "id", _id_of_the_use),
    "two callers have one id": lambda patch: patch.setattr(Notice, "id", _id_of_the_limit),
    "nothing is ranked": lambda patch: patch.setattr(Counting, "_rank", lambda *arguments: None),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_consumer_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "no payload is known":
        monkeypatch.setattr(SeenPayloads, "remember", lambda *arguments: None)
    BREAKS[name](monkeypatch)
    assert run_seeds(range(6)).drift > 0


def test_a_failing_schedule_shrinks_to_what_makes_it_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SeenPayloads, "duplicates", lambda self, writer, batch: set())
    monkeypatch.setattr(SeenPayloads, "remember", lambda *arguments: None)
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
    for kind in (Put, Reshard, Turn, Tell):
        moves = tuple(move for move in schedule.moves if not isinstance(move, kind))
        assert outcome(replace(schedule, moves=moves))[1] == []


def test_what_failed_at_every_turn_is_counted_once_delivery_goes_on() -> None:
    schedule = draw(5)
    turns = tuple(
        replace(move, faults=tuple(Fault("throttled", call) for call in range(60))) if isinstance(move, Turn) else move
        for move in schedule.moves
    )
    assert outcome(replace(schedule, moves=turns))[1] == []
