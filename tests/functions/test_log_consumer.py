"""The log consumer on an event as the mapping gives it, over tables and queues as moto has them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from functions.log_consumer import handler as module
from functions.log_consumer.batch import batch_of
from functions.log_consumer.wiring import WriterNames
from tallygate.core import names

EVENT = json.loads((Path(__file__).parent.parent / "events" / "kinesis_usage.json").read_text())
STREAM = "tallygate-prod-usage"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    environment = {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "POWERTOOLS_METRICS_NAMESPACE": "Tallygate",
        "POWERTOOLS_SERVICE_NAME": "log-consumer",
        "TALLYGATE_SERVICE": "tallygate",
        "TALLYGATE_STAGE": "prod",
        "TALLYGATE_GATE_TABLE": "gate",
        "TALLYGATE_TALLY_TABLE": "tally",
        "TALLYGATE_HOME": "us-east-1",
        "TALLYGATE_HOMES": "us-east-1",
        "TALLYGATE_PUBLISH": "marks",
        "TALLYGATE_DEDUPE_WINDOW_SECONDS": "3600",
        "TALLYGATE_STREAM_RETENTION_HOURS": "24",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        for table in ("gate", "tally"):
            boto3.client("dynamodb").create_table(
                TableName=table,
                KeySchema=[
                    {"AttributeName": names.PK, "KeyType": "HASH"},
                    {"AttributeName": names.SK, "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": names.PK, "AttributeType": "S"},
                    {"AttributeName": names.SK, "AttributeType": "S"},
                ],
                BillingMode="PAY_PER_REQUEST",
            )
        queue = boto3.client("sqs").create_queue(QueueName="rejects")["QueueUrl"]
        monkeypatch.setenv("TALLYGATE_REJECTS_QUEUE_URL", queue)
        boto3.client("kinesis").create_stream(StreamName=STREAM, ShardCount=1)
        for cached in (module._deployment, module._metrics):
            cached.cache_clear()
        yield queue
        module._deployment.cache_clear()


def _event() -> dict[str, Any]:
    """The captured event, of a stream of moto's account."""
    arn = boto3.client("kinesis").describe_stream_summary(StreamName=STREAM)["StreamDescriptionSummary"]["StreamARN"]
    return {"Records": [record | {"eventSourceARN": arn} for record in EVENT["Records"]]}


def _rows(table: str) -> dict[str, dict[str, int]]:
    items = boto3.client("dynamodb").scan(TableName=table)["Items"]
    return {
        f"{item['pk']['S']} {item['sk']['S']}": {name: int(value["N"]) for name, value in item.items() if "N" in value}
        for item in items
        if not item["pk"]["S"].startswith((names.SEEN_PREFIX, names.WRITERS_PK))
    }


def test_a_batch_is_counted_published_and_its_rejects_kept(aws: str) -> None:
    module.handler(_event(), None)
    tally = _rows("tally")
    address = tally["ip#203.0.113.7 month#2023-11"]
    assert {name: address[name] for name in ("n", "c", "x", "d14", "t")} == {
        "n": 1, "c": 1, "x": 1, "d14": 1, "t": 1_700_000_004_250,
    }  # fmt: skip
    assert {name: tally["all#eu-west-1 hour#2023-11-14T22"][name] for name in ("n", "x")} == {"n": 1, "x": 1}
    assert tally["ref#shop.example month#2023-11"]["n"] == 1
    assert set(_rows("gate")) == {"ip#203.0.113.7 month#2023-11#us-east-1"}
    messages = boto3.client("sqs").receive_message(QueueUrl=aws, MaxNumberOfMessages=10)["Messages"]
    rejects = sorted((json.loads(message["Body"]) for message in messages), key=lambda reject: reject["sequence"])
    assert [(reject["reason"], reject["event_id"] is None, reject["body"]) for reject in rejects] == [
        ("region is missing", False, '{"type":"usage"}'),
        ("not gzip", True, "\x00\x01not gzip"),
    ]


def test_the_same_event_again_changes_nothing(aws: str) -> None:
    module.handler(_event(), None)
    before = _rows("tally"), _rows("gate")
    module._deployment.cache_clear()
    module.handler(_event(), None)
    assert (_rows("tally"), _rows("gate")) == before


def test_a_batch_that_cannot_be_written_is_given_back(aws: str) -> None:
    boto3.client("dynamodb").delete_table(TableName="gate")
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        module.handler(_event(), None)


def test_what_it_did_is_in_its_metrics(aws: str, capsys: pytest.CaptureFixture[str]) -> None:
    module.handler(_event(), None)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    (metrics,) = printed
    assert {name: metrics[name] for name in ("LinesCounted", "Rejects", "GateWrites", "RepeatedItems")} == {
        "LinesCounted": [2.0], "Rejects": [2.0], "GateWrites": [1.0], "RepeatedItems": [0.0],
    }  # fmt: skip


def test_records_are_in_order_whatever_the_event_says() -> None:
    shuffled = {"Records": EVENT["Records"][::-1]}
    stream, shard, records = batch_of(shuffled)
    assert (stream.rpartition("/")[2], shard) == (STREAM, "shardId-000000000003")
    assert [record.sequence % 10 for record in records] == [0, 1, 2, 3]
    assert records[0].arrived_ms == 1_700_000_004_250


def test_a_writer_is_named_after_its_shard_and_its_streams_creation(aws: str) -> None:
    client = boto3.client("kinesis")
    arn = client.describe_stream_summary(StreamName=STREAM)["StreamDescriptionSummary"]["StreamARN"]
    names_of = WriterNames(client)
    writer = names_of.of(arn, "shardId-000000000027")
    shard, _, created = writer.partition(".")
    assert (shard, int(created, 16) > 1_700_000_000) == ("1b", True)
    assert names_of.of(arn, "shardId-000000000003") == f"3.{created}"
