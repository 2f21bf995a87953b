"""Notices on the tables: who is governed by what, and what was told."""

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from tallygate.aws.gate_table import GateTable
from tallygate.aws.key_admin import key_admin
from tallygate.aws.notice_bus import NoticeBus
from tallygate.aws.plan_store import PlanStore
from tallygate.aws.told_reader import ToldReader
from tallygate.aws.told_table import RETENTION_DAYS, ToldTable
from tallygate.aws.watched_gate import WatchedGateTable
from tallygate.core import names
from tallygate.core.notices import Known, Notice, Subject
from tallygate.core.plans import Limit, Plan
from tallygate.core.publish import Publication
from tallygate.core.tally import StoreError, TallyItem
from tests.stage_tables import HOMES, NAMES, Clients

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HOME = HOMES[0]
NOW_MS = 1_795_176_000_000  # 2026-11-20T12:00Z
PLANS = [
    Plan("anonymous", (Limit("ip", 100, "day"),), anonymous=True, notify_at=(80,)),
    Plan("small", (Limit("key", 100, "day"), Limit("owner", 150, "day")), notify_at=(80, 100)),
    Plan("large", (Limit("key", 1000, "day"), Limit("owner", 9000, "month")), notify_at=(50,)),
]


@pytest.fixture
def gate(clients: Clients) -> "DynamoDBClient":
    PlanStore(clients[HOME], NAMES.gate_table).apply(PLANS)
    return clients[HOME]


def known(client: "DynamoDBClient", kind: Any, value: str, from_hour: str | None = None) -> Known | None:
    watched = WatchedGateTable(client, NAMES.gate_table)
    return watched.known(kind, value, from_hour, watched.plans(), NOW_MS)


def publish(client: "DynamoDBClient", pk: str, period: str, home: str = HOME, expires_seconds: int = 2**31) -> None:
    item = TallyItem(units=90, charged=90, days={20: 90} if period.startswith("month#") else {})
    publication = Publication(pk, period, home, item, 0, NOW_MS, 0, expires_seconds)
    assert GateTable(client, NAMES.gate_table).publish(publication)


def test_a_key_is_governed_by_its_plan_with_its_own_quotas(gate: "DynamoDBClient") -> None:
    admin = key_admin(gate, NAMES.gate_table, NAMES.stage)
    key = admin.create({"owner": "acme", "plan": "small", "overrides": (Limit("key", 7, "day"),)}, NOW_MS).profile
    found = known(gate, "key", key.id)
    assert found is not None
    assert found.subject == Subject("key", key.id, "acme", key.id)
    assert [(plan.name, plan.limits[0].quota) for plan in found.plans] == [("small", 7)]


def test_a_line_of_rotations_is_governed_by_its_newest_key(gate: "DynamoDBClient") -> None:
    admin = key_admin(gate, NAMES.gate_table, NAMES.stage)
    first = admin.create({"owner": "acme", "plan": "small"}, NOW_MS).profile
    second = admin.rotate(first.id, 0, NOW_MS).profile
    third = admin.rotate(second.id, 0, NOW_MS).profile
    admin.change(third.id, {"plan": "large"}, NOW_MS)
    found = known(gate, "key", first.id)
    assert found is not None
    assert found.subject == Subject("key", first.id, "acme", third.id)
    assert [plan.name for plan in found.plans] == ["large"]


def test_an_owner_is_governed_by_the_plans_of_the_keys_that_are_good(gate: "DynamoDBClient") -> None:
    admin = key_admin(gate, NAMES.gate_table, NAMES.stage)
    assert known(gate, "owner", "acme") is None
    admin.create({"owner": "acme", "plan": "large"}, NOW_MS)
    revoked = admin.create({"owner": "acme", "plan": "small"}, NOW_MS).profile
    admin.revoke(revoked.id, NOW_MS)
    admin.create({"owner": "acme", "plan": "small", "expires_ms": NOW_MS}, NOW_MS)
    admin.create({"owner": "another", "plan": "small"}, NOW_MS)
    found = known(gate, "owner", "acme")
    assert found is not None
    assert (found.subject, [plan.name for plan in found.plans]) == (Subject("owner", "acme"), ["large"])
    admin.create({"owner": "acme", "plan": "small", "expires_ms": NOW_MS + 1}, NOW_MS)
    both = known(gate, "owner", "acme")
    assert both is not None
    assert {plan.name for plan in both.plans} == {"large", "small"}


def test_an_address_is_governed_by_the_anonymous_plan(gate: "DynamoDBClient") -> None:
    found = known(gate, "ip", "203.0.113.7")
    assert found is not None
    assert (found.subject, [plan.name for plan in found.plans]) == (Subject("ip", "203.0.113.7"), ["anonymous"])


def test_nobody_governs_a_key_that_is_gone_or_whose_plan_is(gate: "DynamoDBClient") -> None:
    assert known(gate, "key", "0" * 16) is None
    key = key_admin(gate, NAMES.gate_table, NAMES.stage).create({"owner": "acme", "plan": "small"}, NOW_MS).profile
    PlanStore(gate, NAMES.gate_table).apply([PLANS[0]])
    assert known(gate, "key", key.id) is None


def test_rows_of_all_homes_are_there_also_when_their_period_is_over(gate: "DynamoDBClient") -> None:
    for home in HOMES:
        publish(gate, "ip#203.0.113.7", "month#2026-10", home, expires_seconds=1)
        publish(gate, "ip#203.0.113.7", "hour#2026-11-20T10", home, expires_seconds=1)
        publish(gate, "ip#203.0.113.7", "hour#2026-11-20T09", home)
    found = known(gate, "ip", "203.0.113.7", "2026-11-20T10")
    assert found is not None
    rows = sorted((row.home, row.month or row.hour, row.charged) for row in found.partition.homes)
    assert rows == [
        ("eu-west-1", "2026-10", 90), ("eu-west-1", "2026-11-20T10", 90),
        ("us-east-1", "2026-10", 90), ("us-east-1", "2026-11-20T10", 90),
    ]  # fmt: skip
    without_hours = known(gate, "ip", "203.0.113.7")
    assert without_hours is not None
    assert {row.month for row in without_hours.partition.homes} == {"2026-10"}


# --- what was told ---


def notice(level: int = 80, value: str = "a", period: str = "day#2026-11-20") -> Notice:
    return Notice(Subject("key", value, "acme"), "small", Limit("key", 100, "day"), level, period, level, NOW_MS)


def test_what_is_remembered_was_told_and_the_first_time_stands(clients: Clients) -> None:
    table = ToldTable(clients[HOME], NAMES.tally_table, "tallygate", "prod")
    notices = [notice(80), notice(100), notice(80, "b"), notice(80, period="day#2026-11-21")]
    assert table.told(notices) == set()
    table.remember(notices[0], NOW_MS)
    table.remember(notices[0], NOW_MS + 5)
    assert table.told(notices) == {notices[0].place}
    (record,) = ToldReader(clients[HOME], NAMES.tally_table).records("2026-11")
    assert record == (NOW_MS, notices[0].document("tallygate", "prod"))
    (row,) = clients[HOME].scan(TableName=NAMES.tally_table)["Items"]
    assert int(row[names.EXPIRES]["N"]) == NOW_MS // 1000 + RETENTION_DAYS * 86_400


def test_what_was_told_is_found_by_month_and_by_identifier(clients: Clients) -> None:
    table = ToldTable(clients[HOME], NAMES.tally_table, "tallygate", "prod")
    for each in (notice(), notice(100), notice(80, "ab"), notice(80, "a#b"), notice(80, period="day#2026-10-31")):
        table.remember(each, NOW_MS)
    reader = ToldReader(clients[HOME], NAMES.tally_table)
    found = [(record.notice["value"], record.notice["level"]) for record in reader.records("2026-11")]
    assert sorted(found) == [("a", 80), ("a", 100), ("a#b", 80), ("ab", 80)]
    assert [record.notice["level"] for record in reader.records("2026-11", "key#a")] == [80, 100]
    assert len(list(reader.records("2026-10"))) == 1


# --- the bus ---


class Events:
    """EventBridge, as it answers."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.entries: list[dict[str, Any]] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> Any:
        self.entries += Entries
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def put(answer: Any) -> tuple[list[bool], Events]:
    events = Events(answer)
    bus = NoticeBus(events, "tallygate-prod-notices", "tallygate", "prod")  # type: ignore[arg-type]
    return bus.put([notice(80), notice(100)]), events


def test_an_event_says_what_it_is_and_goes_to_the_bus_of_the_stage() -> None:
    taken, events = put({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}, {"EventId": "2"}]})
    assert taken == [True, True]
    entry = events.entries[0]
    assert (entry["EventBusName"], entry["Source"], entry["DetailType"]) == (
        "tallygate-prod-notices", "tallygate", "Quota Level Reached",
    )  # fmt: skip
    assert '"level": 80' in entry["Detail"]


def test_an_event_that_was_not_taken_is_told_apart() -> None:
    failed = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
    assert put({"FailedEntryCount": 1, "Entries": [failed, {"EventId": "2"}]})[0] == [False, True]


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalException"])
def test_a_bus_that_is_busy_or_does_not_answer_may_take_it_later(code: str) -> None:
    with pytest.raises(StoreError, match=code):
        put(ClientError({"Error": {"Code": code}}, "PutEvents"))
    with pytest.raises(StoreError, match="no answer"):
        put(ConnectTimeoutError(endpoint_url="https://events"))


def test_a_bus_that_is_not_there_is_a_fault_of_the_deployment() -> None:
    with pytest.raises(ClientError):
        put(ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "PutEvents"))
