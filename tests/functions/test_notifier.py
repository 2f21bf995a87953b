"""The notifier on records as the gate's stream has them, over tables and a bus as moto has them."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from functions.notifier import handler as module
from functions.notifier.records import changes_of
from tallygate.aws.key_admin import key_admin
from tallygate.aws.plan_store import PlanStore
from tallygate.aws.told_reader import ToldReader
from tallygate.core.plans import Limit, Plan
from tallygate.core.usage import HomeUsage
from tests.stage_tables import HOMES, NAMES, Clients, clients

__all__ = ["clients"]

EVENT = json.loads((Path(__file__).parent.parent / "events" / "dynamodb_gate.json").read_text())
PLAN = Plan("trial", (Limit("key", 50, "day"),), notify_at=(80, 100))


def of(place: str, **images: Any) -> dict[str, Any]:
    """A record of another row."""
    pk, sk = place.split(" ")
    record = copy.deepcopy(EVENT["Records"][0])
    record["dynamodb"] |= {"Keys": {"pk": {"S": pk}, "sk": {"S": sk}}, **images}
    return {"Records": [record]}


def test_a_record_is_what_a_home_published_and_the_days_that_grew() -> None:
    first, second = changes_of(EVENT)
    assert first.row == HomeUsage(
        "us-east-1", "2026-11", 40, 40, 0, {20: 40}, rate_milli=8000, at_ms=1_795_176_000_000, lag_ms=2100
    )
    assert (first.kind, first.value, first.days) == ("key", "0123456789abcdef", {20})
    assert (second.row.home, second.row.days, second.days) == ("eu-west-1", {19: 15, 20: 10}, {20})


def test_rows_of_hours_are_changes_and_nothing_else_is() -> None:
    row = {"sk": {"S": "hour#2026-11-20T14#us-east-1"}, "c": {"N": "9"}}
    (change,) = changes_of(of("key#0123456789abcdef hour#2026-11-20T14#us-east-1", NewImage=row))
    assert (change.row.hour, change.row.charged, change.hour_before) == ("2026-11-20T14", 9, "2026-11-20T13")
    for place in ("key#0123456789abcdef profile", "plans !plans", "all#eu-west-1 hour#2026-11-20T14"):
        assert list(changes_of(of(place, NewImage=row))) == []
    assert list(changes_of(of("ip#203.0.113.7 month#2026-11#us-east-1", NewImage={}))) == [], "it was deleted"


def test_a_row_that_charges_no_more_than_before_is_no_change() -> None:
    record = EVENT["Records"][1]["dynamodb"]
    same = of("key#0123456789abcdef month#2026-11#eu-west-1", NewImage=record["NewImage"], OldImage=record["NewImage"])
    assert list(changes_of(same)) == []


@pytest.fixture
def stage(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A key on the plan, in tables of the administrative region; its id."""
    for name, value in {
        "AWS_REGION": HOMES[0],
        "POWERTOOLS_METRICS_NAMESPACE": "Tallygate",
        "POWERTOOLS_SERVICE_NAME": "notifier",
        "TALLYGATE_SERVICE": "tallygate",
        "TALLYGATE_STAGE": "prod",
        "TALLYGATE_GATE_TABLE": NAMES.gate_table,
        "TALLYGATE_TALLY_TABLE": NAMES.tally_table,
        "TALLYGATE_NOTICES_BUS": NAMES.notices,
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("events", region_name=HOMES[0]).create_event_bus(Name=NAMES.notices)
    PlanStore(clients[HOMES[0]], NAMES.gate_table).apply([PLAN])
    admin = key_admin(clients[HOMES[0]], NAMES.gate_table, "prod")
    for cached in (module.build, module._metrics):
        cached.cache_clear()
    yield admin.create({"owner": "acme", "plan": "trial"}, 0).profile.id
    module.build.cache_clear()


def of_key(id: str) -> dict[str, Any]:
    return dict(json.loads(json.dumps(EVENT).replace("0123456789abcdef", id)))


def test_a_batch_is_told_and_a_repeated_one_is_known(
    stage: str, clients: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        module.handler(of_key(stage), None)
    (record,) = ToldReader(clients[HOMES[0]], NAMES.tally_table).records("2026-11")
    assert (record.notice["value"], record.notice["level"], record.notice["used"]) == (stage, 80, 40)
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [(each["NoticesTold"], each["NoticesKnown"]) for each in metrics] == [([1.0], [0.0]), ([0.0], [1.0])]


def test_what_cannot_be_told_is_given_again(stage: str, clients: Clients) -> None:
    boto3.client("events", region_name=HOMES[0]).delete_event_bus(Name=NAMES.notices)
    client = module.build()._bus._client  # type: ignore[attr-defined]

    def refuse(**_: Any) -> Any:
        return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}

    client.put_events = refuse
    with pytest.raises(Exception, match="refused 1 of 1"):
        module.handler(of_key(stage), None)
    assert list(ToldReader(clients[HOMES[0]], NAMES.tally_table).records("2026-11")) == []
