"""What goes wrong when it is ordered, and only then."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallygate.local.aws import LocalAws
from tallygate.local.process import Emulator
from tests.local.templates import HOME, stream
from tests.local.test_stream_mappings import mapping, put_numbers, shard_of

COUNTS_TO_THREE = """
import boto3, json, os

def handler(event, context):
    with open(os.environ["JOURNAL"], "a") as file:
        print(os.getpid(), file=file)
    table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    for _ in range(3):
        table.update_item(Key={"pk": "count"}, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": 1})
"""
Counter = Callable[[int], None]
ROUTE = "/_tallygate/faults"


@pytest.fixture
def counter(
    create: Any, function: Any, aws: LocalAws, emulator: Emulator, eventually: Any, journal: Path, request: Any
) -> tuple[str, Counter, Callable[[], int]]:
    """A function's name; what has it count to three for a record; and how far it counted in all. It is warm."""
    name = "counter-" + request.node.name.partition("[")[2].strip("]").replace(" ", "-")
    create(
        HOME,
        {
            "Stream": stream(name),
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "TableName": name,
                    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                    "BillingMode": "PAY_PER_REQUEST",
                },
            },
            "Function": function(name, COUNTS_TO_THREE, {"JOURNAL": str(journal), "TABLE": name}, Timeout=20),
            "Mapping": mapping(name, name),
        },
    )

    def count(number: int) -> None:
        put_numbers(aws, name, range(number, number + 1))
        eventually(lambda: shard_of(emulator, name)["behind"] == 0)

    def counted() -> int:
        item = aws.client("dynamodb", HOME).get_item(TableName=name, Key={"pk": {"S": "count"}})["Item"]
        return int(item["n"]["N"])

    count(0)
    assert counted() == 3
    return name, count, counted


@pytest.mark.parametrize(
    ("fault", "invocations", "counted"),
    [
        ("killed before a write", 2, 1 + 3),
        ("killed after a write", 2, 2 + 3),
        ("throttled", 1, 3),  # the SDK tries again
        ("refused", 2, 1 + 3),
        ("answer lost", 1, 1 + 3),
    ],
)
def test_the_second_write_of_an_invocation_goes_wrong(
    counter: Any, emulator: Emulator, journal: Path, fault: str, invocations: int, counted: int
) -> None:
    name, count, count_so_far = counter
    before = emulator.ask("GET", ROUTE)["happened"].get(fault, 0)
    emulator.ask("POST", ROUTE, document=[{"fault": fault, "function": name, "skip": 1}])
    count(1)
    assert len(journal.read_text().split()) - 1 == invocations
    assert count_so_far() - 3 == counted
    assert emulator.ask("GET", ROUTE) == {
        "happened": {**emulator.ask("GET", ROUTE)["happened"], fault: before + 1},
        "waiting": 0,
    }


@pytest.mark.parametrize("name", ["killed at once"])
def test_a_worker_that_is_killed_in_an_invocation_is_replaced(
    counter: Any, emulator: Emulator, journal: Path, name: str
) -> None:
    function, count, count_so_far = counter
    emulator.ask("POST", ROUTE, document=[{"fault": "killed", "function": function, "part": 0.0}])
    count(1)
    first, *_, last = journal.read_text().split()
    assert first != last
    assert not Path(f"/proc/{first}").exists()
    assert count_so_far() >= 6
    assert emulator.ask("GET", ROUTE)["happened"]["killed"] == 1
    assert Path(f"/proc/{last}").exists()
    assert emulator.is_running()


@pytest.mark.parametrize("name", ["cancelled"])
def test_what_is_cancelled_or_ordered_for_another_function_does_not_happen(
    counter: Any, emulator: Emulator, journal: Path, name: str
) -> None:
    function, count, count_so_far = counter
    before = emulator.ask("GET", ROUTE)["happened"]
    orders = [{"fault": "refused", "function": other} for other in (function, "another")]
    assert emulator.ask("POST", ROUTE, document=orders)["waiting"] == 2
    assert emulator.ask("DELETE", ROUTE)["waiting"] == 0
    emulator.ask("POST", ROUTE, document=[{"fault": "killed", "function": "another", "part": 0.0}, orders[1]])
    count(1)
    assert emulator.ask("DELETE", ROUTE) == {"happened": before, "waiting": 0}
    assert count_so_far() == 6
    assert len(set(journal.read_text().split())) == 1


RECORDS_NUMBERS = """
import base64, json, os, time

def handler(event, context):
    journal = os.environ["JOURNAL"]
    with open(journal, "a") as file:
        print(json.dumps([int(base64.b64decode(r["kinesis"]["data"])) for r in event["Records"]]), file=file)
    while os.path.exists(journal + ".wait"):
        time.sleep(0.01)  # the batch is held open until the test lets go of it
"""


def test_a_stream_is_read_again_from_before_in_other_batches(
    create: Any, function: Any, aws: LocalAws, emulator: Emulator, eventually: Any, journal: Path
) -> None:
    aws.client("kinesis", HOME).create_stream(StreamName="again", ShardCount=1)
    put_numbers(aws, "again", range(4))
    wait = Path(f"{journal}.wait")

    def read() -> list[list[int]]:
        return [json.loads(line) for line in journal.read_text().splitlines()]

    def back(records: int, *sizes: int) -> None:
        order = {"fault": "read again", "stream": "again", "records": records, "sizes": sizes}
        emulator.ask("POST", ROUTE, document=[order])

    def caught_up() -> None:
        eventually(lambda: shard_of(emulator, "again")["behind"] == 0)

    create(
        HOME,
        {
            "Function": function("again", RECORDS_NUMBERS, {"JOURNAL": str(journal)}, Timeout=20),
            "Mapping": {**mapping("again", "again"), "DependsOn": ["Function"]},
        },
    )
    caught_up()
    assert read() == [[0, 1, 2, 3]]
    back(3, 2)
    caught_up()
    assert read()[1:] == [[1, 2], [3]]
    back(10**9)
    caught_up()
    assert read()[3:] == [[0, 1, 2, 3]]

    wait.touch()
    put_numbers(aws, "again", range(4, 6))
    eventually(lambda: read()[-1] == [4, 5])
    back(1)
    os.unlink(wait)
    caught_up()
    assert read()[4:] == [[4, 5], [3, 4, 5]], "a batch under way counts for nothing when the mapping goes back"
