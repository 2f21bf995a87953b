"""The world many calls at a time: within one tick, those of one caller in one region are one cell, decided, logged and
counted together. For as many calls as no machine could simulate one by one.

The same core: the estimate says how much room there is and what share of calls is let through; a cell's calls are some
lines of many units, which the real fold, tally and publication count. Two things are simplified. Containers come in a
few cohorts (`cohorts`). And nothing is told of the order of calls within a tick: bursts and minutes, which containers
hold by themselves, are not for this mode.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from tallygate.core.decide import Decision
from tallygate.core.estimate import Leeway, leeway
from tallygate.core.names import Kind, pk_of
from tallygate.core.snapshots import Snapshot
from tallygate.core.usage import Admission, Usage
from tallygate.sim.traffic.chance import binomial
from tallygate.sim.traffic.cohorts import Cohort, Cohorts
from tallygate.sim.traffic.pipeline import Pipeline
from tallygate.sim.traffic.setup import Setup
from tallygate.sim.traffic.world import BUSY_MS, Call, line_of

STEPS: Final = 8
"""Where a quota may be reached within a tick, it is decided on so many times."""
CLOSE: Final = 4
"""That may be when less room is left than for so many ticks like this one."""
_REFUSED: Final = Decision(refusal="quota")


class Cell(NamedTuple):
    """So many `calls` like `call`, at any time within a tick; `call.at_ms` is its middle."""

    call: Call
    calls: int


class Came(NamedTuple):
    """What became of a cell, in units, and the names of the limits that refused."""

    admitted: int
    refused: int
    refusing: frozenset[str]


class Cells(Pipeline):
    """All regions and homes, in ticks of `tick_ms`."""

    def __init__(self, setup: Setup, seed: int, tick_ms: int) -> None:
        super().__init__(setup, seed)
        self.tick_ms = tick_ms
        self._lines = 0
        self._cohorts = {region: Cohorts(self.gates[region], home) for region, home in setup.home_of.items()}

    @property
    def containers_started(self) -> int:
        return sum(cohorts.started for cohorts in self._cohorts.values())

    def tick(self, at_ms: int, cells: Sequence[Cell]) -> list[Came]:
        """Advance the clock to `at_ms`, the middle of a tick, and decide on its cells."""
        self.finish(at_ms)
        by_region: Counter[str] = Counter()
        by_caller: Counter[object] = Counter()
        for cell in cells:
            by_region[self._serving[cell.call.region]] += cell.calls
            by_caller[cell.call.charge] += cell.calls
        mean_busy_ms = sum(BUSY_MS) / 2
        for region, cohorts in self._cohorts.items():
            cohorts.serve(by_region[region] * mean_busy_ms / self.tick_ms, at_ms)
        return [self._came(cell, by_caller[cell.call.charge]) for cell in cells]

    def _forget(self, region: str) -> None:
        self._cohorts[region].lose()

    def _came(self, cell: Cell, offered: int) -> Came:
        """Decide on a cell, cohort by cohort. `offered` calls come from this caller in all regions."""
        units, rest, weights = cell.call.units, cell.calls, 1.0
        admitted, refusing = 0, set[str]()
        for cohort in self._cohorts[self._serving[cell.call.region]].serving:
            calls = binomial(rest, min(1.0, cohort.share / weights), self._rng) if cohort.share < weights else rest
            rest, weights = rest - calls, weights - cohort.share
            if calls:
                admitted += self._decide(cell.call, calls, offered, cohort, refusing)
        return Came(admitted * units, (cell.calls - admitted) * units, frozenset(refusing))

    def _decide(self, call: Call, calls: int, offered: int, cohort: Cohort, refusing: set[str]) -> int:
        """How many of the calls that a cohort got it lets through; and log them."""
        pks = [pk_of(kind, value) for kind, value in call.charge]
        found, _ = cohort.view.look(pks, call.at_ms)
        snapshots = dict(zip([kind for kind, _ in call.charge], found, strict=True))
        home = self.setup.home_of[self._serving[call.region]]
        lefts = self._lefts(call, home, snapshots, call.at_ms)
        is_close = any(not left.is_full and left.room < CLOSE * offered * call.units for left in lefts)
        steps = min(STEPS, calls) if is_close else 1
        admitted = 0
        for step in range(steps):
            at_ms = call.at_ms
            if steps > 1:
                at_ms += self.tick_ms * (2 * step + 1 - steps) // (2 * steps)
                lefts = self._lefts(call, home, snapshots, at_ms)
            shares = {left.limit.name: left.share(call.units) for left in lefts}
            share = min(shares.values(), default=1.0)
            refusing |= {name for name, part in shares.items() if part < 1 and part == share}
            let_through = self._whole((calls * (step + 1) // steps - calls * step // steps) * share)
            admitted += let_through
            if let_through and not self.setup.naive:
                self._remember(snapshots, at_ms, self._whole(let_through / cohort.containers) * call.units)
        self._count_reads(call, pks, calls, lefts, cohort)
        self._log(call, home, snapshots, cohort, admitted, calls - admitted)
        return admitted

    def _lefts(self, call: Call, home: str, snapshots: Mapping[Kind, Snapshot], at_ms: int) -> list[Leeway]:
        """What a container takes to be left of each limit that may refuse."""
        if call.plan.shadow:
            return []
        usages = {
            kind: Usage(snapshot.partition.homes)
            if self.setup.naive and snapshot.partition is not None
            else snapshot.usage()
            for kind, snapshot in snapshots.items()
        }
        return [
            leeway(limit, usages[limit.per], home, call.units, at_ms, self.setup.tuning)
            for limit in call.plan.limits
            if limit.per in usages and not limit.soft
        ]

    def _remember(self, snapshots: Mapping[Kind, Snapshot], at_ms: int, units: int) -> None:
        if units:
            for snapshot in snapshots.values():
                snapshot.admit(Admission(at_ms, units))

    def _whole(self, units: float) -> int:
        """A whole number that is `units` on average."""
        whole = int(units)
        return whole + (self._rng.random() < units - whole)

    def _count_reads(self, call: Call, pks: Sequence[str], calls: int, lefts: Sequence[Leeway], cohort: Cohort) -> None:
        """A read for each call, but where every limit is far: there a container reads once in `reuse_ms`."""
        tuning = self.setup.tuning
        is_far = all(left.used * 100 < left.limit.quota * tuning.reuse_below_percent for left in lefts)
        reads = calls
        if is_far and not self.setup.naive:
            reads = min(calls, cohort.containers * max(1, self.tick_ms // tuning.reuse_ms))
        self.gates[self._serving[call.region]].count(pks, reads - 1, self.tick_ms, self.now_ms)

    def _log(
        self, call: Call, home: str, snapshots: Mapping[Kind, Snapshot], cohort: Cohort, admitted: int, refused: int
    ) -> None:
        region = self._serving[call.region]
        payload = cohort.payload
        if payload is None:
            # As late as lines of which the first has waited for the whole of the collection, and the last not at all.
            half_ms = self.setup.delays.collect_ms // 2
            payload = cohort.payload = self._collect(f"{region}/{cohort.number}", region, home, half_ms)
        self._lines += 1
        id = f"{self._lines:x}"
        if admitted:
            units = call._replace(units=admitted * call.units)
            payload.lines.append(line_of(units, id, region, home, snapshots, Decision()))
        if refused:
            payload.refused.append((line_of(call, id, region, home, snapshots, _REFUSED), refused))
