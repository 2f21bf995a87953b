"""Event source mappings from Kinesis: in order, again when they fail, from where they were."""

import json
from pathlib import Path
from typing import Any

from tallygate.local.aws import LocalAws
from tallygate.local.process import Emulator
from tests.local.templates import HOME, stream, stream_arn

FAILS_UNTIL_ALLOWED = """
import json, os

def handler(event, context):
    journal = os.environ["JOURNAL"]
    numbers = [int(__import__("base64").b64decode(r["kinesis"]["data"])) for r in event["Records"]]
    with open(journal, "a") as file:
        print(json.dumps(numbers), file=file)
    if not os.path.exists(journal + ".allowed"):
        if 2 in numbers:
            raise RuntimeError("two is not welcome")
"""


def mapping(function_name: str, stream_name: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "DependsOn": ["Function", "Stream"],
        "Properties": {
            "FunctionName": function_name,
            "EventSourceArn": stream_arn(stream_name),
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 100,
            **properties,
        },
    }


def put_numbers(aws: LocalAws, name: str, numbers: range) -> None:
    records = [{"Data": str(number).encode(), "PartitionKey": "p"} for number in numbers]
    aws.client("kinesis", HOME).put_records(StreamName=name, Records=records)


def shard_of(emulator: Emulator, name: str) -> dict[str, Any]:
    (shard,) = [each for each in emulator.ask("GET", "/_tallygate/progress")["shards"] if each["stream"] == name]
    return dict(shard)


def test_a_batch_that_fails_is_halved_and_comes_again_until_it_succeeds(
    create: Any, function: Any, aws: LocalAws, emulator: Emulator, eventually: Any, journal: Path
) -> None:
    create(
        HOME,
        {
            "Stream": stream("retried"),
            "Function": function("retried", FAILS_UNTIL_ALLOWED, {"JOURNAL": str(journal)}, Timeout=20),
            "Mapping": mapping("retried", "retried", BisectBatchOnFunctionError=True, MaximumBatchingWindowInSeconds=5),
        },
    )
    put_numbers(aws, "retried", range(4))
    eventually(lambda: shard_of(emulator, "retried")["error"] and journal.read_text().count("[2]"))
    failing = shard_of(emulator, "retried")
    assert (failing["behind"], failing["error"]) == (2, "two is not welcome")
    Path(f"{journal}.allowed").touch()
    eventually(lambda: shard_of(emulator, "retried")["behind"] == 0)
    batches = [json.loads(line) for line in journal.read_text().splitlines()]
    assert batches[:3] == [[0, 1, 2, 3], [0, 1], [2, 3]]
    assert set(map(tuple, batches[3:-1])) == {(2,)}
    assert batches[-1] == [3]


REPORTS_FROM_TWO = """
import base64, json, os

def handler(event, context):
    journal = os.environ["JOURNAL"]
    numbers = {r["kinesis"]["sequenceNumber"]: int(base64.b64decode(r["kinesis"]["data"])) for r in event["Records"]}
    with open(journal, "a") as file:
        print(json.dumps(list(numbers.values())), file=file)
    if len(numbers) > 2:
        return {"batchItemFailures": [{"itemIdentifier": s} for s, number in numbers.items() if number >= 2]}
"""


def test_a_partial_answer_goes_on_from_the_lowest_failed_record(
    create: Any, function: Any, aws: LocalAws, emulator: Emulator, eventually: Any, journal: Path
) -> None:
    create(
        HOME,
        {
            "Stream": stream("partial"),
            "Function": function("partial", REPORTS_FROM_TWO, {"JOURNAL": str(journal)}, Timeout=20),
            "Mapping": mapping("partial", "partial", FunctionResponseTypes=["ReportBatchItemFailures"]),
        },
    )
    put_numbers(aws, "partial", range(4))
    eventually(lambda: shard_of(emulator, "partial")["behind"] == 0)
    assert [json.loads(line) for line in journal.read_text().splitlines()] == [[0, 1, 2, 3], [2, 3]]


def test_a_disabled_mapping_rests_and_goes_on_where_it_was(
    create: Any, function: Any, aws: LocalAws, emulator: Emulator, eventually: Any, journal: Path
) -> None:
    create(
        HOME,
        {
            "Stream": stream("paused"),
            "Function": function("paused", FAILS_UNTIL_ALLOWED, {"JOURNAL": str(journal)}, Timeout=20),
            "Mapping": mapping("paused", "paused"),
        },
    )
    functions = aws.client("lambda", HOME)
    (paused,) = functions.list_event_source_mappings(FunctionName="paused")["EventSourceMappings"]

    put_numbers(aws, "paused", range(1))
    eventually(lambda: journal.read_text() == "[0]\n")
    functions.update_event_source_mapping(UUID=paused["UUID"], Enabled=False)
    for number in (5, 6):
        put_numbers(aws, "paused", range(number, number + 1))
        emulator.ask("POST", "/_tallygate/flush")
    functions.update_event_source_mapping(UUID=paused["UUID"], Enabled=True)
    eventually(lambda: journal.read_text() == "[0]\n[5, 6]\n")


def test_records_put_before_the_mapping_are_read_from_the_trim_horizon(
    create: Any, function: Any, aws: LocalAws, emulator: Emulator, eventually: Any, journal: Path
) -> None:
    aws.client("kinesis", HOME).create_stream(StreamName="earlier", ShardCount=1)
    put_numbers(aws, "earlier", range(3))
    resources = {
        "Stream": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "unused"}},
        "Function": function("earlier", REPORTS_FROM_TWO, {"JOURNAL": str(journal)}, Timeout=20),
        "Mapping": mapping("earlier", "earlier"),
    }
    create(HOME, resources)
    eventually(lambda: shard_of(emulator, "earlier")["behind"] == 0)
    assert json.loads(journal.read_text()) == [0, 1, 2]


def test_sequence_numbers_have_56_digits_and_grow(create: Any, aws: LocalAws) -> None:
    create(HOME, {"Stream": stream("numbers")})
    kinesis = aws.client("kinesis", HOME)
    numbers = [
        kinesis.put_record(StreamName="numbers", Data=b"x", PartitionKey="p")["SequenceNumber"] for _ in range(3)
    ]
    assert {len(number) for number in numbers} == {56}
    assert numbers == sorted(set(numbers), key=int)
