"""The decision: what must hold whatever was published, and what the estimate is worth in cases that matter."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.decide import Checked, Decision, Request, decide, seconds_until
from tallygate.core.estimate import leeway
from tallygate.core.names import Kind
from tallygate.core.periods import DAY_MS, SECOND_MS, window_bounds_ms
from tallygate.core.plans import Limit, Plan
from tallygate.core.tuning import TUNING
from tallygate.core.usage import Admission, HomeUsage, Usage

HOME = "us-east-1"
NOON = 1_795_176_000_000  # 2026-11-20T12:00:00Z
CALL = Request("request-1", HOME, 1, ("key",))
DAILY = Limit("key", 1000, "day")


def plan(*limits: Limit) -> Plan:
    return Plan("plan", limits)


def row(charged: int, *, rate: float = 0, at_ms: int = NOON, lag_ms: int = 5_000, home: str = HOME) -> HomeUsage:
    """A publication of November in which everything was charged on the 20th. `rate` is in units a second."""
    return HomeUsage(home, "2026-11", charged, charged, 0, {20: charged}, round(rate * 1000), at_ms, lag_ms)


def check(usage: Usage, limit: Limit = DAILY, now_ms: int = NOON, request: Request = CALL) -> Checked:
    return decide(request, {"key": usage}, plan(limit), now_ms).limits[0]


counts = st.integers(0, 2_000)
rows = st.builds(
    row,
    counts,
    rate=st.floats(0, 10_000),
    at_ms=st.integers(NOON - 2 * DAY_MS, NOON + SECOND_MS),
    lag_ms=st.integers(0, 100_000),
    home=st.sampled_from([HOME, "eu-west-1", "ap-southeast-2"]),
)
usages = st.builds(
    Usage,
    st.lists(rows, max_size=3, unique_by=lambda each: each.home).map(tuple),
    st.lists(st.builds(Admission, st.integers(NOON - DAY_MS, NOON), st.integers(1, 50)), max_size=5).map(tuple),
)
limits = st.builds(Limit, st.sampled_from(["ip", "ref"]), st.integers(0, 2_000), st.sampled_from(["day", "month"]))
requests = st.builds(Request, st.uuids().map(str), st.just(HOME), st.integers(0, 20), st.just(("ip", "ref")))


@given(usages, usages, st.lists(limits, max_size=4), requests)
def test_a_published_count_at_the_quota_refuses(ip: Usage, ref: Usage, some: list[Limit], request: Request) -> None:
    decision = decide(request, {"ip": ip, "ref": ref}, plan(*some), NOON)
    counted: dict[Kind, int] = {"ip": sum(r.charged for r in ip.homes), "ref": sum(r.charged for r in ref.homes)}
    if request.units and any(counted[limit.per] >= limit.quota for limit in some):
        assert decision.refusal == "quota"


@given(usages, usages, st.lists(limits, max_size=4), requests)
def test_every_limit_is_listed_in_the_order_of_the_plan(
    ip: Usage, ref: Usage, some: list[Limit], request: Request
) -> None:
    decision = decide(request, {"ip": ip, "ref": ref}, plan(*some), NOON)
    assert [checked.limit for checked in decision.limits] == some


@given(usages, usages, st.lists(limits, min_size=2, max_size=4), requests)
def test_the_order_of_limits_does_not_matter(ip: Usage, ref: Usage, some: list[Limit], request: Request) -> None:
    forward = decide(request, {"ip": ip, "ref": ref}, plan(*some), NOON)
    backward = decide(request, {"ip": ip, "ref": ref}, plan(*reversed(some)), NOON)
    assert backward == replace(forward, limits=forward.limits[::-1])


@given(usages, st.lists(limits, max_size=4), requests, st.integers(-DAY_MS, 40 * DAY_MS))
def test_nobody_is_told_to_wait_beyond_the_window(
    usage: Usage, some: list[Limit], request: Request, later_ms: int
) -> None:
    now_ms = NOON + later_ms
    decision = decide(request, {"ip": usage, "ref": usage}, plan(*some), now_ms)
    assert (decision.retry_after_seconds is None) == decision.allowed
    for checked in decision.limits:
        _, end_ms = window_bounds_ms(checked.limit.window, now_ms)
        assert checked.reset_ms == end_ms
        assert not checked.refuses or now_ms < checked.opens_ms <= end_ms
        if checked.refuses and decision.retry_after_seconds is not None:
            assert decision.retry_after_seconds >= seconds_until(checked.opens_ms, now_ms) >= 1


@given(usages, st.integers(0, 2_000), st.integers(0, 2_000))
def test_a_larger_quota_never_refuses_what_a_smaller_one_admits_by_count(usage: Usage, one: int, other: int) -> None:
    small, large = sorted((one, other))
    by_count = [check(usage, Limit("key", quota, "month")) for quota in (small, large)]
    at_end = [checked.refuses and checked.opens_ms == checked.reset_ms for checked in by_count]
    assert at_end[0] or not at_end[1]


@given(usages, st.lists(limits, max_size=3))
def test_a_free_call_is_never_refused(usage: Usage, some: list[Limit]) -> None:
    decision = decide(Request("r", HOME, 0, ("ip", "ref")), {"ip": usage, "ref": usage}, plan(*some), NOON)
    assert decision.allowed


@given(st.integers(0, 499), st.floats(0, 1e6), st.integers(0, 60_000), st.integers(0, 10**6))
def test_who_stays_below_half_of_a_quota_never_meets_an_estimate(
    charged: int, rate: float, lag_ms: int, silent_ms: int
) -> None:
    assert not check(Usage((row(charged, rate=rate, lag_ms=lag_ms, at_ms=NOON - silent_ms),))).refuses


def test_nothing_known_is_nothing_used() -> None:
    decision = decide(CALL, {}, plan(DAILY), NOON)
    assert decision == Decision((Checked(DAILY, 1, DAY_MS, NOON + DAY_MS // 2),))
    assert decision.limits[0].remaining == 999


def test_homes_add_up() -> None:
    usage = Usage((row(10), row(50, home="eu-west-1")))
    assert check(usage).used == 61
    assert check(usage, Limit("key", 60, "day")).refuses


def test_limits_of_others_are_not_checked() -> None:
    decision = decide(CALL, {"ip": Usage((row(10**6),))}, plan(Limit("ip", 1, "day"), DAILY), NOON)
    assert decision.allowed
    assert [checked.limit for checked in decision.limits] == [DAILY]


def test_a_spent_quota_opens_at_the_end_of_its_window() -> None:
    decision = decide(CALL, {"key": Usage((row(1000),))}, plan(DAILY), NOON)
    assert (decision.refusal, decision.retry_after_seconds) == ("quota", 12 * 3600)
    assert decision.limits[0].remaining == 0


def test_a_call_heavier_than_what_is_left_is_refused() -> None:
    assert check(Usage((row(995),)), request=replace(CALL, units=6)).refuses
    assert not check(Usage((row(995),)), request=replace(CALL, units=5)).refuses


def test_yesterday_and_last_month_are_not_counted() -> None:
    yesterday = HomeUsage(HOME, "2026-11", 1000, 1000, 0, {19: 1000}, 0, NOON - DAY_MS)
    october = HomeUsage(HOME, "2026-10", 1000, 1000, 0, {20: 1000}, 0, NOON - 30 * DAY_MS)
    assert check(Usage((yesterday, october))).used == 1
    assert check(Usage((yesterday, october)), Limit("key", 1000, "month")).refuses


def test_calls_on_their_way_are_estimated_from_the_rate() -> None:
    # 900 counted up to five seconds ago, 30 calls a second since: 150 more.
    assert check(Usage((row(900, rate=30, at_ms=NOON - 5_000),))).refuses
    assert check(Usage((row(900, rate=18, at_ms=NOON - 5_000),))).used == 900 + 90 + 1


def test_of_a_few_calls_chance_is_taken_off() -> None:
    # 20 calls since, less 3√20: 6.6
    assert check(Usage((row(950, rate=4, at_ms=NOON - 5_000),))).used == 950 + 6 + 1


def test_below_ninety_percent_the_rate_counts_only_as_far_as_this_container_sees_it() -> None:
    admitted = tuple(Admission(NOON - 100 * call, 1) for call in range(20))
    published = row(850, rate=60, at_ms=NOON - 5_000)
    assert check(Usage((published,), admitted)).used == 850 + 20 + 1  # it does not know what part it sees
    assert check(Usage((published,), admitted, share=0.25)).used == 850 + 80 + 1
    assert check(Usage((published,), admitted, share=0.05)).refuses  # no more than the rate's 300, but they are enough
    assert not check(Usage((published,), (), share=0.05)).refuses  # back from a pause


def test_what_this_container_admitted_may_make_ninety_percent() -> None:
    published = row(850, rate=60, at_ms=NOON - 9_000)
    admitted = tuple(Admission(NOON - 500 * call, 1) for call in range(50))  # 8 of them may be in the row
    assert check(Usage((published,), admitted[:4]), now_ms=NOON).used == 850 + 4 + 1
    assert check(Usage((published,), (*admitted[:4], Admission(NOON - 1_000, 46)))).refuses


def test_from_ninety_percent_on_a_burst_counts_as_soon_as_this_container_sees_it() -> None:
    admitted = tuple(Admission(NOON - 100 * call, 1) for call in range(8))
    published = row(920, rate=1, at_ms=NOON - 5_000)
    assert check(Usage((published,), admitted, share=0.25)).used == 920 + 32 + 1
    assert check(Usage((published,), admitted, share=0.05)).refuses


def test_an_estimate_refuses_for_seconds_only() -> None:
    usage = Usage((row(900, rate=30, at_ms=NOON - 5_000),))
    decision = decide(CALL, {"key": usage}, plan(DAILY), NOON)
    assert decision.retry_after_seconds == 10  # three delays of five seconds, five of them over


def test_a_rate_is_not_carried_over_from_the_window_before() -> None:
    midnight = NOON + DAY_MS // 2
    usage = Usage((replace(row(900, rate=1_000, at_ms=midnight - 4_000), days={20: 900, 21: 900}),))
    assert check(usage, now_ms=midnight + 99).used == 900 + 99 + 1  # from the first ms of the day, not 4,099


@pytest.mark.parametrize("burst", [1, 2, 3])
def test_a_few_calls_at_once_are_no_rate(burst: int) -> None:
    # In one second, counted after five: if it had gone on like that, the quota of ten would be spent.
    usage = Usage((row(5, rate=burst, at_ms=NOON - 5_000),))
    assert not check(usage, Limit("key", 10, "day")).refuses


def test_what_this_container_admitted_since_is_added() -> None:
    admitted = tuple(Admission(NOON - back_ms, 1) for back_ms in (1, 2, 3_999, 4_000, 9_000))
    usage = Usage((row(100, at_ms=NOON - 4_000, lag_ms=3_000),), admitted)
    assert check(usage).used == 100 + 3 + 1


def test_the_larger_of_estimate_and_admissions_counts_and_not_both() -> None:
    admitted = (Admission(NOON - 1, 20),)
    usage = Usage((row(900, rate=10, at_ms=NOON - 5_000),), admitted)
    assert check(usage).used == 900 + 50 + 1
    usage = Usage((row(900, rate=10, at_ms=NOON - 5_000),), (Admission(NOON - 1, 80),))
    assert check(usage).used == 900 + 80 + 1


def test_a_doubt_about_the_last_call_ends_with_the_horizon() -> None:
    # The ninth of ten calls came just after `at`; it is in the count, but nobody can know.
    usage = Usage((row(9, at_ms=NOON - 1_000, lag_ms=2_000),), (Admission(NOON - 900, 1),))
    limit = Limit("key", 10, "day")
    assert check(usage, limit).refuses
    assert not check(usage, limit, now_ms=NOON + 5_001).refuses


def test_admissions_of_the_window_before_are_not_counted() -> None:
    midnight = NOON + DAY_MS // 2
    usage = Usage((), (Admission(midnight - 1, 5), Admission(midnight, 7)))
    assert check(usage, now_ms=midnight + 1_000).used == 7 + 1


def admitted_share(usage: Usage, now_ms: int) -> float:
    calls = [replace(CALL, id=f"request-{number}") for number in range(1000)]
    return sum(not check(usage, request=call, now_ms=now_ms).refuses for call in calls) / 1000


def test_beyond_the_horizon_a_hammering_caller_is_let_in_a_little() -> None:
    # 50 a second for a delay of ten seconds are 500; of the 100 left, half may be used in that time.
    usage = Usage((row(900, rate=50, at_ms=NOON - 30_001, lag_ms=10_000),))
    assert admitted_share(usage, NOON) == pytest.approx(50 / 500, abs=0.03)


def test_what_a_caller_did_an_hour_ago_does_not_hold_them_off() -> None:
    usage = Usage((row(990, rate=500, at_ms=NOON - 3_600_000, lag_ms=10_000),))
    assert admitted_share(usage, NOON) == 1


def test_the_same_call_is_always_decided_the_same_way() -> None:
    usage = Usage((row(900, rate=50, at_ms=NOON - 30_001, lag_ms=10_000),))
    assert {check(usage).refuses for _ in range(10)} == {check(usage).refuses}


def test_seconds_are_rounded_up() -> None:
    assert [seconds_until(at_ms, 10_000) for at_ms in (9_000, 10_000, 10_001, 11_000, 11_001)] == [0, 0, 1, 1, 2]


@given(usages, limits, st.integers(1, 20))
def test_a_share_of_none_or_of_all_calls_is_what_each_of_them_meets(usage: Usage, limit: Limit, units: int) -> None:
    share = leeway(limit, usage, HOME, units, NOON, TUNING).share(units)
    exceeded = {
        decide(Request(f"request-{number}", HOME, units, (limit.per,)), {limit.per: usage}, plan(limit), NOON)
        .limits[0]
        .exceeded
        for number in range(9)
    }
    if share in (0, 1):
        assert exceeded == {share == 0}
