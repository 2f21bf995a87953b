"""What really happened to each caller, which only a simulator knows: offered, admitted and refused by limit and window.

A call is offered to a limit when that limit could have refused it: a call that only another limit refused is not.
Limits that only warn are left out, and so are those that roll: they have no window that ends."""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Final

from tallygate.core.decide import Decision
from tallygate.core.names import Kind
from tallygate.core.periods import window_bounds_ms
from tallygate.core.plans import Limit
from tallygate.sim.traffic.world import Call

UNDER_PERCENT: Final = 90
"""Who offers less than this of their quota must never be refused."""


@dataclass(slots=True)
class Window:
    """One caller's window of one limit, in units. `reached_ms`: when what was admitted reached the quota."""

    quota: int
    end_ms: int
    offered: int = 0
    admitted: int = 0
    refused: int = 0
    reached_ms: int | None = None
    last_ms: int = 0

    def add(self, at_ms: int, admitted: int, refused: int) -> None:
        self.offered += admitted + refused
        self.refused += refused
        if admitted:
            self.admitted += admitted
            self.last_ms = at_ms
            if self.reached_ms is None and self.admitted >= self.quota:
                self.reached_ms = at_ms


@dataclass(slots=True)
class Series:
    """One caller over time: second, offered and admitted in its window by then."""

    step_ms: int
    points: list[tuple[float, int, int]] = field(default_factory=list)
    _next_ms: int = 0

    def note(self, since_ms: int, window: Window) -> None:
        if since_ms >= self._next_ms:
            self._next_ms = (since_ms // self.step_ms + 1) * self.step_ms
            self.points.append((since_ms / 1000, window.offered, window.admitted))


@dataclass(slots=True)
class Tallied:
    """All windows that are over, by what became of them. Percents are of the quota; of each caller and window who
    offered more than it in `overshoot`, `unspent` and `enforced_ms`."""

    windows: int = 0
    overshoot: list[float] = field(default_factory=list)
    unspent: list[float] = field(default_factory=list)
    enforced_ms: list[int] = field(default_factory=list)
    under_offered: int = 0
    under_refused: int = 0
    under_windows_refused: int = 0

    def add(self, window: Window) -> None:
        self.windows += 1
        if window.offered > window.quota:
            self.overshoot.append(max(0, window.admitted - window.quota) / window.quota * 100)
            self.unspent.append(max(0, window.quota - window.admitted) / window.quota * 100)
            if window.reached_ms is not None:
                self.enforced_ms.append(window.last_ms - window.reached_ms)
        elif window.offered * 100 < window.quota * UNDER_PERCENT:
            self.under_offered += window.offered
            self.under_refused += window.refused
            self.under_windows_refused += window.refused > 0


class Truth:
    """Keeps the windows that are open, and what became of the others."""

    def __init__(self, start_ms: int, watched: tuple[Kind, str], step_ms: int) -> None:
        self._start_ms = start_ms
        self._watched = watched
        self._open: dict[tuple[Kind, str, Limit], Window] = {}
        self._done = Tallied()
        self.series = Series(step_ms)

    def add(self, call: Call, decision: Decision) -> None:
        """A call and what was decided; for one that stands for many, see `add_units`."""
        refusing = {checked.limit.name for checked in decision.limits if checked.refuses}
        if decision.allowed:
            self.add_units(call, call.units, 0, refusing)
        else:
            self.add_units(call, 0, call.units, refusing)

    def add_units(self, call: Call, admitted: int, refused: int, refusing: Set[str]) -> None:
        """`admitted` and `refused` units of a call, refused by the limits named."""
        at_ms = call.at_ms
        for kind, value in call.charge:
            for limit in call.plan.limits:
                if limit.per != kind or limit.soft or limit.rolling:
                    continue
                window = self._window(kind, value, limit, at_ms)
                window.add(at_ms, admitted, refused if limit.name in refusing else 0)
                if (kind, value) == self._watched:
                    self.series.note(at_ms - self._start_ms, window)

    def finish(self) -> Tallied:
        """Every window is over."""
        for window in self._open.values():
            self._done.add(window)
        self._open.clear()
        return self._done

    def _window(self, kind: Kind, value: str, limit: Limit, at_ms: int) -> Window:
        place = (kind, value, limit)
        window = self._open.get(place)
        if window is None or window.end_ms <= at_ms:
            if window is not None:
                self._done.add(window)
            window = self._open[place] = Window(limit.quota, window_bounds_ms(limit.window, at_ms)[1])
        return window
