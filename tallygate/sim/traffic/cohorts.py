"""The containers of a region in a few cohorts: those of one came at the same time, get calls equally often, and so know
the same. One stands for all of its cohort.

How many there are, and what part of the calls each gets, is that of servers which are asked one after the other: the
share that finds n of them busy is Erlang's loss formula for n.
"""

from dataclasses import dataclass
from typing import Final

from tallygate.core.gate import Gate
from tallygate.core.gate_view import GateView
from tallygate.core.snapshots import Snapshots
from tallygate.sim.traffic.containers import IDLE_MS, Payload

COHORTS: Final = 3
"""About how many a region has that is served evenly. One that grows gets more."""
GROWTH: Final = 1.1
"""Chance alone asks for a few containers more in one tick than in another."""
RARELY: Final = 0.001
"""A container that so small a part of the calls would need is not there."""


@dataclass(slots=True)
class Cohort:
    """So many `containers` alike, who together get `share` of the calls of this tick."""

    number: int
    containers: int
    view: GateView
    share: float = 0.0
    payload: Payload | None = None
    used_ms: int = 0


class Cohorts:
    """Those of one region, the most used first."""

    def __init__(self, gate: Gate, home: str) -> None:
        self._gate = gate
        self._home = home
        self._all: list[Cohort] = []
        self.started = 0

    @property
    def serving(self) -> list[Cohort]:
        """Those that get calls in this tick."""
        return [cohort for cohort in self._all if cohort.share > 0]

    def serve(self, load: float, now_ms: int) -> None:
        """Share out the calls of a tick, of which `load` would be under way at once."""
        while self._all and now_ms - self._all[-1].used_ms > IDLE_MS:
            self._all.pop()
        lost = losses(load)
        there = sum(cohort.containers for cohort in self._all)
        if load and len(lost) - 1 > there * GROWTH:
            self._start(len(lost) - 1 - there, now_ms)
        first = 0
        for cohort in self._all:
            last = first + cohort.containers
            cohort.share = lost[min(first, len(lost) - 1)] - lost[min(last, len(lost) - 1)] if load else 0.0
            cohort.payload = None
            if cohort.share:
                cohort.used_ms = now_ms
            first = last
        if load:
            serving = sum(cohort.share for cohort in self._all)
            for cohort in self._all:
                cohort.share /= serving

    def lose(self) -> None:
        """All of them are gone."""
        self._all.clear()

    def _start(self, containers: int, now_ms: int) -> None:
        size = -(-containers // COHORTS) if not self._all else containers
        while containers > 0:
            self.started += min(size, containers)
            view = GateView(self._gate, self._home, Snapshots())
            self._all.append(Cohort(self.started, min(size, containers), view, used_ms=now_ms))
            containers -= size


def losses(load: float) -> list[float]:
    """What part of calls finds the first n servers busy, for n from 0 to the first that is RARELY exceeded. Source:
    Erlang's loss formula in its recursive form, B(n) = load · B(n − 1) / (n + load · B(n − 1))."""
    lost = [1.0]
    while lost[-1] > RARELY:
        offered = load * lost[-1]
        lost.append(offered / (len(lost) + offered))
    return lost
