"""What applying plans changes, in words."""

from dataclasses import replace

from tallygate.core.plan_changes import Difference, plan_changes
from tallygate.core.plans import Limit, Plan

DAY, MONTH = Limit("key", 1000, "day"), Limit("key", 5000, "month")
PRO = Plan("pro", (DAY, MONTH), burst=50)


def differences(before: Plan, after: Plan) -> list[Difference]:
    (change,) = plan_changes([before], [after])
    assert change.kind == "changed"
    return change.differences()


def test_plans_are_told_by_name_and_those_that_stay_are_not_told() -> None:
    before = [Plan("old", (DAY,)), PRO, Plan("same", (DAY,))]
    after = [Plan("same", (DAY,)), replace(PRO, burst=60), Plan("new", (), anonymous=True)]
    assert [(change.name, change.kind) for change in plan_changes(before, after)] == [
        ("new", "added"), ("old", "removed"), ("pro", "changed"),
    ]  # fmt: skip
    assert plan_changes(before, reversed(before)) == []


def test_a_limit_is_told_as_it_was_and_as_it_will_be() -> None:
    after = replace(PRO, limits=(replace(DAY, quota=1500, rolling=True), Limit("key", 4000, "month", soft=True)))
    assert differences(PRO, after) == [
        ("key-day", "1,000", "1,500, rolling"),
        ("key-month", "5,000", None),
        ("key-month-soft", None, "4,000"),
    ]


def test_what_else_a_plan_says_is_told() -> None:
    assert differences(PRO, replace(PRO, burst=None, shadow=True, on_unavailable="deny")) == [
        ("burst", "50", None), ("shadow", None, "refuses nobody"), ("on_unavailable", "allow", "deny"),
    ]  # fmt: skip
    assert differences(PRO, replace(PRO, notify_at=(80, 100))) == [("notify_at", None, "80 %, 100 %")]
    assert differences(PRO, replace(PRO, anonymous=True)) == [("governs", None, "calls without a key")]
    assert differences(PRO, replace(PRO, limits=(MONTH, DAY))) == [
        ("order of limits", "key-day, key-month", "key-month, key-day")
    ]


def test_a_plan_that_is_new_or_goes_is_told_whole() -> None:
    (added,) = plan_changes([], [PRO])
    assert added.differences() == [
        ("key-day", None, "1,000"),
        ("key-month", None, "5,000"),
        ("burst", None, "50"),
        ("on_unavailable", None, "allow"),
    ]
    (removed,) = plan_changes([PRO], [])
    assert [(part, after) for part, _, after in removed.differences()] == [
        ("key-day", None), ("key-month", None), ("burst", None), ("on_unavailable", None),
    ]  # fmt: skip
