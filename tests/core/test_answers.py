"""What callers are told, whatever the window: what remains after their call, until when, and when to come back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from http_sfv.list import List
from hypothesis import assume, given
from hypothesis import strategies as st

from tallygate.core.adjustments import UNADJUSTED, Baseline, TopUp
from tallygate.core.decide import Decision, Request, decide
from tallygate.core.gate import Partition
from tallygate.core.headers import rate_limit_headers
from tallygate.core.limiter import Limiter
from tallygate.core.periods import day_of, hour_of, window_bounds_ms
from tallygate.core.plans import COUNTED_WINDOWS, WINDOWS, Limit, Plan, Window
from tallygate.core.snapshots import Snapshot
from tallygate.core.usage import Admission, HomeUsage, Usage

HOME = "us-east-1"


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


BORDERS = [
    ms(text)
    for text in (
        "2026-11-20T14:00:00",
        "2026-11-21",
        "2026-12-01",
        "2027-01-01",
        "2027-03-01",
        "2028-02-29",
        "2028-03-01",
        "2100-03-01",
    )
]
"""Where an hour, a day, a month, a year, a short and a long February, and one that is short against the rule end."""

times = st.one_of(
    st.builds(lambda border, off: border + off, st.sampled_from(BORDERS), st.integers(-3, 3)),
    st.integers(BORDERS[0], BORDERS[-1]),
)
limits = st.builds(
    lambda window, quota, rolling: Limit("key", quota, window, rolling and window != "minute"),
    st.sampled_from(WINDOWS),
    st.integers(1, 999_999_999_999_999),
    st.booleans(),
)


def rows(at_ms: int, charged: int, before: int) -> tuple[HomeUsage, ...]:
    """What a home published: `charged` in the window of each kind that holds `at_ms`, `before` in the one before it."""
    day = day_of(at_ms)
    yesterday = day_of(day.start_ms - 1)
    days = {day.number: charged}
    months = {day.month: charged, day_of(day.month_start_ms - 1).month: before}
    by_month = {month: days if month == day.month else {} for month in months}
    by_month[yesterday.month] = {**by_month[yesterday.month], yesterday.number: before}
    return (
        *(HomeUsage(HOME, month, units, units, 0, by_month[month], at_ms=at_ms) for month, units in months.items()),
        HomeUsage(HOME, "", charged, charged, at_ms=at_ms, hour=hour_of(at_ms)),
        HomeUsage(HOME, "", before, before, at_ms=at_ms, hour=hour_of(window_bounds_ms("hour", at_ms)[0] - 1)),
    )


def told(headers: dict[str, str], field: str) -> dict[str, dict[str, int]]:
    items = List()
    items.parse(headers[field].encode())
    return {item.value: dict(item.params) for item in items}


def decided(plan: Plan, usage: Usage, at_ms: int, units: int = 1) -> Decision:
    return decide(Request("id", HOME, units, ("key",)), {"key": usage}, plan, at_ms)


@given(times, st.lists(limits, min_size=1, max_size=5, unique_by=lambda limit: limit.name), st.data())
def test_an_answer_is_true_at_every_moment_of_every_window(at_ms: int, of: list[Limit], data: st.DataObject) -> None:
    quota = max(limit.quota for limit in of)
    counts = st.one_of(st.integers(0, 3), st.integers(0, quota), st.sampled_from([q.quota - 1 for q in of] + [quota]))
    usage = Usage(rows(at_ms, data.draw(counts), data.draw(counts)))
    decision = decided(Plan("pro", tuple(of)), usage, at_ms)
    headers = rate_limit_headers(decision, at_ms)
    policies, left = told(headers, "RateLimit-Policy"), told(headers, "RateLimit")
    assert list(policies) == list(left) == [limit.name for limit in of]
    for checked in decision.limits:
        limit = checked.limit
        start_ms, end_ms = window_bounds_ms(limit.window, at_ms)
        told_here = left[limit.name]
        assert policies[limit.name] == {"q": limit.quota, "w": (end_ms - start_ms) // 1000}
        assert 0 <= told_here["r"] <= limit.quota - decision.allowed
        assert told_here["t"] > 0
        if limit.rolling:
            assert at_ms + told_here["t"] * 1000 < window_bounds_ms(limit.window, end_ms)[1] + 1000
        else:
            # The first whole second, counted from the call, in which the window has ended.
            assert end_ms <= at_ms + told_here["t"] * 1000 < end_ms + 1000
            if decision.allowed and limit.window != "minute":
                row = sum(row.charged_in(limit.window, at_ms) for row in usage.homes)
                assert told_here["r"] == limit.quota - row - 1, "after this call"
    refusing = [each for each in decision.limits if each.refuses]
    assert ("Retry-After" in headers) == bool(refusing)
    assert [left[each.limit.name]["r"] for each in refusing] == [0] * len(refusing)
    if refusing:
        seconds = [left[each.limit.name]["t"] for each in refusing]
        assert int(headers["Retry-After"]) == max(seconds), "the one that opens last decides"
        assert headers["X-RateLimit-Remaining"] == "0"
        opens_ms = max(each.opens_ms for each in refusing)
        assert int(headers["X-RateLimit-Reset"]) == -(-opens_ms // 1000)
    else:
        assert int(headers["X-RateLimit-Remaining"]) == min(each["r"] for each in left.values())


@given(times, st.lists(limits, min_size=1, max_size=4, unique_by=lambda limit: limit.name), st.data())
def test_who_waits_as_told_and_is_alone_gets_through(at_ms: int, of: list[Limit], data: st.DataObject) -> None:
    spent = st.one_of(*(st.integers(limit.quota, 2 * limit.quota) for limit in of))
    usage = Usage(rows(at_ms, data.draw(spent), data.draw(spent)))
    plan = Plan("pro", tuple(of))
    decision = decided(plan, usage, at_ms)
    assume(not decision.allowed)
    assert decision.retry_after_seconds is not None
    later_ms = at_ms + decision.retry_after_seconds * 1000
    again = decided(plan, usage, later_ms)
    # Another limit may refuse then, whose window came in between; never one that refused before.
    refused = {each.limit.name for each in decision.limits if each.refuses}
    assert not refused & {each.limit.name for each in again.limits if each.refuses}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("border_ms", BORDERS)
def test_the_last_millisecond_is_of_the_old_window_and_the_next_of_the_new(window: Window, border_ms: int) -> None:
    """Every border here ends a minute and an hour; the longer windows end where theirs does."""
    limit = Limit("key", 10, window)
    _, end_ms = window_bounds_ms(window, border_ms - 1)
    usage = Usage(rows(end_ms - 1, 7, 0))
    last = rate_limit_headers(decided(Plan("pro", (limit,)), usage, end_ms - 1), end_ms - 1)
    first = rate_limit_headers(decided(Plan("pro", (limit,)), usage, end_ms), end_ms)
    used = 0 if window == "minute" else 7  # minutes are counted by each container
    assert told(last, "RateLimit")[limit.name] == {"r": 10 - used - 1, "t": 1}
    length_ms = window_bounds_ms(window, end_ms)[1] - end_ms
    assert told(first, "RateLimit")[limit.name] == {"r": 9, "t": length_ms // 1000}
    assert last["X-RateLimit-Reset"] == str(end_ms // 1000)


steps = st.lists(
    st.tuples(st.sampled_from(["call", "call", "call", "free", "elsewhere", "count"]), st.integers(0, 20_000)),
    max_size=60,
)
rolls = st.sampled_from(
    [("minute", False), *((window, rolls) for window in COUNTED_WINDOWS for rolls in (False, True))]
)


class Told(NamedTuple):
    """One answer: the window that it speaks of, what it said remains, and what had been used by then in truth."""

    window: int
    remaining: int
    used: int
    allowed: bool


def run(window: Window, rolling: bool, quota: int, at_ms: int, of: Sequence[tuple[str, int]]) -> list[Told]:
    """What one container tells a caller who also calls elsewhere. What is counted is published late, and with a mean
    delay: some of what came after the time it names is in it, and some of what came before is not."""
    limit = Limit("key", quota, window, rolling)
    limiter, snapshot = Limiter(HOME), Snapshot(Partition())
    calls: list[int] = []
    answers = []
    for number, (what, after_ms) in enumerate(of):
        at_ms += after_ms
        start_ms, end_ms = window_bounds_ms(window, at_ms)
        snapshot.read_ms = at_ms
        if what == "elsewhere" and window != "minute":
            calls += [at_ms] * 3
        elif what == "count":
            counted = [call for call in calls[: len(calls) * 4 // 5] if call >= start_ms]
            day, units = day_of(at_ms), len(counted)
            row = HomeUsage(HOME, day.month, units, units, 0, {day.number: units}, 4_000, at_ms - 5_000, 5_000)
            if window == "hour":
                row = replace(row, month="", days={}, hour=hour_of(at_ms))
            snapshot.renew(Partition((row,)), HOME, at_ms)
        elif what in ("call", "free"):
            units = int(what == "call")
            decision = limiter.decide(str(number), at_ms, units, {"key": snapshot}, Plan("pro", (limit,)))
            calls += [at_ms] * (units * decision.allowed)
            used = sum(call >= start_ms for call in calls)
            answers.append(Told(end_ms, decision.limits[0].remaining, used, decision.allowed))
    return answers


@given(rolls, st.integers(1, 80), st.sampled_from(BORDERS), steps)
def test_within_a_window_a_container_never_tells_a_caller_of_more_than_before_nor_of_less_than_there_is(
    of_window: tuple[Window, bool], quota: int, at_ms: int, of: list[tuple[str, int]]
) -> None:
    """A window before that weighs nothing: then a rolling limit is as any other."""
    answers = [told for told in run(*of_window, quota, at_ms, of) if told.allowed]
    before: dict[int, int] = {}
    for told in answers:
        assert max(0, quota - told.used) <= told.remaining <= before.get(told.window, quota), answers
        before[told.window] = told.remaining


@given(rolls, st.integers(1, 80), st.sampled_from(BORDERS), steps)
def test_who_calls_one_container_only_is_told_exactly_what_remains(
    of_window: tuple[Window, bool], quota: int, at_ms: int, of: list[tuple[str, int]]
) -> None:
    alone = [step for step in of if step[0] != "elsewhere"]
    for told in run(*of_window, quota, at_ms, alone):
        if told.allowed:
            assert told.remaining == max(0, quota - told.used)


def test_what_yesterday_weighed_comes_back_to_a_rolling_limit() -> None:
    at_ms = ms("2026-11-20T12:00:00")
    row = HomeUsage(HOME, "2026-11", 40, 40, 0, {19: 40}, 0, at_ms)
    snapshot = Snapshot(Partition((row,)), at_ms)
    plan = Plan("pro", (Limit("key", 100, "day", rolling=True),))
    remaining = []
    for hours in (0, 3, 6, 9):
        now_ms = snapshot.read_ms = at_ms + hours * 3_600_000
        decision = Limiter(HOME).decide(str(hours), now_ms, 1, {"key": snapshot}, plan)
        remaining.append(decision.limits[0].remaining)
    assert remaining == [100 - 20 - 1, 100 - 15 - 2, 100 - 10 - 3, 100 - 5 - 4]


def test_a_reset_and_a_top_up_give_back_what_they_are_for() -> None:
    at_ms = ms("2026-11-20T12:00:00")
    rows = (HomeUsage(HOME, "2026-11", 40, 40, 0, {20: 40}, 0, at_ms),)
    plan, limiter, snapshot = Plan("pro", (Limit("key", 100, "day"),)), Limiter(HOME), Snapshot(Partition(rows), at_ms)

    def remaining(id: str) -> int:
        return limiter.decide(id, at_ms, 1, {"key": snapshot}, plan).limits[0].remaining

    assert [remaining("a"), remaining("b")] == [59, 58]
    topped_up = UNADJUSTED.topped_up("day", TopUp("gift", 50), at_ms)
    snapshot.partition = Partition(rows, None, topped_up)
    assert remaining("c") == 107
    snapshot.partition = Partition(rows, None, topped_up.reset({"day#2026-11-20": {HOME: Baseline(40, at_ms)}}, at_ms))
    assert remaining("d") == 149


def test_an_estimate_is_not_told_as_used() -> None:
    """95 of 125 are counted, and the rate says that 28 more came since: the caller is let through, and told 29."""
    at_ms = ms("2026-11-20T12:00:00")
    row = HomeUsage(HOME, "2026-11", 95, 95, 0, {20: 95}, 40_000, at_ms - 1_000, 1_000)
    usage = Usage((row,), (Admission(at_ms - 500, 28),), share=1.0)
    (checked,) = decided(Plan("pro", (Limit("key", 125, "day"),)), usage, at_ms).limits
    assert (checked.used, checked.certain, checked.remaining) == (95 + 28 + 1, 96, 29)
