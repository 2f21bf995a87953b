"""Reading what was told: which notices, to whom, and when."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from tallygate.aws.rows import number
from tallygate.core import names
from tallygate.core.names import pk_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class TellingRecord(NamedTuple):
    """A notice as it was told, and when."""

    at_ms: int
    notice: dict[str, Any]


class ToldReader:
    """Reads what was told. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def records(self, month: str, identifier: str = "") -> Iterator[TellingRecord]:
        """What was told of periods that began in a month like `2026-11`, of all identifiers or of one
        (`key#9f2c…`), by identifier."""
        condition, values = "#pk = :month", {":month": {"S": names.TOLD_PREFIX + month}}
        named = {"#pk": names.PK}
        if identifier:
            condition += " AND begins_with(#sk, :identifier)"
            values[":identifier"], named["#sk"] = {"S": f"{identifier}#"}, names.SK
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=named,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        for page in pages:
            for row in page["Items"]:
                notice = json.loads(row[names.TOLD_NOTICE]["S"])
                if identifier and pk_of(notice["kind"], notice["value"]) != identifier:
                    continue  # of an owner whose name goes on with a #
                yield TellingRecord(number(row, names.AT_MS), notice)
