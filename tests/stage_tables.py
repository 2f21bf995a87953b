"""The tables of a stage as moto has them, for the suites of the adapters and of the command."""

import os
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest import mock

import boto3
import pytest
from botocore.loaders import JSONFileLoader
from moto import mock_aws

from tallygate.core import names
from tallygate.resources import Names

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NAMES = Names("tallygate", "prod")
HOMES = ("us-east-1", "eu-west-1")

Clients = dict[str, "DynamoDBClient"]


@pytest.fixture
def clients() -> "Iterator[Clients]":
    """A client for each of two homes. Each has a gate: replicas that nothing replicates. No environment of ours reaches
    them."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TALLYGATE_"))}
    credentials = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_CONFIG_FILE": os.devnull}
    with mock.patch.dict(os.environ, ours | credentials, clear=True), models_read_once(), mock_aws():
        made = {home: boto3.client("dynamodb", region_name=home) for home in HOMES}
        for client in made.values():
            create_table(client, NAMES.tally_table, names.TOP_INDEX, names.RANK_PARTITION, names.RANK)
            create_table(client, NAMES.gate_table, names.OWNER_INDEX, names.KEY_OWNER, None)
        yield made


def models_read_once() -> "mock._patch[Any]":
    """botocore reads its models, some MB of JSON, anew for each session, and a command makes one each time. It changes
    nothing in them: all clients of a session share what was read."""
    return mock.patch.object(JSONFileLoader, "load_file", lambda loader, path: _model(path))


_read: Any = JSONFileLoader.load_file


@cache
def _model(path: str) -> Any:
    return _read(JSONFileLoader(), path)


def create_table(client: "DynamoDBClient", table: str, index: str, partition: str, sort: str | None) -> None:
    """A table with the keys that both have, and an index over `partition` and `sort`, a number."""
    keys: Any = [{"AttributeName": names.PK, "KeyType": "HASH"}, {"AttributeName": names.SK, "KeyType": "RANGE"}]
    types: Any = [{"AttributeName": name, "AttributeType": "S"} for name in (names.PK, names.SK, partition)]
    index_keys: Any = [{"AttributeName": partition, "KeyType": "HASH"}]
    if sort:
        types.append({"AttributeName": sort, "AttributeType": "N"})
        index_keys.append({"AttributeName": sort, "KeyType": "RANGE"})
    client.create_table(
        TableName=table,
        KeySchema=keys,
        AttributeDefinitions=types,
        GlobalSecondaryIndexes=[{"IndexName": index, "KeySchema": index_keys, "Projection": {"ProjectionType": "ALL"}}],
        BillingMode="PAY_PER_REQUEST",
    )
