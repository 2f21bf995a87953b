"""Who is told anew when limits change, and that nobody is forgotten."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.adjustments import Adjustments, Baseline
from tallygate.core.gate import Partition
from tallygate.core.marks import mark_index
from tallygate.core.plans import Limit, Plan
from tallygate.core.publish import Publication, usage_of
from tallygate.core.republish import Caller, Group, KeyMove, assess, groups_of, months_of, periods_of
from tallygate.core.standing import marked_caps, standing_limits
from tallygate.core.tally import TallyItem
from tallygate.core.usage import HomeUsage, Usage

NOW = 1_795_176_000_000  # 2026-11-20T12:00:00Z
FLUSHED = NOW - 3_000
HERE, THERE = "us-east-1", "eu-west-1"
NOVEMBER, HOUR = "month#2026-11", "hour#2026-11-20T12"


def on_day(quota: int, **more: bool) -> Plan:
    return Plan("pro", (Limit("key", quota, "day", **more),))


def item(charged: int, day: int = 20) -> TallyItem:
    return TallyItem(charged + 5, charged, 2, {day: charged}, last_flush_ms=FLUSHED)


def published(charged: int, home: str = HERE, rate_milli: int = 0) -> HomeUsage:
    return HomeUsage(home, "2026-11", charged + 5, charged, 2, {20: charged}, rate_milli, NOW - 60_000, 2_000)


def caller(counts: Mapping[str, Mapping[str, TallyItem]], *rows: HomeUsage, **partition: Adjustments) -> Caller:
    return Caller("key", "k", Partition(rows, **partition), counts)


LOWERED = Group("key", on_day(100_000), on_day(1_000), ("k",))


def test_whoever_used_more_than_a_lowered_quota_and_was_never_published_is_told_and_is_over() -> None:
    assessed = assess(caller({HERE: {NOVEMBER: item(4_000)}}), LOWERED, "marks", NOW)
    assert (assessed.is_touched, assessed.was_over, assessed.is_over) == (True, False, True)
    end_of_december = 1_798_761_600
    assert assessed.due == (
        Publication("key#k", NOVEMBER, HERE, item(4_000), 0, FLUSHED, 0, end_of_december),
    )  # fmt: skip


def test_a_row_keeps_the_rate_and_the_delay_that_it_was_published_with() -> None:
    (due,) = assess(
        caller({HERE: {NOVEMBER: item(9_000)}}, published(5_000, rate_milli=700)), LOWERED, "marks", NOW
    ).due
    assert (due.rate_milli, due.lag_ms, due.at_ms) == (700, 2_000, FLUSHED - 2_000)


def test_whoever_is_within_the_same_mark_costs_no_write() -> None:
    assessed = assess(caller({HERE: {NOVEMBER: item(549)}}, published(500)), LOWERED, "marks", NOW)
    assert (assessed.due, assessed.is_over) == ((), False)
    assert assess(caller({HERE: {NOVEMBER: item(549)}}, published(500)), LOWERED, "every", NOW).due


def test_of_two_homes_each_is_told_by_its_own_count_and_they_are_over_together() -> None:
    counts = {HERE: {NOVEMBER: item(600)}, THERE: {NOVEMBER: item(500)}}
    assessed = assess(caller(counts, published(600)), LOWERED, "marks", NOW)
    assert [(due.home, due.item.charged) for due in assessed.due] == [(THERE, 500)]
    assert assessed.is_over


def test_a_raised_quota_readmits_and_needs_no_write() -> None:
    raised = Group("key", on_day(1_000), on_day(2_000), ("k",))
    assert not raised.is_tightened
    assessed = assess(caller({HERE: {NOVEMBER: item(1_000)}}, published(1_000)), raised, "marks", NOW)
    assert (assessed.was_over, assessed.is_over, assessed.due) == (True, False, ())


def test_what_was_forgiven_and_added_is_not_used() -> None:
    adjusted = Adjustments({"day#2026-11-20": {HERE: Baseline(900, NOW - 9_000)}}, {"day#2026-11-20": {"gift": 50}})
    for charged, over in ((1_949, False), (1_950, True)):
        assessed = assess(caller({HERE: {NOVEMBER: item(charged)}}, adjustments=adjusted), LOWERED, "marks", NOW)
        assert assessed.is_over == over


def test_a_limit_that_rolls_is_told_of_the_day_before_as_well() -> None:
    rolling = Group("key", on_day(1_000), on_day(1_000, rolling=True), ("k",))
    assert rolling.is_tightened
    counted = TallyItem(900, 900, 0, {19: 900}, last_flush_ms=FLUSHED)
    assert assess(caller({HERE: {NOVEMBER: counted}}), rolling, "marks", NOW).due
    first = 1_793_491_200_000 + 3_600_000  # 2026-11-01T01:00:00Z
    assert periods_of(rolling, first) == [NOVEMBER, "month#2026-10"]
    assert months_of(rolling, first) == ["2026-11", "2026-10"]
    october = TallyItem(900, 900, 0, {31: 900}, last_flush_ms=FLUSHED)
    (due,) = assess(caller({HERE: {"month#2026-10": october}}), rolling, "marks", first).due
    assert (due.period, due.expires_seconds) == ("month#2026-10", 1_796_083_200)  # the end of November


def test_hours_have_rows_of_their_own() -> None:
    hourly = Group("key", on_day(1_000), Plan("pro", (Limit("key", 100, "hour"),)), ("k",))
    counts = {HERE: {NOVEMBER: item(990), HOUR: TallyItem(40, 40, last_flush_ms=FLUSHED)}}
    (due,) = assess(caller(counts, published(990)), hourly, "marks", NOW).due
    assert (due.period, due.item.charged, due.expires_seconds) == (HOUR, 40, NOW // 1000 + 7_200)


def test_a_plan_in_shadow_and_a_soft_limit_have_nobody_over() -> None:
    for after in (replace(on_day(10), shadow=True), on_day(10, soft=True)):
        assessed = assess(caller({HERE: {NOVEMBER: item(99)}}), Group("key", None, after), "marks", NOW)
        assert not assessed.is_over
        assert assessed.due


def test_groups_are_those_whose_limits_change() -> None:
    anonymous = Plan("anonymous", (Limit("ip", 200, "day"), Limit("ref", 2_000, "day")), anonymous=True)
    visitors = replace(anonymous, name="visitors", limits=(Limit("ip", 100, "day"), Limit("ref", 2_000, "day")))
    old, pro = Plan("old", (Limit("key", 5, "day"),)), on_day(1_000)
    moves = {"a": KeyMove("old", "pro"), "b": KeyMove("pro", "pro"), "c": KeyMove("old", "old")}
    groups = groups_of([anonymous, old, pro], [visitors, replace(pro, burst=5)], moves)
    assert groups == [
        Group("ip", anonymous, visitors),
        Group("key", old, replace(pro, burst=5), ("a",)),
    ]
    assert [group.is_tightened for group in groups] == [True, False]


limits = st.builds(
    Limit,
    st.just("key"),
    st.integers(1, 2_000),
    st.sampled_from(["hour", "day", "month"]),
    st.booleans(),
    st.booleans(),
)
plans = st.lists(limits, max_size=3, unique_by=lambda limit: limit.policy).map(lambda some: Plan("pro", tuple(some)))
days = st.dictionaries(st.sampled_from([19, 20]), st.integers(1, 1_500))
months = days.map(lambda used: TallyItem(sum(used.values()), sum(used.values()), 0, used, last_flush_ms=FLUSHED))
hours = st.integers(0, 500).map(lambda used: TallyItem(used, used, last_flush_ms=FLUSHED))
of_home = st.fixed_dictionaries({}, optional={NOVEMBER: months, HOUR: hours, "hour#2026-11-20T11": hours})
counts = st.fixed_dictionaries({HERE: of_home}, optional={THERE: of_home})


@given(counts, plans, plans, st.floats(0, 1))
def test_after_it_every_region_knows_each_count_to_a_mark(
    counted: Mapping[str, Mapping[str, TallyItem]], before: Plan, after: Plan, told: float
) -> None:
    group = Group("key", before, after, ("k",))
    relevant = {
        home: {p: i for p, i in items.items() if p in periods_of(group, NOW)} for home, items in counted.items()
    }
    rows = [
        usage_of(Publication("key#k", period, home, _part(item, told), 0, FLUSHED, 0, 0))
        for home, items in relevant.items()
        for period, item in items.items()
    ]
    assessed = assess(caller(relevant, *rows), group, "marks", NOW)
    anew = {(due.home, due.period): usage_of(due) for due in assessed.due}
    known = [anew.pop((row.home, f"hour#{row.hour}" if row.hour else f"month#{row.month}"), row) for row in rows]
    assert anew == {}
    caps = {home: marked_caps(standing_limits(after, {"key": Usage(tuple(rows))}, NOW), home) for home in relevant}
    for limit in after.limits:
        for row in known:
            item = relevant[row.home][f"hour#{row.hour}" if row.hour else f"month#{row.month}"]
            if not row.is_of(limit.window, NOW):
                continue
            exact = item.days.get(20, 0) if limit.window == "day" else item.charged
            cap = caps[row.home]["key"][limit.policy]
            marks = [mark_index(units, cap, len(relevant)) for units in (row.charged_in(limit.window, NOW), exact)]
            assert marks[0] == marks[1]


@given(st.sampled_from([1, 2, 3]), plans, plans, st.data())
def test_whoever_is_below_what_is_looked_for_needs_nothing(homes: int, before: Plan, after: Plan, data: Any) -> None:
    group = Group("key", before, after, ("k",))
    below = st.integers(0, group.least(homes, "marks") - 1)
    counted = {}
    for home in (HERE, THERE, "ap-southeast-2")[:homes]:
        days = {19: data.draw(below), 20: 0}
        days[20] = data.draw(st.integers(0, group.least(homes, "marks") - 1 - days[19]))
        month = TallyItem(sum(days.values()), sum(days.values()), 0, days, last_flush_ms=FLUSHED)
        counted[home] = {NOVEMBER: month}
        for hour in (HOUR, "hour#2026-11-20T11"):
            used = data.draw(below)
            counted[home][hour] = TallyItem(used, used, last_flush_ms=FLUSHED)
    assert assess(caller(counted), group, "marks", NOW).due == ()


def _part(item: TallyItem, share: float) -> TallyItem:
    days = {day: int(units * share) for day, units in item.days.items()}
    charged = sum(days.values()) if item.days else int(item.charged * share)
    return replace(item, units=charged, charged=charged, days=days)


def test_owners_are_told_of_once_whoever_of_their_keys_is_on_the_plan() -> None:
    old, new = (Plan("pro", (Limit("key", 1_000, "day"), Limit("owner", quota, "day"))) for quota in (5_000, 500))
    moves = {id: KeyMove("pro", "pro", owner=owner) for id, owner in (("a", "acme"), ("b", "acme"), ("c", "other"))}
    assert groups_of([old], [new], moves) == [Group("owner", old, new, ("acme", "other"))]
