"""A log held to one plan, call by call."""

from collections import Counter
from collections.abc import Iterable, Mapping

from tallygate.core.names import Kind
from tallygate.core.plans import COUNTED_WINDOWS, Limit, Plan
from tallygate.sim.replay.callers import MOST_IN_MEMORY, Callers, Record
from tallygate.sim.replay.charging import Charge
from tallygate.sim.replay.delayed import FOLLOWED_FROM_PERCENT, Decides, Used
from tallygate.sim.replay.exact import BURSTS, EARLY, EXACTLY_REFUSED, FIRST_MS, OVER, REFUSED, Calendar, Gauge, fields
from tallygate.sim.replay.findings import CallerFinding, Hour, KindFinding, PlanFindings
from tallygate.sim.replay.groups import Group, LimitCount, limit_finding

Owner = tuple[Group, str, Record]
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
        self._counts = [LimitCount(limit) for limit in plan.limits]
        kinds = dict.fromkeys(each.per for each in plan.limits)
        if plan.burst is not None and plan.anonymous:
            kinds["ip"] = None  # a burst is of the address, be there other limits per address or none
        self._groups = {kind: self._group(kind, most_in_memory) for kind in kinds}
        self._bursts: dict[Kind, LimitCount] = {}
        self._hours: dict[int, list[int]] = {}
        self._calls = self._refused = self._exactly_refused = self._over = self._early = self._unfollowed = 0
        self._first_ms: int | None = None

    def _group(self, kind: Kind, most_in_memory: int) -> Group:
        counts = [count for count in self._counts if count.limit.per == kind]
        gauges = [(Gauge(count.limit, place, self._calendar), count) for place, count in enumerate(counts)]
        return Group(kind, Callers(fields(len(gauges)), most_in_memory), gauges)

    def call(self, at_ms: int, region: str, charge: Charge) -> bool:
        """Decide on one call, charged to the identifiers of `charge`; whether it is admitted."""
        self._calendar.advance(at_ms)
        starts = self._calendar.starts_ms
        self._calls += 1
        owners: list[Owner] = []
        for name, value in charge:
            group = self._groups.get(name)
            if group is not None:
                record = group.callers.of(value)
                group.offer(record, starts)
                for gauge, _ in group.gauges:
                    gauge.turn(record)
                owners.append((group, value, record))
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
        for group, _, record in owners:
            own = False
            for gauge, count in group.gauges:
                if not gauge.limit.soft and gauge.used_exactly(record, at_ms) >= gauge.quota:
                    count.exactly_refused += 1
                    own = True
            record[EXACTLY_REFUSED] += own
            refused |= own
        if not refused:
            for group, _, record in owners:
                for gauge, _ in group.gauges:
                    record[gauge.exact] += 1
        self._exactly_refused += refused
        return refused

    def _decide(
        self, at_ms: int, region: str, owners: Iterable[Owner], used_up: Refusing, delayed: Decides
    ) -> Refusing:
        """The limits that refuse the call."""
        followed: list[tuple[Kind, str]] = []
        unfollowed = False
        for group, value, record in owners:
            if delayed.is_followed(group.kind, value) or (
                self._is_near(group, record, at_ms)
                and delayed.follow(group.kind, value, self._used_before(group, record, at_ms), at_ms)
            ):
                followed.append((group.kind, value))
            elif self._is_near(group, record, at_ms):
                unfollowed = True
                refusing = {name: limit for name, limit in used_up.items() if limit.per == group.kind}
                if refusing:
                    self._unfollowed += 1
                    return refusing
        self._unfollowed += unfollowed
        if not followed:
            return {}
        decision = delayed.call(at_ms, region, tuple(followed))
        return {checked.limit.name: checked.limit for checked in decision.limits if checked.refuses}

    def _is_near(self, group: Group, record: Record, at_ms: int) -> bool:
        """Whether this call may take its caller to the first mark of a limit. A burst may come from anybody."""
        return self.plan.burst is not None or any(
            (gauge.used(record, at_ms) + 1) * 100 >= gauge.quota * FOLLOWED_FROM_PERCENT for gauge, _ in group.gauges
        )

    def _used_before(self, group: Group, record: Record, at_ms: int) -> list[Used]:
        """What the caller used of the current windows, and of those before that still weigh: each unit once, at the
        start of the longest window that holds it but no shorter one."""
        used: list[Used] = []
        for gauge, _ in sorted(group.gauges, key=lambda entry: entry[0].window):
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
        for group, _, record in owners:
            own = False
            for gauge, count in group.gauges:
                if gauge.limit.name in refusing:
                    own = True
                    record[gauge.refused] += 1
                    count.refused += 1
                    if count.first_ms is None:
                        count.first_ms = at_ms
            if group.kind in bursts:
                own = True
                record[BURSTS] += 1
                count = self._bursts.setdefault(group.kind, LimitCount(bursts[group.kind]))
                count.refused += 1
                count.first_ms = at_ms if count.first_ms is None else count.first_ms
            if own:
                record[REFUSED] += 1
                record[EARLY] += early
                if not record[FIRST_MS]:
                    record[FIRST_MS] = at_ms

    def _admit(self, at_ms: int, owners: Iterable[Owner], used_up: Refusing) -> None:
        self._over += bool(used_up)
        for group, value, record in owners:
            own = False
            for gauge, count in group.gauges:
                record[gauge.delayed] += 1
                beyond = gauge.used(record, at_ms) - gauge.quota
                if beyond > 0:
                    own |= not gauge.limit.soft
                    count.over += 1
                    if beyond > count.worst:
                        count.worst, count.worst_value = beyond, value
            record[OVER] += own

    def findings(self, most_shown: int) -> PlanFindings:
        """What came out so far, with the `most_shown` callers who were refused most often."""
        kinds: list[KindFinding] = []
        top: list[CallerFinding] = []
        callers_refused: Counter[str] = Counter()
        bursts: dict[Kind, int] = {}
        for group in self._groups.values():
            found, by_limit, bursts[group.kind] = group.finding()
            kinds.append(found)
            top += group.top(most_shown)
            callers_refused += by_limit
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
            limits=[limit_finding(count, callers_refused[count.limit.name]) for count in self._counts]
            + [limit_finding(count, bursts[kind]) for kind, count in self._bursts.items()],
            kinds=kinds,
            top=top[:most_shown],
            hours=[Hour(at_ms, *counted) for at_ms, counted in sorted(self._hours.items())],
        )


def _used_up(at_ms: int, owners: Iterable[Owner]) -> dict[str, Limit]:
    """The limits of which the call's owners have used all, of what was let through."""
    return {
        gauge.limit.name: gauge.limit
        for group, _, record in owners
        for gauge, _ in group.gauges
        if not gauge.limit.soft and gauge.used(record, at_ms) >= gauge.quota
    }
