"""The implementations that the contracts hold for: in memory, and the adapters on DynamoDB as moto has it."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tallygate.aws.gate_table import GateTable
from tallygate.aws.rows import Row, gate_row
from tallygate.aws.seen_table import SeenTable
from tallygate.aws.tally_table import TallyTable
from tallygate.aws.told_table import ToldTable
from tallygate.core import names
from tallygate.core.notify import ToldStore
from tallygate.core.publish import GateWriter
from tallygate.core.seen import SeenStore
from tallygate.core.tally import TallyStore
from tallygate.sim.memory import MemoryGate, MemorySeen, MemoryTally, MemoryTold

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> "Iterator[DynamoDBClient]":
    # Imported here: most runs of these contracts in trials of mutants are of the stores in memory.
    import boto3
    from moto import mock_aws

    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
        )
        client.create_table(
            TableName="table",
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
        yield client


@pytest.fixture(params=["memory", "dynamodb"])
def tally(request: pytest.FixtureRequest) -> TallyStore:
    if request.param == "memory":
        return MemoryTally()
    return TallyTable(request.getfixturevalue("dynamodb"), "table")


@pytest.fixture
def ranks(tally: TallyStore, request: pytest.FixtureRequest) -> Callable[[], dict[str, tuple[str, int]]]:
    """What stands in the index of the largest: partition and rank by pk."""
    if isinstance(tally, MemoryTally):
        return lambda: {key.pk: rank for key, rank in tally.ranks.items()}
    client = request.getfixturevalue("dynamodb")
    return lambda: {
        row[names.PK]["S"]: (row[names.RANK_PARTITION]["S"], int(row[names.RANK]["N"]))
        for row in client.scan(TableName="table")["Items"]
        if names.RANK in row
    }


@pytest.fixture(params=["memory", "dynamodb"])
def seen(request: pytest.FixtureRequest) -> SeenStore:
    if request.param == "memory":
        return MemorySeen()
    return SeenTable(request.getfixturevalue("dynamodb"), "table")


@pytest.fixture(params=["memory", "dynamodb"])
def gate(request: pytest.FixtureRequest) -> GateWriter:
    if request.param == "memory":
        return MemoryGate()
    return GateTable(request.getfixturevalue("dynamodb"), "table")


@pytest.fixture(params=["memory", "dynamodb"])
def told(request: pytest.FixtureRequest) -> ToldStore:
    if request.param == "memory":
        return MemoryTold()
    return ToldTable(request.getfixturevalue("dynamodb"), "table", "tallygate", "prod")


@pytest.fixture
def rows(gate: GateWriter, request: pytest.FixtureRequest) -> Callable[[], dict[str, dict[str, int]]]:
    """The numbers of every row of the gate, by `pk sk`."""
    if isinstance(gate, MemoryGate):
        return lambda: dict(map(_numbers, map(gate_row, gate.rows.values())))
    client = request.getfixturevalue("dynamodb")
    return lambda: dict(map(_numbers, client.scan(TableName="table")["Items"]))


def _numbers(row: Row) -> tuple[str, dict[str, int]]:
    place = f"{row[names.PK]['S']} {row[names.SK]['S']}"
    return place, {name: int(value["N"]) for name, value in row.items() if "N" in value}
