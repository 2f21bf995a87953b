"""Limits of all windows and flags: held beside another limiter where both mean the same, and by what must hold of every
decision whatever was published.

The other is `limits` (PyPI), whose clock is the test's. It is exact, and so is what is published here: rows complete up
to the moment, no rate, nothing admitted since. Where it means something else, the test does what makes both the same:

- its fixed windows begin with the first hit, ours with the calendar: it is told that each call comes as one begins;
- its `hit` counts what it refuses, in a fixed window: it is asked by `test` first;
- its sliding counter weighs in floating point: times are such that a window's share is a sum of powers of two;
- it has no calendar months (a month is 30 days there), and no window that only warns.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from limits import (
    RateLimitItem,
    RateLimitItemPerDay,
    RateLimitItemPerHour,
    RateLimitItemPerMinute,
    RateLimitItemPerSecond,
)
from limits.storage import MemoryStorage
from limits.storage import memory as limits_memory
from limits.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter

from tallygate.core.decide import Decision, Request, decide
from tallygate.core.fold import Fold
from tallygate.core.gate import Partition
from tallygate.core.limiter import Limiter
from tallygate.core.lines import format_line, parse_line
from tallygate.core.names import Kind
from tallygate.core.periods import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, day_of, hour_of, window_bounds_ms
from tallygate.core.plans import COUNTED_WINDOWS, WINDOWS, Limit, Plan, Window
from tallygate.core.snapshots import Snapshot
from tallygate.core.standing import standing_limits
from tallygate.core.usage import Admission, HomeUsage, Usage
from tallygate.core.verdict import STATUS, Verdict

HOME, AWAY = "us-east-1", "eu-west-1"
NOON = 1_795_176_000_000  # 2026-11-20T12:00:00Z
NEW_YEAR = 1_798_761_600_000  # 2027-01-01T00:00:00Z
LENGTH_MS = {"hour": HOUR_MS, "day": DAY_MS}
SHARES = {"hour": 128, "day": 1024}
"""Parts of a window that are a whole number of milliseconds and a sum of powers of two."""

settings.register_profile("with_a_clock", suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
with_a_clock = settings(settings.get_profile("with_a_clock"))


class Clock:
    """What `limits` reads as the time."""

    now_ms = NOON

    def time(self) -> float:
        return self.now_ms / 1000


class NoTimer:
    """Its storage lets a timer forget what expired. It also looks at each read, which is enough."""

    def __init__(self, *_: object) -> None: ...

    def start(self) -> None: ...

    def is_alive(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(limits_memory, "time", clock)
    monkeypatch.setattr(limits_memory, "threading", SimpleNamespace(Timer=NoTimer, RLock=threading.RLock))
    return clock


class Ours:
    """Decides by exact counts, and counts what it admits."""

    def __init__(self, limit: Limit) -> None:
        self._plan = Plan("plan", (limit,))
        self._months: Counter[tuple[str, int]] = Counter()
        self._hours: Counter[str] = Counter()

    def hit(self, at_ms: int, units: int) -> bool:
        rows = [
            HomeUsage(
                HOME,
                month,
                charged=sum(charged for (of, _), charged in self._months.items() if of == month),
                days={number: charged for (of, number), charged in self._months.items() if of == month},
                at_ms=at_ms,
            )
            for month in {month for month, _ in self._months}
        ]
        rows += [HomeUsage(HOME, "", charged=charged, at_ms=at_ms, hour=of) for of, charged in self._hours.items()]
        decision = decide(Request("r", HOME, units, ("key",)), {"key": Usage(tuple(rows))}, self._plan, at_ms)
        if decision.allowed:
            day = day_of(at_ms)
            self._months[day.month, day.number] += units
            self._hours[hour_of(at_ms)] += units
        return decision.allowed


def item_of(window: str, quota: int) -> RateLimitItem:
    return RateLimitItemPerHour(quota) if window == "hour" else RateLimitItemPerDay(quota)


steps = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 6)), min_size=1, max_size=60)
"""For each call, the shares of a window that pass before it, and its units."""
calls_of_a_container = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 6)), min_size=1, max_size=60)
starts = st.sampled_from([NOON, NEW_YEAR - DAY_MS // 1024, NEW_YEAR - 2 * DAY_MS])


@with_a_clock
@given(st.sampled_from(["hour", "day"]), st.integers(1, 30), starts, steps)
def test_calendar_windows_decide_as_fixed_windows_do(
    clock: Clock, window: Window, quota: int, at_ms: int, calls: list[tuple[int, int]]
) -> None:
    ours, theirs, item = (
        Ours(Limit("key", quota, window)),
        FixedWindowRateLimiter(MemoryStorage()),
        item_of(window, quota),
    )
    for shares, units in calls:
        at_ms += shares * LENGTH_MS[window] // SHARES[window]
        clock.now_ms = at_ms - at_ms % LENGTH_MS[window]
        admits = theirs.test(item, "caller", cost=units) and theirs.hit(item, "caller", cost=units)
        assert ours.hit(at_ms, units) == admits


@with_a_clock
@given(st.sampled_from(["hour", "day"]), st.integers(1, 30), starts, steps)
def test_rolling_windows_decide_as_sliding_window_counters_do(
    clock: Clock, window: Window, quota: int, at_ms: int, calls: list[tuple[int, int]]
) -> None:
    ours = Ours(Limit("key", quota, window, rolling=True))
    theirs, item = SlidingWindowCounterRateLimiter(MemoryStorage()), item_of(window, quota)
    part_ms = LENGTH_MS[window] // SHARES[window]
    at_ms -= at_ms % part_ms
    for shares, units in calls:
        at_ms += shares * part_ms
        clock.now_ms = at_ms
        assert ours.hit(at_ms, units) == theirs.hit(item, "caller", cost=units)


@with_a_clock
@given(st.sampled_from(["minute", "second"]), st.integers(1, 30), st.integers(0, 10**8), calls_of_a_container)
def test_one_container_holds_minutes_and_bursts_as_fixed_windows_do(
    clock: Clock, window: Window, quota: int, at_ms: int, calls: list[tuple[int, int]]
) -> None:
    """Its own count is exact where nobody else admits anything."""
    at_ms += NOON
    plan = Plan("plan", (), burst=quota) if window == "second" else Plan("plan", (Limit("key", quota, "minute"),))
    item = RateLimitItemPerSecond(quota) if window == "second" else RateLimitItemPerMinute(quota)
    limiter, snapshot, theirs = Limiter(HOME), Snapshot(Partition()), FixedWindowRateLimiter(MemoryStorage())
    length_ms = SECOND_MS if window == "second" else MINUTE_MS
    for thousandths, units in calls:
        at_ms += thousandths * length_ms // 1000
        snapshot.read_ms = at_ms
        clock.now_ms = at_ms - at_ms % length_ms
        admits = theirs.test(item, "caller", cost=units) and theirs.hit(item, "caller", cost=units)
        assert limiter.decide("r", at_ms, units, {"key": snapshot}, plan).allowed == admits


# --- what holds of every decision ---

limits = st.builds(
    Limit,
    st.sampled_from(["ip", "ref"]),
    st.integers(1, 2_000),
    st.sampled_from(WINDOWS),
    st.just(False),
    st.booleans(),
).flatmap(lambda limit: st.booleans().map(lambda rolls: replace(limit, rolling=rolls and limit.window != "minute")))
plans = st.builds(
    Plan,
    st.just("plan"),
    st.lists(limits, max_size=5, unique_by=lambda limit: limit.name).map(tuple),
    burst=st.none() | st.integers(1, 100),
    shadow=st.booleans(),
)
times = st.integers(NOON - 40 * DAY_MS, NOON + 40 * DAY_MS)


@st.composite
def usages(draw: st.DrawFn, now_ms: int) -> Usage:
    """Rows of this hour and month and the ones before, of two homes, as some region may see them."""
    rows: list[HomeUsage] = []
    for home in draw(st.lists(st.sampled_from([HOME, AWAY]), unique=True)):
        for row_ms in (now_ms, day_of(now_ms).month_start_ms - 1):
            days = draw(st.dictionaries(st.integers(1, 31), st.integers(0, 1_000), max_size=4))
            days[day_of(row_ms).number] = draw(st.integers(0, 1_000))
            at_ms = draw(st.integers(now_ms - DAY_MS, now_ms + SECOND_MS))
            total, rate, lag_ms = sum(days.values()), draw(st.integers(0, 10**6)), draw(st.integers(0, 100_000))
            rows.append(HomeUsage(home, day_of(row_ms).month, total, total, 0, days, rate, at_ms, lag_ms))
        for row_ms in (now_ms, now_ms - HOUR_MS):
            charged, rate = draw(st.integers(0, 1_000)), draw(st.integers(0, 10**6))
            at_ms = draw(st.integers(now_ms - HOUR_MS, now_ms + SECOND_MS))
            rows.append(HomeUsage(home, "", charged, charged, 0, {}, rate, at_ms, 5_000, hour_of(row_ms)))
    admitted = draw(
        st.lists(st.builds(Admission, st.integers(now_ms - HOUR_MS, now_ms), st.integers(1, 50)), max_size=5)
    )
    return Usage(tuple(draw(st.permutations(rows))), tuple(admitted))


class Case:
    """A call, what is known of its address and site, and its time."""

    def __init__(self, data: st.DataObject) -> None:
        self.now_ms = data.draw(times)
        self.plan = data.draw(plans)
        self.usage: dict[Kind, Usage] = {kind: data.draw(usages(self.now_ms)) for kind in ("ip", "ref")}
        self.request = Request(data.draw(st.uuids().map(str)), HOME, data.draw(st.integers(0, 20)), ("ip", "ref"))

    def decide(self, plan: Plan | None = None) -> Decision:
        return decide(self.request, self.usage, plan or self.plan, self.now_ms)

    def counted(self, limit: Limit) -> int:
        return sum(row.charged_in(limit.window, self.now_ms) for row in self.usage[limit.per].homes)


@given(st.data())
def test_a_published_count_at_the_quota_refuses(data: st.DataObject) -> None:
    case = Case(data)
    plan = replace(case.plan, shadow=False)
    spent = [each for each in plan.limits if not each.soft and case.counted(each) >= each.quota]
    assume(spent and case.request.units)
    decision = case.decide(plan)
    assert decision.refusal == "quota"
    assert {limit.name for limit in spent} <= {each.limit.name for each in decision.limits if each.refuses}


@given(st.data())
def test_the_order_of_limits_does_not_matter(data: st.DataObject) -> None:
    case = Case(data)
    decision = case.decide()
    shuffled = case.decide(replace(case.plan, limits=tuple(data.draw(st.permutations(case.plan.limits)))))
    assert (shuffled.refusal, shuffled.would) == (decision.refusal, decision.would)
    assert shuffled.retry_after_seconds == decision.retry_after_seconds
    assert {each.limit.name: each for each in shuffled.limits} == {each.limit.name: each for each in decision.limits}


@given(st.data())
def test_retry_after_never_ends_after_the_window_and_is_short_where_an_estimate_refuses(data: st.DataObject) -> None:
    case = Case(data)
    decision = case.decide()
    refusing = [each for each in decision.limits if each.refuses]
    assert bool(refusing) == (not decision.allowed) == (decision.retry_after_seconds is not None)
    for each in refusing:
        limit = each.limit
        window = limit.window
        _, end_ms = window_bounds_ms(window, case.now_ms)
        last_ms = window_bounds_ms(window, end_ms)[1] if limit.rolling else end_ms
        assert case.now_ms < each.opens_ms <= last_ms
        if window in COUNTED_WINDOWS:
            weighs = case.usage[limit.per].weighs_before(window, case.now_ms) if limit.rolling else 0
            if case.counted(limit) + weighs + case.request.units <= limit.quota:
                assert each.opens_ms <= case.now_ms + 3 * 60 * SECOND_MS, "an estimate is good for some delays only"
    if decision.retry_after_seconds is not None:
        longest_ms = max(each.opens_ms for each in refusing)
        assert 0 <= decision.retry_after_seconds * SECOND_MS - (longest_ms - case.now_ms) < SECOND_MS


@given(st.data())
def test_soft_limits_and_shadow_refuse_nobody(data: st.DataObject) -> None:
    case = Case(data)
    soft = replace(case.plan, limits=tuple(replace(each, soft=True) for each in case.plan.limits), burst=None)
    assert case.decide(soft).allowed
    assert case.decide(soft).would is None
    shadow, seen = case.decide(replace(case.plan, shadow=True)), case.decide(replace(case.plan, shadow=False))
    assert shadow.allowed
    assert not any(each.refuses for each in shadow.limits)
    assert shadow.would == seen.refusal


@given(st.data())
def test_a_soft_limit_changes_nothing_for_the_others(data: st.DataObject) -> None:
    case = Case(data)
    hard = replace(case.plan, limits=tuple(each for each in case.plan.limits if not each.soft))
    all_of_them, without = case.decide(), case.decide(hard)
    assert (all_of_them.refusal, all_of_them.would) == (without.refusal, without.would)
    assert [each for each in all_of_them.limits if not each.limit.soft] == list(without.limits)


@given(st.data())
def test_what_is_refused_consumes_nothing(data: st.DataObject) -> None:
    """Down to the items of the tally: its line is folded, as the consumer does."""
    case = Case(data)
    decision = case.decide()
    caps, bases, before = standing_limits(case.plan, case.usage, case.now_ms)
    verdict = Verdict(
        "192.0.2.1", HOME, AWAY, case.request.units, decision, "shop.example", charge=("ip", "ref"),
        caps=caps, bases=bases, before=before, shadow=case.plan.shadow,
    )  # fmt: skip
    status = 200 if decision.refusal is None else STATUS[decision.refusal]
    line = verdict.line("r", case.now_ms, status)
    assert parse_line(json.loads(format_line(line))) == line
    fold = Fold()
    fold.add(1, case.now_ms, [line], 0)
    for item in fold.items.values():
        [contribution] = item.contributions
        delta = contribution.delta
        if decision.allowed:
            assert (delta.units, delta.denied) == (case.request.units, 0)
        else:
            assert (delta.units, delta.charged, delta.denied, delta.days) == (0, 0, 1, {})
