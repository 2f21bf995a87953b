"""Reading the audit trail: who changed what, month by month."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tallygate.aws.rows import Row
from tallygate.core import names
from tallygate.core.audit import AuditEntry, Change

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class AuditTrail:
    """What AuditLog recorded. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def entries(self, months: Iterable[str], since: str = "", subject: str | None = None) -> Iterator[AuditEntry]:
        """What was recorded in `months` (`2026-11`) from the time `since` on, in order, of all subjects or one."""
        for month in months:
            values = {":month": {"S": names.AUDIT_PREFIX + month}, ":since": {"S": since or "0"}}
            named = {"#pk": names.PK, "#sk": names.SK}
            of_subject: dict[str, Any] = {}
            if subject is not None:
                values[":subject"], named["#on"] = {"S": subject}, names.AUDIT_SUBJECT
                of_subject = {"FilterExpression": "#on = :subject"}
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="#pk = :month AND #sk >= :since",
                ExpressionAttributeNames=named,
                ExpressionAttributeValues=values,
                ConsistentRead=True,
                **of_subject,
            )
            for page in pages:
                yield from map(_entry, page["Items"])


def _entry(row: Row) -> AuditEntry:
    at, _, id = row[names.SK]["S"].partition("#")
    before, after = (
        json.loads(row[name]["S"]) if name in row else None for name in (names.AUDIT_BEFORE, names.AUDIT_AFTER)
    )
    change = Change(row[names.AUDIT_ACTION]["S"], row[names.AUDIT_SUBJECT]["S"], before, after)
    return AuditEntry(id, at, row[names.AUDIT_WHO]["S"], change)
