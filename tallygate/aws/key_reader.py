"""Key profiles, read from the gate: any replica of it will do."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tallygate.aws.gate_rows import overrides_of
from tallygate.aws.rows import Attributes, Row, number
from tallygate.core import names
from tallygate.core.credentials import ACTIVE
from tallygate.core.identifiers import is_key_id
from tallygate.core.key_fields import owner_of
from tallygate.core.key_profile import REVOKED, KeyProfile
from tallygate.core.names import pk_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE: Final = 100
"""Rows that are read at a time."""
_INDEX_KEYS: Final = (names.PK, names.SK, names.KEY_OWNER)


class InvalidCursorError(ValueError):
    """What was given as a cursor is none that a page of these keys ended with."""


class KeyPage(NamedTuple):
    """Some profiles, and from where to go on; None at the end."""

    profiles: list[KeyProfile]
    cursor: str | None


class KeyReader:
    """Keys in the gate. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def profiles(self, owner: str | None = None) -> Iterator[KeyProfile]:
        """The keys of one owner, or of all. From the index: a key made a moment ago may not be in it yet."""
        for rows, _ in self._pages(owner, None):
            yield from map(profile_of, rows)

    def page(
        self,
        most: int,
        cursor: str | None = None,
        owner: str | None = None,
        wanted: Callable[[KeyProfile], bool] = lambda _: True,
    ) -> KeyPage:
        """Up to `most` keys after `cursor`, of one owner or of all. From the index, in no order. InvalidCursorError."""
        found: list[KeyProfile] = []
        for rows, more in self._pages(owner, start_of(cursor, owner)):
            for position, row in enumerate(rows):
                profile = profile_of(row)
                if not wanted(profile):
                    continue
                found.append(profile)
                if len(found) == most:
                    is_last = not more and position == len(rows) - 1
                    return KeyPage(found, None if is_last else cursor_at(row))
        return KeyPage(found, None)

    def _pages(self, owner: str | None, start: Attributes | None) -> Iterator[tuple[list[Row], bool]]:
        """Rows of the index page by page, and whether there are more."""
        of_index: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": names.OWNER_INDEX,
            "PaginationConfig": {"PageSize": PAGE},
        }
        if start is not None:
            of_index["ExclusiveStartKey"] = start
        pages: Any
        if owner is None:
            pages = self._client.get_paginator("scan").paginate(**of_index)
        else:
            pages = self._client.get_paginator("query").paginate(
                **of_index,
                KeyConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": names.KEY_OWNER},
                ExpressionAttributeValues={":owner": {"S": owner}},
            )
        for page in pages:
            yield page["Items"], "LastEvaluatedKey" in page


def profile_of(row: Row) -> KeyProfile:
    """A profile from its row, or from what the index of owners has of it."""

    def text(name: str) -> str | None:
        return row[name]["S"] if name in row else None

    def texts(name: str) -> tuple[str, ...]:
        return tuple(sorted(row[name]["SS"])) if name in row else ()

    return KeyProfile(
        id=row[names.PK]["S"].partition("#")[2],
        owner=row[names.KEY_OWNER]["S"],
        plan=row[names.KEY_PLAN]["S"],
        status=REVOKED if row[names.KEY_STATUS]["S"] == REVOKED else ACTIVE,
        created=row[names.KEY_CREATED]["S"],
        expires_ms=int(row[names.KEY_EXPIRES_MS]["N"]) if names.KEY_EXPIRES_MS in row else None,
        note=text(names.KEY_NOTE),
        referers=texts(names.KEY_REFERERS),
        addresses=texts(names.KEY_ADDRESSES),
        rotated_from=text(names.KEY_ROTATED_FROM),
        rotated_to=text(names.KEY_ROTATED_TO),
        counted_as=text(names.KEY_COUNTED_AS),
        overrides=overrides_of(row),
        revision=number(row, names.KEY_REVISION),
    )


def profile_key(id: str) -> Attributes:
    """Where the profile of a key stands."""
    return {names.PK: {"S": pk_of("key", id)}, names.SK: {"S": names.PROFILE_SK}}


def cursor_at(row: Row) -> str:
    """The cursor of a page that ends with this row of the index."""
    values = [row[name]["S"] for name in _INDEX_KEYS]
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def start_of(cursor: str | None, owner: str | None) -> Attributes | None:
    """Where a page goes on. A cursor is its caller's to change: it must name a profile, and one of that owner; else the
    store would refuse it, as if it were out of order."""
    if cursor is None:
        return None
    try:
        pk, sk, of = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        kind, _, id = str(pk).partition("#")
        if not (kind == "key" and is_key_id(id) and sk == names.PROFILE_SK and owner_of(of) == of):
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise InvalidCursorError("the cursor is none that a page ended with") from None
    if owner is not None and of != owner:
        raise InvalidCursorError("the cursor is of another owner's keys")
    return {name: {"S": str(value)} for name, value in zip(_INDEX_KEYS, (pk, sk, of), strict=True)}
