"""Plans come back from the gate as they were written."""

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallygate.aws.audit_log import AuditLog
from tallygate.aws.audit_trail import AuditTrail
from tallygate.aws.gate_rows import plan_of
from tallygate.aws.plan_store import PlanStore, plan_row
from tallygate.core.periods import day_of
from tallygate.core.plans import WINDOWS, Limit, Plan
from tests.stage_tables import NAMES, Clients

limits = st.builds(
    Limit,
    per=st.sampled_from(["ip", "ref", "key"]),
    quota=st.integers(1, 10**15),
    window=st.sampled_from(WINDOWS),
    rolling=st.booleans(),
    soft=st.booleans(),
)
plans = st.builds(
    Plan,
    name=st.sampled_from(["anonymous", "starter", "pro"]),
    limits=st.lists(limits, max_size=4).map(tuple),
    anonymous=st.booleans(),
    on_unavailable=st.sampled_from(["allow", "deny"]),
    burst=st.none() | st.integers(1, 10**15),
    shadow=st.booleans(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(written=st.lists(plans, min_size=1, max_size=3, unique_by=lambda plan: plan.name))
def test_what_was_applied_is_what_is_read(clients: Clients, written: list[Plan]) -> None:
    store = PlanStore(clients["us-east-1"], NAMES.gate_table)
    store.apply(written)
    found = {plan.name: plan for plan in store.plans()}
    assert {plan.name: found[plan.name] for plan in written} == {plan.name: plan for plan in written}


def test_a_plan_that_is_applied_again_is_replaced_and_others_stay(clients: Clients) -> None:
    store = PlanStore(clients["us-east-1"], NAMES.gate_table)
    store.apply([Plan("old", ()), Plan("pro", (Limit("key", 10, "day"),))])
    store.apply([Plan("pro", (Limit("key", 20, "month"),), on_unavailable="deny")])
    assert store.plans() == [Plan("old", ()), Plan("pro", (Limit("key", 20, "month"),), on_unavailable="deny")]


def test_an_anonymous_plan_of_another_name_takes_the_place_of_the_old_one(clients: Clients) -> None:
    store = PlanStore(clients["us-east-1"], NAMES.gate_table)
    pro, renamed = Plan("pro", (Limit("key", 10, "day"),)), Plan("visitors", (Limit("ip", 5, "day"),), anonymous=True)
    store.apply([Plan("anonymous", (Limit("ip", 200, "day"),), anonymous=True), pro])
    store.apply([renamed])
    assert store.plans() == [pro, renamed]


def test_there_is_an_anonymous_plan_at_every_moment(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    client = clients["us-east-1"]
    store = PlanStore(client, NAMES.gate_table)
    old, new = Plan("anonymous", (), anonymous=True), Plan("visitors", (), anonymous=True)
    store.apply([old])

    write = client.transact_write_items

    def fail(TransactItems: list[dict[str, Any]]) -> None:
        if "Delete" in TransactItems[0]:
            raise ConnectionError
        write(TransactItems=TransactItems)  # type: ignore[arg-type]

    monkeypatch.setattr(client, "transact_write_items", fail)
    with pytest.raises(ConnectionError):
        store.apply([new])
    assert store.plans() == [old, new]


def test_what_changes_of_a_plan_is_recorded_and_what_stays_is_not(clients: Clients) -> None:
    client = clients["us-east-1"]
    log = AuditLog(NAMES.tally_table, "arn:aws:iam::123456789012:user/ada")
    store, trail = PlanStore(client, NAMES.gate_table, log), AuditTrail(client, NAMES.tally_table)
    store.apply([Plan("anonymous", (), anonymous=True), Plan("pro", (Limit("key", 10, "day"),))])
    store.apply([Plan("visitors", (), anonymous=True), Plan("pro", (Limit("key", 20, "day"),))])
    month = day_of(time.time_ns() // 1_000_000).month
    changes = [(entry.change.action, entry.change.subject) for entry in trail.entries([month])]
    assert sorted(changes) == [
        ("plan.apply", "plan#anonymous"),
        ("plan.apply", "plan#pro"),
        ("plan.apply", "plan#pro"),
        ("plan.apply", "plan#visitors"),
        ("plan.remove", "plan#anonymous"),
    ]
    last = [entry.change for entry in trail.entries([month], subject="plan#pro")][-1]
    assert last.before is not None
    assert last.after is not None
    assert (last.before["limits"][0]["quota"], last.after["limits"][0]["quota"]) == (10, 20)


def test_a_plan_of_a_version_that_knows_more_is_no_plan() -> None:
    row = plan_row(Plan("pro", (Limit("key", 10, "day"),)))
    assert plan_of(row) == Plan("pro", (Limit("key", 10, "day"),))
    with pytest.raises(ValueError, match="what is not known: credits"):
        plan_of({**row, "credits": {"N": "7"}})
    limit = {**row["limits"]["L"][0]["M"], "carry": {"BOOL": True}}
    with pytest.raises(ValueError, match="what is not known: carry"):
        plan_of({**row, "limits": {"L": [{"M": limit}]}})
