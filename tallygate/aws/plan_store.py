"""Plans in the gate, written in the administrative region only: a handful of items under one partition key."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tallygate.aws.gate_rows import plan_of
from tallygate.aws.rows import Attributes
from tallygate.core import names
from tallygate.core.plans import Plan

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


class PlanStore:
    """The plans that callers are held to. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def apply(self, plans: Iterable[Plan]) -> None:
        """Write `plans`; they hold in every region within 30 s. Others stay, since keys may be on them; an anonymous
        one goes: no key is, and there must be one only."""
        written = set()
        for plan in plans:
            self._client.put_item(TableName=self._table, Item=plan_row(plan))
            written.add(plan.name)
        # After the writes, so that at no moment there is none.
        for row in list(self._rows()):
            if row[names.PLAN_ANONYMOUS]["BOOL"] and row[names.SK]["S"] not in written:
                self._client.delete_item(TableName=self._table, Key={name: row[name] for name in (names.PK, names.SK)})

    def plans(self) -> list[Plan]:
        """The plans in force, by name. ValueError for one that asks for what is not known here."""
        return [plan_of(row) for row in self._rows()]

    def _rows(self) -> "Iterator[dict[str, AttributeValueTypeDef]]":
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#pk = :plans",
            ExpressionAttributeNames={"#pk": names.PK},
            ExpressionAttributeValues={":plans": {"S": names.PLANS_PK}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]


def plan_row(plan: Plan) -> Attributes:
    """A plan as it is stored. What only some plans say is left out of the others: a version that does not know it can
    read those."""
    limits: list[dict[str, Any]] = [
        {
            "M": {
                names.LIMIT_PER: {"S": limit.per},
                names.LIMIT_QUOTA: {"N": str(limit.quota)},
                names.LIMIT_WINDOW: {"S": limit.window},
                **({names.LIMIT_ROLLING: {"BOOL": True}} if limit.rolling else {}),
                **({names.LIMIT_SOFT: {"BOOL": True}} if limit.soft else {}),
            }
        }
        for limit in plan.limits
    ]
    return {
        names.PK: {"S": names.PLANS_PK},
        names.SK: {"S": plan.name},
        names.PLAN_LIMITS: {"L": limits},
        names.PLAN_ANONYMOUS: {"BOOL": plan.anonymous},
        names.PLAN_ON_UNAVAILABLE: {"S": plan.on_unavailable},
        **({names.PLAN_BURST: {"N": str(plan.burst)}} if plan.burst is not None else {}),
        **({names.PLAN_SHADOW: {"BOOL": True}} if plan.shadow else {}),
    }
