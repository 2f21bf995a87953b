"""Event source mappings from the streams of tables: again when they fail, and from where they were sent back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallygate.local.aws import LocalAws
from tallygate.local.process import Emulator
from tests.local.templates import HOME

FAILS_UNTIL_ALLOWED = """
import json, os

def handler(event, context):
    journal = os.environ["JOURNAL"]
    rows = [record["dynamodb"]["Keys"]["sk"]["S"] for record in event["Records"]]
    with open(journal, "a") as file:
        print(json.dumps(rows), file=file)
    if "row#2" in rows and not os.path.exists(journal + ".allowed"):
        raise RuntimeError("two is not welcome")
"""


@pytest.fixture
def table(create: Any, function: Any, journal: Path, request: pytest.FixtureRequest) -> str:
    """A table with a replica, a stream, and a mapping of rows to a function; its name."""
    name = f"watched-{request.node.name.replace('_', '-')[5:45]}"
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    create(
        HOME,
        {
            "Table": {
                "Type": "AWS::DynamoDB::GlobalTable",
                "Properties": {
                    "TableName": name,
                    "KeySchema": keys,
                    "AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")],
                    "BillingMode": "PAY_PER_REQUEST",
                    "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
                    "Replicas": [{"Region": HOME}, {"Region": "eu-west-1"}],
                },
            },
            "Function": function(name, FAILS_UNTIL_ALLOWED, {"JOURNAL": str(journal)}, Timeout=20),
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "DependsOn": ["Function"],
                "Properties": {
                    "FunctionName": name,
                    "EventSourceArn": {"Fn::GetAtt": ["Table", "StreamArn"]},
                    "StartingPosition": "TRIM_HORIZON",
                    "BatchSize": 100,
                    "MaximumBatchingWindowInSeconds": 5,
                    "FilterCriteria": {
                        "Filters": [{"Pattern": '{"dynamodb": {"Keys": {"sk": {"S": [{"prefix": "row#"}]}}}}'}]
                    },
                },
            },
        },
    )
    return name


@pytest.fixture
def put(aws: LocalAws, table: str) -> Callable[..., None]:
    def put_rows(*rows: str, region: str = HOME) -> None:
        for row in rows:
            aws.client("dynamodb", region).put_item(TableName=table, Item={"pk": {"S": "p"}, "sk": {"S": row}})

    return put_rows


def stream_of(emulator: Emulator, table: str) -> dict[str, Any]:
    (found,) = [each for each in emulator.ask("GET", "/_tallygate/progress")["shards"] if each["stream"] == table]
    return dict(found)


def batches(journal: Path) -> list[list[str]]:
    return [json.loads(line) for line in journal.read_text().splitlines()]


def test_rows_of_all_regions_come_and_only_those_that_the_filter_lets_through(
    put: Any, table: str, emulator: Emulator, eventually: Any, journal: Path
) -> None:
    put("row#1", "profile")
    put("row#3", region="eu-west-1")
    eventually(lambda: stream_of(emulator, table)["behind"] == 0)
    assert [row for batch in batches(journal) for row in batch] == ["row#1", "row#3"]


def test_a_batch_that_fails_comes_again_and_nothing_is_dropped(
    put: Any, table: str, emulator: Emulator, eventually: Any, journal: Path
) -> None:
    put("row#2", "row#1")
    eventually(lambda: len(batches(journal)) > 1)
    failing = stream_of(emulator, table)
    assert (failing["behind"], failing["error"]) == (2, "its function failed")
    Path(f"{journal}.allowed").touch()
    eventually(lambda: stream_of(emulator, table)["behind"] == 0)
    assert stream_of(emulator, table)["error"] is None
    told = batches(journal)
    assert {rows[0] for rows in told[:-1]} == {"row#2"}
    assert "row#1" in told[-1]


def test_it_reads_again_when_it_is_sent_back(
    put: Any, table: str, emulator: Emulator, eventually: Any, journal: Path
) -> None:
    put("row#1", "row#3", "row#4")
    eventually(lambda: stream_of(emulator, table)["behind"] == 0)
    emulator.ask("POST", "/_tallygate/faults", document=[{"fault": "read again", "table": table, "records": 2}])
    eventually(lambda: stream_of(emulator, table)["behind"] == 0)
    rows = [row for batch in batches(journal) for row in batch]
    assert rows == ["row#1", "row#3", "row#4", "row#3", "row#4"]
