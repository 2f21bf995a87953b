"""What the gate of the administrative region knows of a caller of whom something was published: read strongly
consistent, so that it holds at least what the stream of its changes has told."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from tallygate.aws.dynamodb import store_errors
from tallygate.aws.gate_rows import overrides_of, partition_of
from tallygate.aws.plan_reader import PlanReader
from tallygate.aws.rows import Row, number
from tallygate.core import names
from tallygate.core.credentials import ACTIVE
from tallygate.core.names import Kind, pk_of
from tallygate.core.notices import Known, Subject
from tallygate.core.plans import Plan

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_EXPIRED_TOO: Final = 0
"""A time before every expiry: a record may come when its period is over, and its rows are out of date for callers."""


class WatchedGateTable:
    """WatchedGate on the gate table."""

    def __init__(self, client: "DynamoDBClient", gate_table: str) -> None:
        self._client = client
        self._table = gate_table
        self._plans = PlanReader(client, gate_table)

    def plans(self) -> Mapping[str, Plan]:
        """See WatchedGate.plans. ValueError for one that asks for what is not known here."""
        with store_errors():
            return {plan.name: plan for plan in self._plans.plans()}

    def known(
        self, kind: Kind, value: str, from_hour: str | None, plans: Mapping[str, Plan], now_ms: int
    ) -> Known | None:
        """See WatchedGate.known. One Query; one read more for each rotation of a key, and a Query of the index for an
        owner. Of a line of rotations the newest key's plan counts; of an owner those of all keys that are good."""
        with store_errors():
            rows = list(self._rows(pk_of(kind, value), from_hour))
            partition = partition_of(rows, _EXPIRED_TOO)
            subject, governing = Subject(kind, value), list[Plan]()
            if kind == "key":
                profile = self._newest(next((row for row in rows if row[names.SK]["S"] == names.PROFILE_SK), {}))
                if names.KEY_HASH in profile:
                    id = profile[names.PK]["S"].partition("#")[2]
                    subject = Subject(kind, value, profile[names.KEY_OWNER]["S"], id)
                    plan = plans.get(profile[names.KEY_PLAN]["S"])
                    governing = [plan.overridden(overrides_of(profile))] if plan is not None else []
            elif kind == "owner":
                on = dict.fromkeys(self._plans_of_owner(value, now_ms))
                governing = [plans[name] for name in on if name in plans]
            else:
                governing = [plan for plan in plans.values() if plan.anonymous]
        return Known(subject, tuple(governing), partition) if governing else None

    def _rows(self, pk: str, from_hour: str | None) -> Iterator[Row]:
        lowest = names.MONTH_SK if from_hour is None else names.HOUR_SK + from_hour
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#pk = :pk AND #sk >= :sk",
            ExpressionAttributeNames={"#pk": names.PK, "#sk": names.SK},
            ExpressionAttributeValues={":pk": {"S": pk}, ":sk": {"S": lowest}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]

    def _newest(self, profile: Row) -> Row:
        """The profile of the last key of a line of rotations, which does not branch."""
        while names.KEY_ROTATED_TO in profile:
            key = {
                names.PK: {"S": pk_of("key", profile[names.KEY_ROTATED_TO]["S"])},
                names.SK: {"S": names.PROFILE_SK},
            }
            following = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
            if following is None:
                break
            profile = following
        return profile

    def _plans_of_owner(self, owner: str, now_ms: int) -> Iterator[str]:
        """Names of the plans that the good keys of an owner are on. An index is eventually consistent; a key that was
        made a moment ago has used nothing yet."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=names.OWNER_INDEX,
            KeyConditionExpression="#owner = :owner",
            ExpressionAttributeNames={"#owner": names.KEY_OWNER},
            ExpressionAttributeValues={":owner": {"S": owner}},
        )
        for page in pages:
            for row in page["Items"]:
                expired = names.KEY_EXPIRES_MS in row and number(row, names.KEY_EXPIRES_MS) <= now_ms
                if row[names.KEY_STATUS]["S"] == ACTIVE and not expired:
                    yield row[names.KEY_PLAN]["S"]
