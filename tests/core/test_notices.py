"""Which levels of which limits are told, and what a notice says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.adjustments import Adjustments, Baseline
from tallygate.core.gate import Partition
from tallygate.core.marks import crosses, mark_index
from tallygate.core.notices import LEVELS, Change, Known, Notice, Subject, changed_days, kinds_watched, notices_of
from tallygate.core.periods import DAY_MS, HOUR_MS, start_ms_of
from tallygate.core.plans import Limit, Plan
from tallygate.core.usage import HomeUsage

NOON_MS = start_ms_of("day#2026-11-20") + 12 * HOUR_MS
SUBJECT = Subject("key", "0123456789abcdef", "acme")
PLAN = Plan("starter", (Limit("key", 1000, "day"), Limit("key", 5000, "month")), notify_at=(80, 100))


def row(charged: int, day: int = 20, home: str = "us-east-1", at_ms: int = NOON_MS, **more: object) -> HomeUsage:
    """The month of a home that counted so much, all of it on one day."""
    return replace(HomeUsage(home, "2026-11", charged=charged, days={day: charged}, at_ms=at_ms), **more)  # type: ignore[arg-type]


def hour(charged: int, name: str = "2026-11-20T12", home: str = "us-east-1", at_ms: int = NOON_MS) -> HomeUsage:
    return HomeUsage(home, "", charged=charged, at_ms=at_ms, hour=name)


def told(
    change: HomeUsage,
    *others: HomeUsage,
    plans: tuple[Plan, ...] = (PLAN,),
    days: set[int] | None = None,
    adjustments: Adjustments | None = None,
    subject: Subject = SUBJECT,
) -> list[tuple[str, str, int]]:
    """Limit, period and level of each notice that a change calls for."""
    return [(each.limit.name, each.period, each.level) for each in found(change, *others, plans=plans, days=days,
            adjustments=adjustments, subject=subject)]  # fmt: skip


def found(
    change: HomeUsage,
    *others: HomeUsage,
    plans: tuple[Plan, ...] = (PLAN,),
    days: set[int] | None = None,
    adjustments: Adjustments | None = None,
    subject: Subject = SUBJECT,
) -> list[Notice]:
    known = Known(subject, plans, Partition(others, None, adjustments or Adjustments()))
    changed = frozenset(change.days) if days is None else frozenset(days)
    return list(notices_of([Change(subject.kind, subject.value, change, changed)], known))


def test_a_level_is_told_when_the_count_reaches_it_and_no_earlier() -> None:
    assert told(row(799)) == []
    assert told(row(800)) == [("key-day", "day#2026-11-20", 80)]


def test_levels_that_are_crossed_at_once_are_each_told() -> None:
    assert told(row(1001)) == [("key-day", "day#2026-11-20", 80), ("key-day", "day#2026-11-20", 100)]


def test_what_homes_published_is_added_up() -> None:
    assert told(row(500), row(299, home="eu-west-1")) == []
    assert told(row(500), row(300, home="eu-west-1")) == [("key-day", "day#2026-11-20", 80)]


def test_what_the_change_says_stands_in_for_the_row_that_it_wrote() -> None:
    assert told(row(800), row(1000)) == [("key-day", "day#2026-11-20", 80)], "the later row has a change of its own"
    assert told(row(800), row(300)) == [("key-day", "day#2026-11-20", 80)]


def test_a_late_batch_tells_of_the_day_that_it_counts_for() -> None:
    late = HomeUsage("us-east-1", "2026-11", charged=900, days={19: 850, 20: 50}, at_ms=NOON_MS)
    assert told(late, days={19}) == [("key-day", "day#2026-11-19", 80)]
    assert told(late, days={20}) == []


def test_days_that_did_not_change_are_not_looked_at_again() -> None:
    before = HomeUsage("us-east-1", "2026-11", days={19: 850, 20: 50})
    after = replace(before, days={19: 850, 20: 60, 21: 1})
    assert changed_days(before, after) == {20, 21}
    assert changed_days(None, after) == {19, 20, 21}
    assert changed_days(after, before) == set()


def test_a_month_is_told_beside_its_day() -> None:
    month = HomeUsage("us-east-1", "2026-11", charged=4000, days={19: 3990, 20: 10}, at_ms=NOON_MS)
    assert told(month, days={20}) == [("key-month", "month#2026-11", 80)]


def test_an_hour_is_told_by_its_own_row_and_by_no_other() -> None:
    plan = Plan("hourly", (Limit("key", 100, "hour"), Limit("key", 100, "day")), notify_at=(80,))
    assert told(hour(80), plans=(plan,)) == [("key-hour", "hour#2026-11-20T12", 80)]
    assert told(row(80), plans=(plan,)) == [("key-day", "day#2026-11-20", 80)]


def test_a_period_that_is_over_is_still_told_of() -> None:
    plan = Plan("hourly", (Limit("key", 100, "hour"),), notify_at=(80,))
    assert told(hour(80, "2026-11-18T03"), plans=(plan,)) == [("key-hour", "hour#2026-11-18T03", 80)]
    october = HomeUsage("us-east-1", "2026-10", charged=4000, days={31: 4000}, at_ms=NOON_MS)
    assert told(october) == [
        ("key-day", "day#2026-10-31", 80), ("key-day", "day#2026-10-31", 100), ("key-month", "month#2026-10", 80),
    ]  # fmt: skip


def test_a_rolling_limit_counts_what_the_day_before_weighs_at_the_time_of_the_count() -> None:
    plan = Plan("rolling", (Limit("key", 1000, "day", rolling=True),), notify_at=(80,))
    both = HomeUsage("us-east-1", "2026-11", charged=1000, days={19: 700, 20: 450}, at_ms=NOON_MS)
    (notice,) = found(both, plans=(plan,), days={20})
    assert (notice.used, notice.level) == (450 + 350, 80)
    evening = replace(both, at_ms=NOON_MS + 6 * HOUR_MS)
    assert told(evening, plans=(plan,), days={20}) == []
    assert told(replace(both, at_ms=NOON_MS + 3 * DAY_MS), plans=(plan,), days={20}) == [], "at the end of its day"


def test_a_soft_limit_is_told_as_one_and_beyond_its_quota() -> None:
    plan = Plan("soft", (Limit("key", 100, "day", soft=True),), notify_at=(100, 150))
    (notice, further) = found(row(150), plans=(plan,))
    assert (notice.limit.name, notice.level, further.level) == ("key-day-soft", 100, 150)
    assert notice.document("tallygate", "prod")["soft"] is True


def test_nothing_is_told_of_minutes_and_bursts_of_a_plan_in_shadow_or_without_levels() -> None:
    minute = Plan("minute", (Limit("key", 10, "minute"),), burst=5, notify_at=(80,))
    for plan in (minute, replace(PLAN, shadow=True), replace(PLAN, notify_at=())):
        assert told(row(100_000), plans=(plan,)) == []
    assert kinds_watched([replace(PLAN, shadow=True), replace(PLAN, notify_at=())]) == set()


def test_a_limit_of_a_keys_own_is_told_also_where_its_plan_has_none_for_keys() -> None:
    team = Plan("team", (Limit("owner", 1000, "month"),), notify_at=(80,))
    assert kinds_watched([team]) == {"owner", "key"}
    assert told(row(80), plans=(team.overridden([Limit("key", 100, "day")]),)) == [("key-day", "day#2026-11-20", 80)]


def test_only_limits_of_the_kind_that_changed_are_told() -> None:
    plan = Plan("anonymous", (Limit("ip", 100, "day"), Limit("ref", 200, "day")), anonymous=True, notify_at=(80,))
    assert kinds_watched([plan, PLAN]) == {"ip", "ref", "key"}
    address = Subject("ip", "203.0.113.7")
    assert told(row(90), plans=(plan,), subject=address) == [("ip-day", "day#2026-11-20", 80)]


def test_an_owner_whose_keys_are_on_several_plans_is_told_by_the_tightest() -> None:
    small = Plan("small", (Limit("owner", 100, "day"),), notify_at=(80,))
    large = Plan("large", (Limit("owner", 1000, "day"),), notify_at=(50,))
    quiet = Plan("quiet", (Limit("owner", 10, "day"),))
    owner = Subject("owner", "acme")
    for plans in ((small, large, quiet), (large, small, quiet)):
        (notice,) = found(row(90), plans=plans, subject=owner)
        assert (notice.plan, notice.level, notice.limit.quota) == ("small", 80, 100)
    alike = Plan("alike", (Limit("owner", 100, "day"),), notify_at=(80,))
    (notice,) = found(row(90), plans=(small, alike), subject=owner)
    assert notice.plan == "small", "the same one each time"
    earlier = replace(alike, notify_at=(50, 90))
    for plans in ((small, earlier), (earlier, small)):
        assert [notice.level for notice in found(row(90), plans=plans, subject=owner)] == [50, 80, 90]


def test_a_reset_and_a_top_up_leave_room_as_they_do_for_the_caller() -> None:
    reset = Adjustments(bases={"day#2026-11-20": {"us-east-1": Baseline(900, 0)}})
    assert told(row(1000), adjustments=reset) == []
    assert told(row(1700), adjustments=reset) == [("key-day", "day#2026-11-20", 80)]
    topped_up = Adjustments(extras={"day#2026-11-20": {"order-1": 1000}})
    assert told(row(1000), adjustments=topped_up) == []
    (notice,) = found(row(1600), adjustments=topped_up)
    assert (notice.limit.quota, notice.used) == (2000, 1600)


# --- ids ---


def notice(**more: object) -> Notice:
    return replace(
        Notice(SUBJECT, "starter", Limit("key", 1000, "day"), 80, "day#2026-11-20", 800, NOON_MS),
        **more,  # type: ignore[arg-type]
    )


def test_the_id_is_that_of_what_is_told_whoever_tells_it_and_when() -> None:
    id = notice().id("tallygate", "prod")
    assert id == "ntc_a1e15aa67ed15ed73b7a64ac5c7f5267", "receivers keep ids: another version must not give others"
    again = notice(used=950, as_of_ms=NOON_MS + 5, plan="pro", limit=Limit("key", 1200, "day", rolling=True))
    assert again.id("tallygate", "prod") == id
    assert replace(again, subject=SUBJECT._replace(key="feed", owner="other")).id("tallygate", "prod") == id


def test_another_level_limit_period_identifier_service_or_stage_has_another_id() -> None:
    ids = [
        notice().id("tallygate", "prod"),
        notice(level=100).id("tallygate", "prod"),
        notice(limit=Limit("key", 1000, "day", soft=True)).id("tallygate", "prod"),
        notice(limit=Limit("key", 1000, "month")).id("tallygate", "prod"),
        notice(period="day#2026-11-21").id("tallygate", "prod"),
        notice(subject=Subject("key", "fedcba9876543210")).id("tallygate", "prod"),
        notice(subject=Subject("owner", "0123456789abcdef")).id("tallygate", "prod"),
        notice().id("tallygate", "test"),
        notice().id("another", "prod"),
        notice(test="1").id("tallygate", "prod"),
        notice(test="2").id("tallygate", "prod"),
    ]
    assert len(set(ids)) == len(ids)


def test_a_place_is_one_notice_of_its_month_whatever_an_owner_is_called() -> None:
    assert notice().place == "key#0123456789abcdef#day#2026-11-20#key-day#080"
    assert notice().month == notice(period="hour#2026-11-20T03").month == "2026-11"
    ambiguous = [Subject("owner", "a"), Subject("owner", "a#day#2026-11-20"), Subject("owner", "a#b")]
    assert len({notice(subject=subject).place for subject in ambiguous}) == 3


def test_a_document_says_who_what_and_until_when() -> None:
    document = notice().document("tallygate", "prod")
    assert document == {
        "id": notice().id("tallygate", "prod"),
        "version": 1,
        "test": False,
        "service": "tallygate",
        "stage": "prod",
        "kind": "key",
        "value": "0123456789abcdef",
        "owner": "acme",
        "key": None,
        "plan": "starter",
        "limit": "key-day",
        "window": "day",
        "rolling": False,
        "soft": False,
        "level": 80,
        "quota": 1000,
        "used": 800,
        "as_of": "2026-11-20T12:00:00.000Z",
        "period": {"name": "2026-11-20", "start": "2026-11-20T00:00:00.000Z", "end": "2026-11-21T00:00:00.000Z"},
        "text": "tallygate prod: key 0123456789abcdef of acme has used 800 of 1,000 units, 80 % or more, of its limit "
        "by the day (key-day, 2026-11-20, plan starter).",
    }
    assert "This is a test. " in notice(test="1").text("tallygate", "prod")
    assert "its soft limit" in notice(limit=Limit("key", 1000, "day", soft=True)).text("tallygate", "prod")
    assert "key 0123456789abcdef has used" in notice(subject=SUBJECT._replace(owner=None)).text("tallygate", "prod")
    of_site = notice(subject=Subject("ref", "shop.example", "acme")).text("tallygate", "prod")
    assert "site shop.example has used" in of_site
    of_owner = notice(subject=Subject("owner", "acme")).text("tallygate", "prod")
    assert "owner acme has used" in of_owner


# --- how late ---


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_every_level_is_a_mark_of_every_quota_so_that_one_home_tells_it_at_once(level: int) -> None:
    for quota in (1, 7, 10, 99, 100, 1000, 12_345, 10**6):
        reached = -(-quota * level // 100)
        assert crosses(reached - 1, reached, quota), quota


@given(st.integers(2, 12), st.integers(1_000, 10**6), st.data())
def test_with_several_homes_a_level_is_late_by_no_more_than_the_marks_of_the_others(
    homes: int, quota: int, data: st.DataObject
) -> None:
    """What docs/notices.md states: five hundredths of the quota (less, where fine marks begin earlier) for each home
    but one, and one hundredth for all of them."""
    counts = data.draw(st.lists(st.integers(0, quota), min_size=homes, max_size=homes))
    level = data.draw(st.sampled_from([level for level in sorted(LEVELS) if 50 <= level <= 100]))
    published = sum(_published(count, quota, homes) for count in counts)
    if published * 100 < quota * level:
        bound = (homes - 1) * min(5, 50 / homes) + 1
        assert sum(counts) < quota * (level + bound) / 100 + homes


def _published(count: int, quota: int, homes: int) -> int:
    """The least that a home may have published of a count: the last mark that it passed."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if mark_index(middle, quota, homes) == mark_index(count, quota, homes):
            high = middle
        else:
            low = middle + 1
    return low
