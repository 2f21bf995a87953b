"""Key profiles in the gate, written in the administrative region only. A secret comes nowhere near: its id and its hash
are kept."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tallygate.aws.audit_log import AuditLog, ConflictError, RefusedWriteError, transact
from tallygate.aws.gate_rows import overrides_of
from tallygate.aws.rows import Attributes, Row, limit_row, number
from tallygate.core import names
from tallygate.core.credentials import ACTIVE
from tallygate.core.key_admin import Edit, KeyExistsError, StaleError, StoredProfile, TokenUsedError
from tallygate.core.key_profile import REVOKED, KeyProfile
from tallygate.core.names import pk_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

PAGE: Final = 100
"""Rows that are read at a time."""
_INDEX_KEYS: Final = (names.PK, names.SK, names.KEY_OWNER)


class InvalidCursorError(ValueError):
    """What was given as a cursor is none that a page of these keys ended with."""


class KeyPage(NamedTuple):
    """Some profiles, and from where to go on; None at the end."""

    profiles: list[KeyProfile]
    cursor: str | None


class KeyStore:
    """Keys in the gate. `log` records each change, in one transaction with it; without one, changes are not recorded.
    What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str, log: AuditLog | None = None) -> None:
        self._client = client
        self._table = table
        self._log = log

    def find(self, id: str) -> StoredProfile | None:
        """See Keys.find."""
        row = self._client.get_item(TableName=self._table, Key=_key(id), ConsistentRead=True).get("Item")
        if row is None or names.KEY_HASH not in row:
            return None
        return StoredProfile(profile_of(row), row[names.KEY_HASH]["S"])

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
        for rows, more in self._pages(owner, _start_of(cursor, owner)):
            for position, row in enumerate(rows):
                profile = profile_of(row)
                if not wanted(profile):
                    continue
                found.append(profile)
                if len(found) == most:
                    is_last = not more and position == len(rows) - 1
                    return KeyPage(found, None if is_last else _cursor_at(row))
        return KeyPage(found, None)

    def write(self, edit: Edit, now_ms: int) -> None:
        """See Keys.write."""
        writes: list[TransactWriteItemTypeDef] = []
        if edit.added is not None:
            writes.append(self._put(edit.added))
        if edit.changed is not None:
            writes.append(self._update(*edit.changed))
        if edit.request is not None and self._log is not None:
            # The token is its caller's own, and may be a secret of theirs.
            name = hashlib.sha256(f"{self._log.who}\n{edit.request.token}".encode()).hexdigest()
            writes.insert(0, self._log.claim(name, edit.request.key, now_ms))
        if self._log is not None:
            writes += [self._log.entry(change, now_ms) for change in edit.changes]
        try:
            transact(self._client, writes)
        except ConflictError as error:
            raise StaleError(str(error)) from error
        except RefusedWriteError as error:
            refused = writes[error.index]
            if error.item is not None and edit.request is not None and error.index == 0:
                raise TokenUsedError(error.item[names.CLAIM_BY]["S"]) from None
            if "Put" in refused and edit.added is not None:
                raise KeyExistsError(edit.added.profile.id) from None
            raise StaleError(edit.changes[0].subject) from None

    def _put(self, stored: StoredProfile) -> "TransactWriteItemTypeDef":
        return {
            "Put": {
                "TableName": self._table,
                "Item": _row(stored),
                "ConditionExpression": "attribute_not_exists(#pk)",
                "ExpressionAttributeNames": {"#pk": names.PK},
            }
        }

    def _update(self, before: KeyProfile, after: KeyProfile) -> "TransactWriteItemTypeDef":
        """What the profile holds besides (its hash, adjustments of quotas) stays."""
        was, new = _fields(before), _fields(after)
        new[names.KEY_REVISION] = {"N": str(before.revision + 1)}
        changed = {name: value for name, value in new.items() if was.get(name) != value}
        removed = [name for name in was if name not in new]
        named = {f"#{name}": name for name in (*changed, *removed)} | {"#hash": names.KEY_HASH}
        named["#v"] = names.KEY_REVISION
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in changed)
        if removed:
            update += " REMOVE " + ", ".join(f"#{name}" for name in removed)
        values = {f":{name}": value for name, value in changed.items()}
        condition = "attribute_exists(#hash) AND "
        if before.revision:
            condition += "#v = :read"
            values[":read"] = {"N": str(before.revision)}
        else:
            condition += "attribute_not_exists(#v)"
        return {
            "Update": {
                "TableName": self._table,
                "Key": _key(before.id),
                "UpdateExpression": update,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": named,
                "ExpressionAttributeValues": values,
            }
        }

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


def _key(id: str) -> Attributes:
    return {names.PK: {"S": pk_of("key", id)}, names.SK: {"S": names.PROFILE_SK}}


def _row(stored: StoredProfile) -> Attributes:
    return _key(stored.profile.id) | _fields(stored.profile) | {names.KEY_HASH: {"S": stored.hash}}


def _fields(profile: KeyProfile) -> Attributes:
    row: Attributes = {
        names.KEY_OWNER: {"S": profile.owner},
        names.KEY_PLAN: {"S": profile.plan},
        names.KEY_STATUS: {"S": profile.status},
        names.KEY_CREATED: {"S": profile.created},
    }
    for name, text in (
        (names.KEY_NOTE, profile.note),
        (names.KEY_ROTATED_FROM, profile.rotated_from),
        (names.KEY_ROTATED_TO, profile.rotated_to),
        (names.KEY_COUNTED_AS, profile.counted_as),
    ):
        if text is not None:
            row[name] = {"S": text}
    for name, texts in ((names.KEY_REFERERS, profile.referers), (names.KEY_ADDRESSES, profile.addresses)):
        if texts:
            row[name] = {"SS": list(texts)}
    if profile.expires_ms is not None:
        row[names.KEY_EXPIRES_MS] = {"N": str(profile.expires_ms)}
    if profile.overrides:
        row[names.KEY_OVERRIDES] = {"L": [{"M": limit_row(limit)} for limit in profile.overrides]}
    if profile.revision:
        row[names.KEY_REVISION] = {"N": str(profile.revision)}
    return row


def _cursor_at(row: Row) -> str:
    values = [row[name]["S"] for name in _INDEX_KEYS]
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def _start_of(cursor: str | None, owner: str | None) -> Attributes | None:
    """Where a page goes on. A cursor is its caller's to change: it must name a profile, and one of that owner."""
    if cursor is None:
        return None
    try:
        pk, sk, of = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not (str(pk).startswith(pk_of("key", "")) and sk == names.PROFILE_SK and isinstance(of, str) and of):
            raise ValueError
    except (ValueError, TypeError):
        raise InvalidCursorError("the cursor is none that a page ended with") from None
    if owner is not None and of != owner:
        raise InvalidCursorError("the cursor is of another owner's keys")
    return {name: {"S": str(value)} for name, value in zip(_INDEX_KEYS, (pk, sk, of), strict=True)}
