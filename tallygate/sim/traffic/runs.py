"""A scenario run: the world, its arrivals, and what really happened; call by call, or many calls at a time."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf

from tallygate.core.tuning import TUNING, Tuning
from tallygate.sim.traffic.arrivals import arrivals, ticks
from tallygate.sim.traffic.cells import Cell, Cells
from tallygate.sim.traffic.delays import TYPICAL, Delays
from tallygate.sim.traffic.pipeline import Pipeline
from tallygate.sim.traffic.report import Costs, Figures
from tallygate.sim.traffic.scenarios import Scenario
from tallygate.sim.traffic.truth import Truth
from tallygate.sim.traffic.world import Call, World

MOST_CALLS = 10_000_000
"""Call by call; beyond it calls are aggregated."""
SERIES_POINTS = 300
_REPORT_EVERY = 2_000


@dataclass(frozen=True, slots=True)
class Conditions:
    """What may differ between runs of one scenario. At most `calls` are simulated; None is MOST_CALLS one by one, and
    all there are when they are `aggregated`."""

    seed: int = 0
    delays: Delays = TYPICAL
    tuning: Tuning = TUNING
    naive: bool = False
    aggregated: bool = False
    calls: int | None = None

    @property
    def most_calls(self) -> float:
        return self.calls if self.calls is not None else inf if self.aggregated else MOST_CALLS


def expected_calls(scenario: Scenario, conditions: Conditions) -> int:
    """How many calls a run will have, about."""
    groups = scenario.groups(aggregated=conditions.aggregated)
    return round(min(conditions.most_calls, sum(callers.calls for callers in groups)))


@contextmanager
def without_cycles() -> Iterator[None]:
    """Without the collector of cycles: it walks hundreds of thousands of counts again and again, a third of the time,
    and finds none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@without_cycles()
def run(scenario: Scenario, conditions: Conditions, progress: Callable[[int], None] = lambda calls: None) -> Figures:
    """Run a scenario. `progress` hears of calls as they are done."""
    began = time.process_time()
    setup = replace(scenario.setup, delays=conditions.delays, tuning=conditions.tuning, naive=conditions.naive)
    groups = scenario.groups(aggregated=conditions.aggregated)
    seconds = max(callers.seconds for callers in groups)
    truth = Truth(setup.start_ms, scenario.watched, max(1, int(seconds * 1000 / SERIES_POINTS)))
    if conditions.aggregated:
        cells = Cells(setup, conditions.seed, scenario.tick_ms)
        world: Pipeline = cells
        done = _many_at_a_time(cells, ticks(groups, setup.start_ms, scenario.tick_ms, conditions.seed), truth)
    else:
        one_by_one = World(setup, conditions.seed)
        world = one_by_one
        done = _one_by_one(one_by_one, arrivals(groups, setup.start_ms, conditions.seed), truth)
    calls = admitted = heard = 0
    for came, let_through in done:
        calls += came
        admitted += let_through
        if calls >= conditions.most_calls:
            break
        if calls - heard >= _REPORT_EVERY:
            progress(calls - heard)
            heard = calls
    progress(calls - heard)
    world.finish(world.now_ms + setup.delays.longest_ms + setup.delays.collect_ms)
    tallied = truth.finish()
    return Figures(calls, admitted, time.process_time() - began, tallied, costs_of(world), truth.series.points)


def _one_by_one(world: World, calls: Iterable[Call], truth: Truth) -> Iterator[tuple[int, int]]:
    """For each call, how many it is and how many of it were admitted."""
    for call in calls:
        decision = world.call(call)
        truth.add(call, decision)
        yield 1, int(decision.allowed)


def _many_at_a_time(
    world: Cells, every_tick: Iterable[tuple[int, Sequence[Cell]]], truth: Truth
) -> Iterator[tuple[int, int]]:
    """For each cell the same."""
    for at_ms, cells in every_tick:
        for cell, came in zip(cells, world.tick(at_ms, cells), strict=True):
            truth.add_units(cell.call, came.admitted, came.refused, came.refusing)
            yield cell.calls, came.admitted // cell.call.units


def costs_of(world: Pipeline) -> Costs:
    """What the world has cost so far."""
    tallies = [home.tally for home in world.homes.values()]
    read = max((gate.hottest for gate in world.gates.values()), key=lambda hottest: hottest.times)
    written = max((tally.hottest for tally in tallies), key=lambda hottest: hottest.times)
    return Costs(
        replicated_writes=world.replicas.writes,
        tally_writes=sum(tally.writes for tally in tallies),
        repeats=sum(tally.repeats for tally in tallies),
        reads=sum(gate.reads for gate in world.gates.values()),
        hottest_reads_per_second=read.times,
        hottest_read=read.key,
        hottest_writes_per_second=written.times,
        hottest_written=written.key,
        containers=world.containers_started,
    )
