"""Plans come back from the gate as they were written."""

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallygate.aws.audit_log import AuditLog
from tallygate.aws.audit_trail import AuditTrail
from tallygate.aws.gate_rows import plan_of, plan_rows
from tallygate.aws.plan_store import PlanStore, StalePlansError, plans_row
from tallygate.core.periods import day_of
from tallygate.core.plans import WINDOWS, Limit, Plan
from tallygate.core.routes import ALL_ALIKE, Routes
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
    notify_at=st.sampled_from([(), (80,), (5, 91, 100, 150)]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(written=st.lists(plans, min_size=1, max_size=3, unique_by=lambda plan: plan.name))
def test_what_was_applied_is_what_is_read(clients: Clients, written: list[Plan]) -> None:
    store = PlanStore(clients["us-east-1"], NAMES.gate_table)
    store.apply(written)
    assert store.plans() == sorted(written, key=lambda plan: plan.name)


def test_what_is_applied_takes_the_place_of_all_that_was(clients: Clients) -> None:
    store = PlanStore(clients["us-east-1"], NAMES.gate_table)
    pro, visitors = Plan("pro", (Limit("key", 10, "day"),)), Plan("visitors", (Limit("ip", 5, "day"),), anonymous=True)
    store.apply([Plan("anonymous", (Limit("ip", 200, "day"),), anonymous=True), Plan("old", ()), pro])
    store.apply([visitors, replace(pro, limits=(Limit("key", 20, "month"),), on_unavailable="deny")])
    assert store.plans() == [Plan("pro", (Limit("key", 20, "month"),), on_unavailable="deny"), visitors]


def test_what_calls_weigh_is_applied_with_the_plans_and_recorded(clients: Clients) -> None:
    client = clients["us-east-1"]
    store = PlanStore(client, NAMES.gate_table, AuditLog(NAMES.tally_table, "ada"))
    routes = Routes({"/v1/search": 5, "GET /v1/export/*": 0})
    store.apply([Plan("pro", ())], routes)
    assert store.in_force().routes == routes
    assert store.apply([Plan("pro", ())], routes) == 1, "nothing changed"
    store.apply([Plan("pro", ())])
    assert store.in_force().routes == ALL_ALIKE
    trail = AuditTrail(client, NAMES.tally_table)
    changes = [entry.change for entry in trail.entries([day_of(time.time_ns() // 1_000_000).month], subject="routes")]
    assert [(change.before, change.after) for change in changes] == [({}, routes.units), (routes.units, {})]


def test_a_reader_has_the_plans_from_before_or_after_and_never_from_between(clients: Clients) -> None:
    """In every replica: a global table replicates item by item."""
    client = clients["us-east-1"]
    store = PlanStore(client, NAMES.gate_table)
    store.apply([Plan("anonymous", (), anonymous=True), Plan("pro", ())])
    store.apply([Plan("visitors", (), anonymous=True)])
    assert client.scan(TableName=NAMES.gate_table)["Count"] == 1


def test_plans_that_somebody_else_changed_meanwhile_are_not_overwritten(clients: Clients) -> None:
    client = clients["us-east-1"]
    store = PlanStore(client, NAMES.gate_table)
    first, second = [Plan("pro", (Limit("key", quota, "day"),)) for quota in (10, 20)]
    assert store.apply([first], revision=0) == 1
    with pytest.raises(StalePlansError):
        store.apply([second], revision=0)
    with pytest.raises(StalePlansError):
        store.apply([second], revision=2)
    assert store.in_force() == ((first,), ALL_ALIKE, 1)
    assert store.apply([first], revision=1) == 1
    assert store.apply([second], revision=1) == 2


def test_of_two_who_apply_at_the_same_moment_one_is_told(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    client = clients["us-east-1"]
    store, other = (PlanStore(client, NAMES.gate_table) for _ in range(2))
    store.apply([Plan("pro", ())])
    write = client.transact_write_items

    def write_after_another(**request: Any) -> None:
        monkeypatch.setattr(client, "transact_write_items", write)
        other.apply([Plan("pro", (), on_unavailable="deny")])
        write(**request)

    monkeypatch.setattr(client, "transact_write_items", write_after_another)
    with pytest.raises(StalePlansError):
        store.apply([Plan("pro", (), shadow=True)])
    assert store.plans() == [Plan("pro", (), on_unavailable="deny")]


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
    row = plan_rows(plans_row([Plan("pro", (Limit("key", 10, "day"),))], 1))["pro"]
    assert plan_of("pro", row) == Plan("pro", (Limit("key", 10, "day"),))
    with pytest.raises(ValueError, match="what is not known: credits"):
        plan_of("pro", {**row, "credits": {"N": "7"}})
    limit = {**row["limits"]["L"][0]["M"], "carry": {"BOOL": True}}
    with pytest.raises(ValueError, match="what is not known: carry"):
        plan_of("pro", {**row, "limits": {"L": [{"M": limit}]}})
