"""Key profiles in the gate, written in the administrative region only. A secret comes nowhere near: its id and its hash
are kept."""

import hashlib
from typing import TYPE_CHECKING

from tallygate.aws.audit_log import AuditLog, ConflictError, RefusedWriteError, transact
from tallygate.aws.key_reader import KeyReader, profile_key, profile_of
from tallygate.aws.rows import Attributes, limit_row
from tallygate.core import names
from tallygate.core.key_admin import Edit, KeyExistsError, StaleError, StoredProfile, TokenUsedError
from tallygate.core.key_profile import KeyProfile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


class KeyStore(KeyReader):
    """Keys in the gate, read and written. `log` records each change, in one transaction with it; without one, changes
    are not recorded. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str, log: AuditLog | None = None) -> None:
        super().__init__(client, table)
        self._log = log

    def find(self, id: str) -> StoredProfile | None:
        """See Keys.find."""
        row = self._client.get_item(TableName=self._table, Key=profile_key(id), ConsistentRead=True).get("Item")
        if row is None or names.KEY_HASH not in row:
            return None
        return StoredProfile(profile_of(row), row[names.KEY_HASH]["S"])

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
                "Key": profile_key(before.id),
                "UpdateExpression": update,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": named,
                "ExpressionAttributeValues": values,
            }
        }


def _row(stored: StoredProfile) -> Attributes:
    return profile_key(stored.profile.id) | _fields(stored.profile) | {names.KEY_HASH: {"S": stored.hash}}


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
