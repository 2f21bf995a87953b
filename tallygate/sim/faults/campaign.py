"""Many schedules: run, judged, counted, and the first that fails made small."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace

from tallygate.sim.faults.schedule import Move, Put, Schedule, draw
from tallygate.sim.faults.verdict import differences
from tallygate.sim.faults.world import World


@dataclass
class Report:
    """What a campaign came to. `drift`: differences of all schedules together; 0 is the only good value."""

    schedules: int = 0
    events: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    drift: int = 0
    failing: int | None = None
    seconds: float = 0.0

    @property
    def schedules_per_second(self) -> float:
        return self.schedules / self.seconds if self.seconds else 0.0

    def add(self, other: "Report") -> None:
        self.schedules += other.schedules
        self.events += other.events
        self.faults += other.faults
        self.drift += other.drift
        if other.failing is not None and (self.failing is None or other.failing < self.failing):
            self.failing = other.failing


def outcome(schedule: Schedule) -> tuple[World, list[str]]:
    """Run a schedule: its end, and everything that is wrong with it. What the consumer raises is wrong, too."""
    world = World(schedule)
    try:
        world.run()
    except Exception as error:  # noqa: BLE001 - a failing consumer is a finding like a wrong count
        return world, [f"raised {type(error).__name__}: {error}"]
    return world, differences(world)


def run_seeds(seeds: Iterable[int]) -> Report:
    """Run the schedules of `seeds` one after another."""
    report = Report()
    for seed in seeds:
        world, wrong = outcome(draw(seed))
        report.schedules += 1
        report.events += sum(len(world.schedule.sent[number].events) for number in world.arrived_ms)
        report.faults.update(world.happened)
        if wrong:
            report.drift += len(wrong)
            report.failing = seed if report.failing is None else min(seed, report.failing)
    return report


def run(runs: int, seed: int, processes: int, progress: Callable[[int], None] = lambda done: None) -> Report:
    """Run `runs` schedules from `seed` on, in several processes; `progress` hears of each part that is done."""
    began = time.monotonic()
    report = Report()
    size = max(1, min(50, runs // (4 * processes)))
    parts = [range(start, min(start + size, seed + runs)) for start in range(seed, seed + runs, size)]
    with ProcessPoolExecutor(processes) as pool:
        for part in pool.map(run_seeds, parts):
            report.add(part)
            progress(part.schedules)
    report.seconds = time.monotonic() - began
    return report


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """The smallest schedule found that still fails: moves are taken out in ever smaller parts, then payloads are cut
    to single events, as long as the failure stays (delta debugging, after Zeller and Hildebrandt, 2002)."""
    size = len(schedule.moves)
    while size >= 1:
        start = 0
        while start < len(schedule.moves):
            moves = schedule.moves[:start] + schedule.moves[start + size :]
            smaller = replace(schedule, moves=moves)
            if fails(smaller):
                schedule = smaller
            else:
                start += size
        size = size // 2
    used = {move.sent for move in schedule.moves if isinstance(move, Put)}
    for number in sorted(used):
        for event in schedule.sent[number].events:
            sent = list(schedule.sent)
            sent[number] = replace(sent[number], events=tuple(e for e in sent[number].events if e is not event))
            smaller = replace(schedule, sent=tuple(sent))
            if fails(smaller):
                schedule = smaller
    return schedule


def describe(schedule: Schedule) -> list[str]:
    """A schedule in lines, as short as it is: its payloads where they are put, and every other move."""

    def line(move: Move) -> str:
        if not isinstance(move, Put):
            return str(move)
        sent = schedule.sent[move.sent]
        calls = ", ".join(event.message for event in sent.events) or "garbage"
        return f"Put(sent={move.sent}, at_ms={move.at_ms}) to {sent.home} by {sent.log_stream}: {calls}"

    return [line(move) for move in schedule.moves]
