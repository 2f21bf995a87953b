"""A scenario run call by call: the world, its arrivals, and what really happened."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

from tallygate.core.tuning import TUNING, Tuning
from tallygate.sim.traffic.arrivals import arrivals
from tallygate.sim.traffic.delays import TYPICAL, Delays
from tallygate.sim.traffic.report import Costs, Figures
from tallygate.sim.traffic.scenarios import Scenario
from tallygate.sim.traffic.setup import Setup
from tallygate.sim.traffic.truth import Truth
from tallygate.sim.traffic.world import World

MOST_CALLS = 10_000_000
"""Call by call; beyond it calls are aggregated."""
SERIES_POINTS = 300
_REPORT_EVERY = 2_000


@dataclass(frozen=True, slots=True)
class Conditions:
    """What may differ between runs of one scenario."""

    seed: int = 0
    delays: Delays = TYPICAL
    tuning: Tuning = TUNING
    naive: bool = False
    calls: int = MOST_CALLS


def setup_of(scenario: Scenario, conditions: Conditions) -> Setup:
    return replace(scenario.setup, delays=conditions.delays, tuning=conditions.tuning, naive=conditions.naive)


def run(scenario: Scenario, conditions: Conditions, progress: Callable[[int], None] = lambda calls: None) -> Figures:
    """Run a scenario, at most `conditions.calls` calls of it. `progress` hears of calls as they are done."""
    began = time.perf_counter()
    setup = setup_of(scenario, conditions)
    world = World(setup, conditions.seed)
    seconds = max(callers.seconds for callers in scenario.callers)
    truth = Truth(setup.start_ms, scenario.watched, max(1, int(seconds * 1000 / SERIES_POINTS)))
    admitted = calls = 0
    for call in islice(arrivals(scenario.callers, setup.start_ms, conditions.seed), conditions.calls):
        decision = world.call(call)
        truth.add(call, decision)
        admitted += decision.allowed
        calls += 1
        if not calls % _REPORT_EVERY:
            progress(_REPORT_EVERY)
    progress(calls % _REPORT_EVERY)
    world.finish(world.now_ms + setup.delays.longest_ms + setup.delays.collect_ms)
    tallied = truth.finish()
    return Figures(calls, admitted, time.perf_counter() - began, tallied, costs_of(world), truth.series.points)


def costs_of(world: World) -> Costs:
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
        containers=sum(containers.started for containers in world.containers.values()),
    )
