"""Callers of one kind: their records, the limits that they are held to, and what comes of both at the end."""

from collections import Counter
from dataclasses import dataclass, field
from heapq import nlargest

from tallygate.core.names import Kind
from tallygate.core.plans import WINDOWS, Limit
from tallygate.sim.replay.callers import Callers, Record
from tallygate.sim.replay.exact import (
    BURSTS,
    CALLS,
    EARLY,
    EXACTLY_REFUSED,
    FIRST_MS,
    HEAD_FIELDS,
    OFFERED_FIELDS,
    OVER,
    REFUSED,
    Gauge,
)
from tallygate.sim.replay.findings import CallerFinding, KindFinding, LimitFinding
from tallygate.sim.replay.quotas import Spread


@dataclass(slots=True)
class LimitCount:
    """What one limit did so far."""

    limit: Limit
    refused: int = 0
    exactly_refused: int = 0
    first_ms: int | None = None
    over: int = 0
    worst: int = 0
    worst_value: str = ""


@dataclass(slots=True)
class Group:
    """Callers of one kind, the gauges of their limits, and how their calls are spread."""

    kind: Kind
    callers: Callers
    gauges: list[tuple[Gauge, LimitCount]]
    by_window: list[Counter[int]] = field(default_factory=lambda: [Counter() for _ in WINDOWS])

    def offer(self, record: Record, starts: list[int]) -> None:
        """Count a call in its windows, whatever becomes of it."""
        record[CALLS] += 1
        at = HEAD_FIELDS
        for window, start_ms in enumerate(starts):
            if record[at] != start_ms:
                if record[at + 1]:
                    self.by_window[window][record[at + 1]] += 1
                record[at], record[at + 1] = start_ms, 0
            record[at + 1] += 1
            if record[at + 1] > record[at + 2]:
                record[at + 2] = record[at + 1]
            at += OFFERED_FIELDS

    def finding(self) -> tuple[KindFinding, Counter[str], int]:
        """What came of them; beside it, how many were refused by each limit, by its name, and how many for a burst."""
        spreads = [Spread(counted.copy()) for counted in self.by_window]
        by_limit: Counter[str] = Counter()
        refused = bursts = 0
        for _, record in self.callers:
            refused += record[REFUSED] > 0
            bursts += record[BURSTS] > 0
            by_limit.update(gauge.limit.name for gauge, _ in self.gauges if record[gauge.refused])
            for window, spread in enumerate(spreads):
                at = HEAD_FIELDS + OFFERED_FIELDS * window
                spread.by_window[record[at + 1]] += 1
                spread.by_peak[record[at + 2]] += 1
        found = KindFinding(
            kind=self.kind,
            callers=len(self.callers),
            callers_refused=refused,
            calls=sum(number * windows for number, windows in spreads[-1].by_window.items()),
            quotas={window: spread.quotas() for window, spread in zip(WINDOWS, spreads, strict=True)},
            curves={window: spread.curve() for window, spread in zip(WINDOWS, spreads, strict=True)},
        )
        return found, by_limit, bursts

    def top(self, most: int) -> list[CallerFinding]:
        """The `most` callers that their own limits refused most often."""
        refused = nlargest(most, ((record[REFUSED], value) for value, record in self.callers if record[REFUSED]))
        return [self._caller(value, self.callers.of(value)) for _, value in refused]

    def _caller(self, value: str, record: Record) -> CallerFinding:
        return CallerFinding(
            kind=self.kind,
            value=value,
            calls=record[CALLS],
            refused=record[REFUSED],
            exactly_refused=record[EXACTLY_REFUSED],
            first_refused_ms=record[FIRST_MS],
            over=record[OVER],
            early=record[EARLY],
        )


def limit_finding(count: LimitCount, callers_refused: int) -> LimitFinding:
    """What came of one limit."""
    return LimitFinding(
        limit=count.limit,
        refused=count.refused,
        exactly_refused=count.exactly_refused,
        callers_refused=callers_refused,
        first_refused_ms=count.first_ms,
        over=count.over,
        worst=count.worst,
        worst_value=count.worst_value,
    )
