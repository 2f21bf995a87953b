"""The plans in force, as the gate has them: a handful of items under one partition key."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tallygate.aws.gate_rows import plan_of
from tallygate.core import names
from tallygate.core.plans import Plan

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


class PlanReader:
    """What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def plans(self) -> list[Plan]:
        """The plans in force, by name. ValueError for one that asks for what is not known here."""
        return [plan_of(row) for row in self._rows()]

    def _rows(self) -> "Iterator[dict[str, AttributeValueTypeDef]]":
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#pk = :plans AND #sk >= :first",
            ExpressionAttributeNames={"#pk": names.PK, "#sk": names.SK},
            ExpressionAttributeValues={":plans": {"S": names.PLANS_PK}, ":first": {"S": names.PLAN_SK_FIRST}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]
