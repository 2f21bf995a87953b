"""The index of owners, looked through for names: page by page, in no order."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tallygate.aws.key_reader import cursor_at, start_of
from tallygate.core import names

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_LOOKED_AT: Final = 5_000
"""Keys that one page looks at: an index entry is some 300 bytes, so that is about 200 read units."""
ROWS: Final = 500
"""Of one read."""


class FoundOwner(NamedTuple):
    """An owner, and the ids of its keys on this page of the index."""

    owner: str
    keys: set[str]


class OwnerPage(NamedTuple):
    """Owners that were looked for, and from where to go on; None at the end. There may be fewer than asked for, even
    none, and more to come."""

    found: list[FoundOwner]
    cursor: str | None


class OwnersKeys(NamedTuple):
    """How many keys an owner has, and the id of the first in the index; None without any."""

    number: int
    first: str | None


class OwnerIndex:
    """What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def page(self, most: int, cursor: str | None, wanted: Callable[[str], bool]) -> OwnerPage:
        """Up to `most` owners after `cursor`, each once. InvalidCursorError."""
        start: Any = start_of(cursor, None)
        found: dict[str, FoundOwner] = {}
        looked_at = 0
        while looked_at < MAX_LOOKED_AT:
            more = {"ExclusiveStartKey": start} if start is not None else {}
            answer = self._client.scan(
                TableName=self._table,
                IndexName=names.OWNER_INDEX,
                ProjectionExpression="#pk, #sk, #owner",
                ExpressionAttributeNames={"#pk": names.PK, "#sk": names.SK, "#owner": names.KEY_OWNER},
                Limit=ROWS,
                **more,
            )
            for row in answer["Items"]:
                owner = row[names.KEY_OWNER]["S"]
                if wanted(owner):
                    if owner not in found and len(found) == most:
                        return OwnerPage(list(found.values()), cursor)
                    found.setdefault(owner, FoundOwner(owner, set())).keys.add(row[names.PK]["S"].partition("#")[2])
                cursor = cursor_at(row)
            looked_at += len(answer["Items"])
            start = answer.get("LastEvaluatedKey")
            if start is None:
                return OwnerPage(list(found.values()), None)
        return OwnerPage(list(found.values()), cursor)

    def keys(self, owner: str) -> OwnersKeys:
        """How many keys it has."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=names.OWNER_INDEX,
            KeyConditionExpression="#owner = :owner",
            ProjectionExpression="#pk",
            ExpressionAttributeNames={"#pk": names.PK, "#owner": names.KEY_OWNER},
            ExpressionAttributeValues={":owner": {"S": owner}},
        )
        ids = [row[names.PK]["S"].partition("#")[2] for page in pages for row in page["Items"]]
        return OwnersKeys(len(ids), ids[0] if ids else None)
