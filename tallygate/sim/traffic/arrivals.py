"""Who calls, and how often: calls drawn one after another, in the order of their times, with nothing kept of them."""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import merge
from itertools import accumulate
from operator import attrgetter
from random import Random

from tallygate.core.names import Kind
from tallygate.core.plans import Plan
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
    draw, regions, plan = rng.random, callers.regions, callers.plan
    weights = zipf_weights(callers.count) if callers.zipf else ()
    charges: dict[int, Charge] = {}
    for begun, stretch in callers.rates():
        peak = max(stretch.rate, stretch.end_rate)
        if peak <= 0:
            continue
        is_even = stretch.to_rate is None
        second = rng.expovariate(peak)
        while second < stretch.seconds:
            if is_even or draw() * peak < stretch.rate_at(second):
                number = bisect(weights, draw() * weights[-1]) if weights else int(draw() * callers.count)
                region = regions[number % len(regions) if callers.pinned else int(draw() * len(regions))]
                charge = charges.get(number)
                if charge is None:
                    charge = charges[number] = callers.charge(number)
                yield Call(start_ms + int((begun + second) * 1000), region, charge, plan)
            second += rng.expovariate(peak)


def arrivals(groups: Sequence[Callers], start_ms: int, seed: int) -> Iterator[Call]:
    """The calls of all groups in the order of their times. Each group has a stream of chance of its own."""
    streams = [calls_of(callers, start_ms, f"{seed} {callers.name}") for callers in groups]
    return iter(streams[0]) if len(streams) == 1 else merge(*streams, key=attrgetter("at_ms"))
