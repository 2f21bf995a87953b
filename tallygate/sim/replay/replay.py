"""A log held to one plan, call by call."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nlargest

from tallygate.core.names import Kind
from tallygate.core.plans import COUNTED_WINDOWS, WINDOWS, Limit, Plan
from tallygate.sim.replay.callers import MOST_IN_MEMORY, Callers, Record
from tallygate.sim.replay.charging import Charge
from tallygate.sim.replay.delayed import FOLLOWED_FROM_PERCENT, Decides, Used
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
    Calendar,
    Gauge,
    fields,
)
from tallygate.sim.replay.findings import CallerFinding, Hour, KindFinding, LimitFinding, PlanFindings
from tallygate.sim.replay.quotas import Spread


@dataclass(slots=True)
class _Count:
    """What one limit did so far."""

    limit: Limit
    refused: int = 0
    exactly_refused: int = 0
    first_ms: int | None = None
    over: int = 0
    worst: int = 0
    worst_value: str = ""


@dataclass(slots=True)
class _Kind:
    """Callers of one kind, the gauges of their limits, and how their calls are spread."""

    kind: Kind
    callers: Callers
    gauges: list[tuple[Gauge, _Count]]
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


Owner = tuple[_Kind, str, Record]
Refusing = Mapping[str, Limit]
"""The limits that refuse a call, by name."""


class Replay:
    """Holds calls, which come in the order of their times, to `plan`. `delayed` decides on callers near a quota;
    without it, exact counts decide on everybody. `left_out` is for whoever knows of calls that the plan does not
    govern."""

    def __init__(self, plan: Plan, delayed: Decides | None, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self.plan = plan
        self.left_out = 0
        self._delayed = delayed
        self._calendar = Calendar()
        self._counts = [_Count(limit) for limit in plan.limits]
        self._kinds = {
            kind: self._kind(kind, most_in_memory) for kind in dict.fromkeys(each.per for each in plan.limits)
        }
        self._bursts: dict[Kind, _Count] = {}
        self._hours: dict[int, list[int]] = {}
        self._calls = self._refused = self._exactly_refused = self._over = self._early = self._unfollowed = 0
        self._first_ms: int | None = None

    def _kind(self, kind: Kind, most_in_memory: int) -> _Kind:
        counts = [count for count in self._counts if count.limit.per == kind]
        gauges = [(Gauge(count.limit, place, self._calendar), count) for place, count in enumerate(counts)]
        return _Kind(kind, Callers(fields(len(gauges)), most_in_memory), gauges)

    def call(self, at_ms: int, region: str, charge: Charge) -> bool:
        """Decide on one call, charged to the identifiers of `charge`; whether it is admitted."""
        self._calendar.advance(at_ms)
        starts = self._calendar.starts_ms
        self._calls += 1
        owners: list[Owner] = []
        for name, value in charge:
            kind = self._kinds.get(name)
            if kind is not None:
                record = kind.callers.of(value)
                kind.offer(record, starts)
                for gauge, _ in kind.gauges:
                    gauge.turn(record)
                owners.append((kind, value, record))
        hour = self._hours.get(starts[1])
        if hour is None:
            hour = self._hours[starts[1]] = [0, 0, 0]
        hour[0] += 1
        if self._decide_exactly(at_ms, owners):
            hour[2] += 1
        used_up = _used_up(at_ms, owners)
        refusing = used_up if self._delayed is None else self._decide(at_ms, region, owners, used_up, self._delayed)
        if refusing:
            hour[1] += 1
            self._refuse(at_ms, owners, refusing, used_up)
        else:
            self._admit(at_ms, owners, used_up)
        return not refusing

    def _decide_exactly(self, at_ms: int, owners: Iterable[Owner]) -> bool:
        """Hold the call to exact counts, beside what is done about it; whether it is refused."""
        refused = False
        for kind, _, record in owners:
            own = False
            for gauge, count in kind.gauges:
                if not gauge.limit.soft and gauge.used_exactly(record, at_ms) >= gauge.quota:
                    count.exactly_refused += 1
                    own = True
            record[EXACTLY_REFUSED] += own
            refused |= own
        if not refused:
            for kind, _, record in owners:
                for gauge, _ in kind.gauges:
                    record[gauge.exact] += 1
        self._exactly_refused += refused
        return refused

    def _decide(
        self, at_ms: int, region: str, owners: Iterable[Owner], used_up: Refusing, delayed: Decides
    ) -> Refusing:
        """The limits that refuse the call."""
        followed: list[tuple[Kind, str]] = []
        unfollowed = False
        for kind, value, record in owners:
            if delayed.is_followed(kind.kind, value) or (
                self._is_near(kind, record, at_ms)
                and delayed.follow(kind.kind, value, self._used_before(kind, record, at_ms), at_ms)
            ):
                followed.append((kind.kind, value))
            elif self._is_near(kind, record, at_ms):
                unfollowed = True
                refusing = {name: limit for name, limit in used_up.items() if limit.per == kind.kind}
                if refusing:
                    self._unfollowed += 1
                    return refusing
        self._unfollowed += unfollowed
        if not followed:
            return {}
        decision = delayed.call(at_ms, region, tuple(followed))
        return {checked.limit.name: checked.limit for checked in decision.limits if checked.refuses}

    def _is_near(self, kind: _Kind, record: Record, at_ms: int) -> bool:
        """Whether this call may take its caller to the first mark of a limit. A burst may come from anybody."""
        return self.plan.burst is not None or any(
            (gauge.used(record, at_ms) + 1) * 100 >= gauge.quota * FOLLOWED_FROM_PERCENT for gauge, _ in kind.gauges
        )

    def _used_before(self, kind: _Kind, record: Record, at_ms: int) -> list[Used]:
        """What the caller used of the current windows, and of those before that still weigh: each unit once, at the
        start of the longest window that holds it but no shorter one."""
        used: list[Used] = []
        for gauge, _ in sorted(kind.gauges, key=lambda entry: entry[0].window):
            if gauge.limit.window in COUNTED_WINDOWS:
                start_ms, before_ms = record[gauge.start], self._calendar.before_ms[gauge.window]
                known = sum(units for then_ms, units in used if then_ms >= start_ms)
                known_before = sum(units for then_ms, units in used if before_ms <= then_ms < start_ms)
                used.append(Used(start_ms if used else at_ms, record[gauge.delayed] - known))
                if gauge.limit.rolling:
                    used.append(Used(before_ms, record[gauge.delayed_before] - known_before))
        return [each for each in used if each.units > 0]

    def _refuse(self, at_ms: int, owners: Iterable[Owner], refusing: Refusing, used_up: Refusing) -> None:
        self._refused += 1
        if self._first_ms is None:
            self._first_ms = at_ms
        in_plan = {count.limit.name for count in self._counts}
        bursts = {limit.per: limit for name, limit in refusing.items() if name not in in_plan}
        early = not used_up and not bursts
        self._early += early
        for kind, _, record in owners:
            own = False
            for gauge, count in kind.gauges:
                if gauge.limit.name in refusing:
                    own = True
                    record[gauge.refused] += 1
                    count.refused += 1
                    if count.first_ms is None:
                        count.first_ms = at_ms
            if kind.kind in bursts:
                own = True
                record[BURSTS] += 1
                count = self._bursts.setdefault(kind.kind, _Count(bursts[kind.kind]))
                count.refused += 1
                count.first_ms = at_ms if count.first_ms is None else count.first_ms
            if own:
                record[REFUSED] += 1
                record[EARLY] += early
                if not record[FIRST_MS]:
                    record[FIRST_MS] = at_ms

    def _admit(self, at_ms: int, owners: Iterable[Owner], used_up: Refusing) -> None:
        self._over += bool(used_up)
        for kind, value, record in owners:
            own = False
            for gauge, count in kind.gauges:
                record[gauge.delayed] += 1
                beyond = gauge.used(record, at_ms) - gauge.quota
                if beyond > 0:
                    own |= not gauge.limit.soft
                    count.over += 1
                    if beyond > count.worst:
                        count.worst, count.worst_value = beyond, value
            record[OVER] += own

    # --- what came out ---

    def findings(self, most_shown: int) -> PlanFindings:
        """What came out so far, with the `most_shown` callers who were refused most often."""
        kinds: list[KindFinding] = []
        top: list[CallerFinding] = []
        callers_refused: Counter[str] = Counter()
        bursty: Counter[Kind] = Counter()
        for kind in self._kinds.values():
            spreads = [Spread(counted.copy()) for counted in kind.by_window]
            refused = 0
            for _, record in kind.callers:
                refused += record[REFUSED] > 0
                callers_refused.update(gauge.limit.name for gauge, _ in kind.gauges if record[gauge.refused])
                bursty[kind.kind] += record[BURSTS] > 0
                for window, spread in enumerate(spreads):
                    at = HEAD_FIELDS + OFFERED_FIELDS * window
                    spread.by_window[record[at + 1]] += 1
                    spread.by_peak[record[at + 2]] += 1
            calls = sum(number * windows for number, windows in spreads[-1].by_window.items())
            quotas = {window: spread.quotas() for window, spread in zip(WINDOWS, spreads, strict=True)}
            curves = {window: spread.curve() for window, spread in zip(WINDOWS, spreads, strict=True)}
            kinds.append(KindFinding(kind.kind, len(kind.callers), refused, calls, quotas, curves))
            top += _top(kind, most_shown)
        top.sort(key=lambda caller: (-caller.refused, caller.kind, caller.value))
        return PlanFindings(
            plan=self.plan,
            calls=self._calls,
            left_out=self.left_out,
            refused=self._refused,
            exactly_refused=self._exactly_refused,
            first_refused_ms=self._first_ms,
            over=self._over,
            early=self._early,
            unfollowed=self._unfollowed,
            limits=[_limit(count, callers_refused[count.limit.name]) for count in self._counts]
            + [_limit(count, bursty[kind]) for kind, count in self._bursts.items()],
            kinds=kinds,
            top=top[:most_shown],
            hours=[Hour(at_ms, *counted) for at_ms, counted in sorted(self._hours.items())],
        )


def _used_up(at_ms: int, owners: Iterable[Owner]) -> dict[str, Limit]:
    """The limits of which the call's owners have used all, of what was let through."""
    return {
        gauge.limit.name: gauge.limit
        for kind, _, record in owners
        for gauge, _ in kind.gauges
        if not gauge.limit.soft and gauge.used(record, at_ms) >= gauge.quota
    }


def _limit(count: _Count, callers_refused: int) -> LimitFinding:
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


def _top(kind: _Kind, most_shown: int) -> list[CallerFinding]:
    most = nlargest(most_shown, ((record[REFUSED], value) for value, record in kind.callers if record[REFUSED]))
    found: list[CallerFinding] = []
    for refused, value in most:
        record = kind.callers.of(value)
        found.append(
            CallerFinding(
                kind=kind.kind,
                value=value,
                calls=record[CALLS],
                refused=refused,
                exactly_refused=record[EXACTLY_REFUSED],
                first_refused_ms=record[FIRST_MS],
                over=record[OVER],
                early=record[EARLY],
            )
        )
    return found
