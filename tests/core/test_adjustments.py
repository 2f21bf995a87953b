"""Resets and top-ups: what was counted stays, what may still be used changes, and nobody is worse off for it."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.adjustments import (
    MAX_TOP_UPS,
    Adjustments,
    Allowance,
    Baseline,
    IdTakenError,
    TooManyTopUpsError,
    TopUp,
    is_top_up_id,
)
from tallygate.core.decide import Decision, Request, decide
from tallygate.core.headers import rate_limit_headers
from tallygate.core.marks import crosses
from tallygate.core.periods import DAY_MS, HOUR_MS, day_of, hour_of, period_of
from tallygate.core.plans import COUNTED_WINDOWS, Limit, Plan, Window
from tallygate.core.standing import marked_caps, standing_limits
from tallygate.core.usage import Admission, HomeUsage, Usage

HERE, AWAY = "us-east-1", "eu-west-1"
NOON = 1_795_176_000_000  # 2026-11-20T12:00:00Z
CALL = Request("request-1", HERE, 1, ("key",))


def row(charged: int, home: str = HERE, *, at_ms: int = NOON, rate: float = 0) -> HomeUsage:
    """A publication of November in which everything was charged on the 20th."""
    return HomeUsage(home, "2026-11", charged, charged, 0, {20: charged}, round(rate * 1000), at_ms, 5_000)


def judged(
    adjustments: Adjustments,
    quota: int,
    *rows: HomeUsage,
    window: Window = "day",
    admitted: tuple[Admission, ...] = (),
    request: Request = CALL,
    now_ms: int = NOON,
) -> Decision:
    if window == "hour":
        rows = tuple(replace(each, month="", days={}, hour=hour_of(NOON)) for each in rows)
    usage = Usage(rows, admitted, adjustments)
    return decide(request, {"key": usage}, Plan("plan", (Limit("key", quota, window),)), now_ms)


def counted(here: int, away: int = 0, at_ms: int = NOON) -> dict[str, Baseline]:
    return {HERE: Baseline(here, at_ms), AWAY: Baseline(away, at_ms)}


quotas = st.integers(1, 2_000)
counts = st.integers(0, 5_000)
windows = st.sampled_from(COUNTED_WINDOWS)
times = st.integers(NOON - DAY_MS, NOON)
admissions = st.lists(st.builds(Admission, times, st.integers(1, 200)), max_size=5).map(tuple)
adjustments = st.builds(
    lambda here, away, at_ms, units, window: (
        Adjustments()
        .reset({period_of(window, NOON): {HERE: Baseline(here, at_ms), AWAY: Baseline(away, at_ms)}}, NOON)
        .topped_up(window, TopUp("a", units), NOON)
    ),
    counts,
    counts,
    times,
    st.integers(1, 2_000),
    windows,
)
rows = st.tuples(
    st.builds(row, counts, at_ms=times, rate=st.floats(0, 10_000)),
    st.builds(row, counts, st.just(AWAY), at_ms=times, rate=st.floats(0, 10_000)),
)
requests = st.builds(Request, st.uuids().map(str), st.just(HERE), st.integers(0, 20), st.just(("key",)))


@given(quotas, counts, counts, st.integers(0, 100), windows, admissions, st.floats(0, 10_000))
def test_a_spent_quota_begins_again_with_a_reset(
    quota: int, here: int, away: int, behind: int, window: Window, admitted: tuple[Admission, ...], rate: float
) -> None:
    """What was published is behind what the reset knows, and this container remembers calls that are in it."""
    published = (row(max(0, here - behind), rate=rate), row(max(0, away - behind), AWAY, rate=rate))
    adjusted = Adjustments().reset({period_of(window, NOON): counted(here, away)}, NOON)
    decision = judged(adjusted, quota, *published, window=window, admitted=admitted)
    assert decision.allowed
    assert [(each.limit.quota, each.used) for each in decision.limits] == [(quota, 1)]


@given(adjustments, quotas, rows, admissions, windows, requests)
def test_nothing_is_refused_for_an_adjustment(
    adjusted: Adjustments,
    quota: int,
    published: tuple[HomeUsage, ...],
    admitted: tuple[Admission, ...],
    window: Window,
    request: Request,
) -> None:
    before, after = (
        judged(each, quota, *published, window=window, admitted=admitted, request=request)
        for each in (Adjustments(), adjusted)
    )
    assert after.allowed or not before.allowed
    assert after.limits[0].remaining >= before.limits[0].remaining


@given(adjustments, quotas, st.integers(0, 3_000), windows, requests, st.integers(0, 100))
def test_a_published_count_at_the_effective_limit_refuses(
    adjusted: Adjustments, quota: int, since_here: int, window: Window, request: Request, beyond: int
) -> None:
    allowance = adjusted.allowance(window, NOON)
    since_away = max(0, quota + allowance.extra - since_here) + beyond
    at_limit = (
        row(allowance.base(HERE).units + since_here),
        row(allowance.base(AWAY).units + since_away, AWAY),
    )
    decision = judged(adjusted, quota, *at_limit, window=window, request=replace(request, units=request.units + 1))
    assert decision.refusal == "quota"
    assert decision.limits[0].opens_ms == decision.limits[0].reset_ms


@given(counts, counts, st.integers(0, 50), st.integers(0, 50))
def test_calls_on_their_way_at_the_reset_use_up_the_new_allowance_and_no_other(
    here: int, away: int, late_here: int, late_away: int
) -> None:
    adjusted = Adjustments().reset({"day#2026-11-20": counted(here, away)}, NOON)
    decision = judged(adjusted, 200, row(here + late_here), row(away + late_away, AWAY))
    assert decision.limits[0].used == late_here + late_away + 1


def test_a_home_that_published_less_than_its_baseline_does_not_hide_what_another_counted() -> None:
    adjusted = Adjustments().reset({"day#2026-11-20": counted(153, 40)}, NOON)
    assert judged(adjusted, 200, row(150), row(47, AWAY)).limits[0].used == 7 + 1


def test_what_was_admitted_after_the_reset_is_not_forgotten() -> None:
    adjusted = Adjustments().reset({"day#2026-11-20": counted(200, at_ms=NOON - 2_000)}, NOON)
    admitted = tuple(Admission(NOON - back_ms, 1) for back_ms in (3_000, 2_001, 2_000, 1))
    assert judged(adjusted, 200, row(200, at_ms=NOON - 4_000), admitted=admitted).limits[0].used == 2 + 1


def test_a_rate_from_before_the_reset_is_extrapolated_from_the_reset_on() -> None:
    adjusted = Adjustments().reset({"day#2026-11-20": {HERE: Baseline(1_000, NOON - 1_000)}}, NOON)
    spent_again = row(1_900, at_ms=NOON - 5_000, rate=80)
    assert judged(adjusted, 1_000, spent_again).limits[0].used == 900 + 80 + 1  # from the reset on: not 400


def test_a_top_up_is_in_every_header() -> None:
    adjusted = Adjustments().reset({"day#2026-11-20": counted(200)}, NOON).topped_up("day", TopUp("a", 50), NOON)
    headers = rate_limit_headers(judged(adjusted, 200, row(209)), NOON)
    assert headers["RateLimit-Policy"] == '"key-day";q=250;w=86400'
    assert headers["RateLimit"] == '"key-day";r=240;t=43200'
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("250", "240")


def test_a_reset_of_the_day_leaves_the_month_as_it_is() -> None:
    adjusted = Adjustments().reset({"day#2026-11-20": counted(200)}, NOON)
    assert judged(adjusted, 200, row(200), window="day").allowed
    assert not judged(adjusted, 200, row(200), window="month").allowed


@pytest.mark.parametrize(("window", "later_ms"), [("hour", HOUR_MS), ("day", DAY_MS), ("month", 31 * DAY_MS)])
def test_an_adjustment_ends_with_its_period(window: Window, later_ms: int) -> None:
    adjusted = (
        Adjustments().reset({period_of(window, NOON): counted(200)}, NOON).topped_up(window, TopUp("a", 50), NOON)
    )
    assert adjusted.allowance(window, NOON) == Allowance({HERE: Baseline(200, NOON)}, 50)
    assert adjusted.allowance(window, NOON + later_ms) == Allowance()


@given(st.lists(st.tuples(counts, counts, times), min_size=1, max_size=4), st.randoms())
def test_resets_at_the_same_time_come_to_the_one_that_forgives_most(
    resets: list[tuple[int, int, int]], random: Random
) -> None:
    def after(order: list[tuple[int, int, int]]) -> Adjustments:
        adjusted = Adjustments()
        for here, away, at_ms in order:
            adjusted = adjusted.reset({"day#2026-11-20": counted(here, away, at_ms)}, NOON)
        return adjusted

    shuffled = resets.copy()
    random.shuffle(shuffled)
    assert after(shuffled) == after(resets) == after([*resets, *resets])
    allowance = after(resets).allowance("day", NOON)
    assert (allowance.base(HERE).units, allowance.base(AWAY).units) == (
        max(here for here, _, _ in resets),
        max(away for _, away, _ in resets),
    )


ids = st.sampled_from(["a", "b", "c", "order-1138"])


@given(st.lists(ids, max_size=8), windows)
def test_a_top_up_counts_once_however_often_it_is_asked_for(asked: list[str], window: Window) -> None:
    worth = {"a": 1, "b": 20, "c": 300, "order-1138": 4_000}
    adjusted = Adjustments()
    for id in asked:
        adjusted = adjusted.topped_up(window, TopUp(id, worth[id]), NOON)
    assert adjusted.allowance(window, NOON).extra == sum(worth[id] for id in set(asked))


def test_a_top_up_asked_for_again_after_midnight_is_the_same() -> None:
    late = day_of(NOON).start_ms + DAY_MS - 1
    adjusted = Adjustments().topped_up("day", TopUp("a", 50), late)
    assert adjusted.topped_up("day", TopUp("a", 50), late + DAY_MS) is adjusted
    following = adjusted.topped_up("day", TopUp("a", 50), late + DAY_MS + 1)
    assert following.extras == {"day#2026-11-22": {"a": 50}}


@pytest.mark.parametrize("other", [("day", 51), ("month", 50)])
def test_an_id_names_one_top_up(other: tuple[Window, int]) -> None:
    adjusted = Adjustments().topped_up("day", TopUp("a", 50), NOON)
    with pytest.raises(IdTakenError, match="a is a top-up of 50 in day#2026-11-20"):
        adjusted.topped_up(other[0], TopUp("a", other[1]), NOON)


def test_there_are_not_more_top_ups_than_a_call_can_read() -> None:
    adjusted = Adjustments()
    for number in range(MAX_TOP_UPS):
        adjusted = adjusted.topped_up("month", TopUp(f"top-up-{number}", 1), NOON)
    with pytest.raises(TooManyTopUpsError, match="month#2026-11"):
        adjusted.topped_up("month", TopUp("one-more", 1), NOON)
    assert adjusted.topped_up("month", TopUp("top-up-0", 1), NOON) is adjusted
    assert adjusted.topped_up("day", TopUp("one-more", 1), NOON).allowance("day", NOON).extra == 1


def test_what_is_over_is_dropped_with_the_next_change() -> None:
    adjusted = Adjustments().reset({"day#2026-11-20": counted(7), "month#2026-11": counted(9)}, NOON)
    adjusted = adjusted.topped_up("month", TopUp("a", 50), NOON)
    tomorrow = adjusted.reset({"day#2026-11-21": counted(3)}, NOON + DAY_MS)
    assert set(tomorrow.bases) == {"day#2026-11-20", "day#2026-11-21", "month#2026-11"}
    later = tomorrow.topped_up("day", TopUp("b", 5), NOON + 2 * DAY_MS)
    assert set(later.bases) == {"day#2026-11-21", "month#2026-11"}
    assert set(later.extras) == {"day#2026-11-22", "month#2026-11"}
    december = later.reset({}, NOON + 40 * DAY_MS)  # in which a rolling limit may still count November
    assert (set(december.bases), set(december.extras)) == ({"month#2026-11"}, {"month#2026-11"})
    assert later.reset({}, NOON + 80 * DAY_MS) == Adjustments()


@pytest.mark.parametrize(
    ("id", "good"),
    [("order-1138", True), ("2026-11:a_b.c", True), ("", False), ("-a", False), ("a b", False), ("a" * 41, False)],
)
def test_an_id_is_short_and_plain(id: str, good: bool) -> None:
    assert is_top_up_id(id) is good


def test_limits_of_a_call_have_top_ups_in_them_and_marks_the_baseline_of_their_home() -> None:
    plan = Plan("plan", (Limit("ip", 200, "day"), Limit("ref", 2_000, "day"), Limit("key", 5, "day")), anonymous=True)
    adjusted = Adjustments().reset({"day#2026-11-20": counted(150, 40)}, NOON).topped_up("day", TopUp("a", 50), NOON)
    standing = standing_limits(plan, {"ip": Usage(adjustments=adjusted), "ref": Usage()}, NOON)
    assert standing == ({"ip": {"day": 250}, "ref": {"day": 2_000}}, {"ip": {"day": {HERE: 150, AWAY: 40}}}, {})
    assert marked_caps(standing, HERE) == {"ip": {"day": 400}, "ref": {"day": 2_000}}
    assert marked_caps(standing, AWAY) == {"ip": {"day": 290}, "ref": {"day": 2_000}}
    assert marked_caps(standing, "ap-southeast-2") == standing.caps


def test_a_rolling_limit_knows_the_adjustments_of_the_window_before() -> None:
    """Half of the 20th has passed. The reset forgave 30 of yesterday's 61, and 11 of the rest were topped up."""
    plan = Plan("plan", (Limit("key", 100, "day", rolling=True), Limit("key", 80, "day", soft=True)))
    published = HomeUsage(HERE, "2026-11", 71, 71, 0, {19: 61, 20: 10})
    yesterday = NOON - DAY_MS
    adjusted = (
        Adjustments().reset({"day#2026-11-19": counted(30)}, yesterday).topped_up("day", TopUp("a", 11), yesterday)
    )
    standing = standing_limits(plan, {"key": Usage((published,), adjustments=adjusted)}, NOON)
    assert standing.caps == {"key": {"day": 100, "day-soft": 80}}
    assert standing.bases == {}
    past = Allowance({HERE: Baseline(30, NOON), AWAY: Baseline(0, NOON)}, 11)
    assert standing.before["key"]["day"].weighs == 10
    assert standing.before["key"]["day"].allowance.extra == past.extra
    assert standing.before["key"]["day"].allowance.base(HERE) == past.base(HERE)
    assert list(standing.before["key"]) == ["day"]
    assert marked_caps(standing, HERE) == {"key": {"day": 90, "day-soft": 80}}


steps = st.lists(st.integers(1, 300), min_size=1, max_size=40)


@given(quotas, counts, st.integers(0, 200), steps)
def test_one_home_tells_of_the_limit_when_it_is_reached_and_is_a_mark_behind_before_that(
    limit: int, base: int, behind: int, flushed: list[int]
) -> None:
    """What the consumer publishes by the caps of a line, seen from the baseline."""
    allowance, cap = Allowance({HERE: Baseline(base)}), limit + base
    count, published = base, max(0, base - behind)
    for units in flushed:
        before, count = count, count + units
        if crosses(before, count, cap):
            published = count
        unseen = (count - base) - allowance.used(HERE, published)
        if count >= cap:
            assert allowance.used(HERE, published) >= limit
        else:
            step = 1 if count * 100 >= cap * 90 else 5
            assert unseen * 100 <= cap * step + 100


@given(quotas, st.lists(counts, min_size=2, max_size=5), st.lists(st.tuples(st.integers(0, 4), st.integers(1, 300))))
def test_several_homes_are_each_a_mark_behind_by_their_own_baseline(
    limit: int, bases: list[int], flushed: list[tuple[int, int]]
) -> None:
    homes = len(bases)
    now, published = bases.copy(), [0] * homes
    for home, units in flushed:
        home %= homes
        cap, before = limit + bases[home], now[home]
        now[home] += units
        if crosses(before, now[home], cap, homes):
            published[home] = now[home]
        unseen = (now[home] - bases[home]) - max(0, published[home] - bases[home])
        coarse = 5 * limit * 2 * homes / (2 * homes - 1)  # below half of its share: the baseline is small then
        if now[home] < cap:
            assert unseen * 100 <= max(coarse, cap / homes) + 100
