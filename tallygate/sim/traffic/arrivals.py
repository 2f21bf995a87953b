"""Who calls, and how often: calls drawn one after another, in the order of their times, with nothing kept of them."""

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import merge
from itertools import accumulate
from math import ceil
from operator import attrgetter
from random import Random

from tallygate.core.names import Kind
from tallygate.core.plans import Plan
from tallygate.sim.traffic.cells import Cell
from tallygate.sim.traffic.chance import poisson
from tallygate.sim.traffic.world import Call

Charge = tuple[tuple[Kind, str], ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """For so many `seconds` calls come at `rate` a second, or at one that goes evenly from `rate` to `to_rate`."""

    seconds: float
    rate: float
    to_rate: float | None = None

    @property
    def end_rate(self) -> float:
        return self.rate if self.to_rate is None else self.to_rate

    @property
    def calls(self) -> float:
        return self.seconds * (self.rate + self.end_rate) / 2

    def rate_at(self, second: float) -> float:
        """The rate so many seconds after this stretch began."""
        return self.rate + (self.end_rate - self.rate) * second / self.seconds


@dataclass(frozen=True, slots=True)
class Callers:
    """So many callers alike. `shape` is the rate of all of them together; each call is of one of them, drawn evenly or,
    with `zipf`, by Zipf's law (exponent 1), and comes from any of `regions`, or from the caller's own where they are
    `pinned`. A caller is an identifier of `kind` named after `name`; with `site`, all pay for that Referer too."""

    name: str
    kind: Kind
    plan: Plan
    shape: tuple[Stretch, ...]
    regions: tuple[str, ...]
    count: int = 1
    zipf: bool = False
    pinned: bool = False
    site: str | None = None

    def charge(self, number: int) -> Charge:
        """What the calls of the caller `number` are charged to."""
        name = f"{self.name}-{number}"
        return ((self.kind, name),) if self.site is None else ((self.kind, name), ("ref", self.site))

    def drawn(self, rng: Random) -> tuple[int, str]:
        """Who makes a call, and from where."""
        if self.zipf:
            weights = zipf_weights(self.count)
            number = bisect(weights, rng.random() * weights[-1])
        else:
            number = int(rng.random() * self.count)
        regions = self.regions
        return number, regions[number % len(regions) if self.pinned else int(rng.random() * len(regions))]

    def calls_between(self, from_second: float, to_second: float) -> float:
        """Expected number of calls from one time after the start to another."""
        expected = 0.0
        for begun, stretch in self.rates():
            first, last = max(0.0, from_second - begun), min(stretch.seconds, to_second - begun)
            if last > first:
                expected += (last - first) * stretch.rate_at((first + last) / 2)
        return expected

    def rates(self) -> Iterator[tuple[float, Stretch]]:
        """Each stretch, and how many seconds after the start it begins."""
        begun = 0.0
        for stretch in self.shape:
            yield begun, stretch
            begun += stretch.seconds

    @property
    def seconds(self) -> float:
        return sum(stretch.seconds for stretch in self.shape)

    @property
    def calls(self) -> float:
        """Expected number of calls."""
        return sum(stretch.calls for stretch in self.shape)


@lru_cache(maxsize=4)
def zipf_weights(count: int) -> Sequence[float]:
    """Cumulative weights of Zipf's law with exponent 1."""
    return list(accumulate(1 / rank for rank in range(1, count + 1)))


def calls_of(callers: Callers, start_ms: int, seed: str) -> Iterator[Call]:
    """The calls of one group: chance arrivals (a Poisson process whose rate follows the shape)."""
    rng = Random(seed)
    draw, plan = rng.random, callers.plan
    charges: dict[int, Charge] = {}
    for begun, stretch in callers.rates():
        peak = max(stretch.rate, stretch.end_rate)
        if peak <= 0:
            continue
        is_even = stretch.to_rate is None
        second = rng.expovariate(peak)
        while second < stretch.seconds:
            if is_even or draw() * peak < stretch.rate_at(second):
                number, region = callers.drawn(rng)
                charge = charges.get(number)
                if charge is None:
                    charge = charges[number] = callers.charge(number)
                yield Call(start_ms + int((begun + second) * 1000), region, charge, plan)
            second += rng.expovariate(peak)


def arrivals(groups: Sequence[Callers], start_ms: int, seed: int) -> Iterator[Call]:
    """The calls of all groups in the order of their times. Each group has a stream of chance of its own."""
    streams = [calls_of(callers, start_ms, f"{seed} {callers.name}") for callers in groups]
    return iter(streams[0]) if len(streams) == 1 else merge(*streams, key=attrgetter("at_ms"))


def ticks(groups: Sequence[Callers], start_ms: int, tick_ms: int, seed: int) -> Iterator[tuple[int, list[Cell]]]:
    """The calls of all groups by tick: its middle, and a cell for each caller and region who called. Their numbers are
    those of chance arrivals."""
    rngs = [Random(f"{seed} {callers.name} ticks") for callers in groups]
    for tick in range(ceil(max(callers.seconds for callers in groups) * 1000 / tick_ms)):
        middle_ms = start_ms + tick * tick_ms + tick_ms // 2
        came: list[Cell] = []
        for callers, rng in zip(groups, rngs, strict=True):
            expected = callers.calls_between(tick * tick_ms / 1000, (tick + 1) * tick_ms / 1000)
            for (number, region), calls in _drawn(callers, expected, rng):
                came.append(Cell(Call(middle_ms, region, callers.charge(number), callers.plan), calls))
        yield middle_ms, came


def _drawn(callers: Callers, expected: float, rng: Random) -> Iterable[tuple[tuple[int, str], int]]:
    """How often each caller called from each region, of those who did."""
    regions = callers.regions
    places = callers.count * (1 if callers.pinned else len(regions))
    if not callers.zipf and expected > places:
        each = expected / places
        pairs = (
            (number, region)
            for number in range(callers.count)
            for region in ((regions[number % len(regions)],) if callers.pinned else regions)
        )
        return [(pair, calls) for pair in pairs if (calls := poisson(each, rng))]
    drawn: Counter[tuple[int, str]] = Counter()
    for _ in range(poisson(expected, rng)):
        drawn[callers.drawn(rng)] += 1
    return drawn.items()
