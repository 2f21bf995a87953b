"""Key profiles in the gate, written in the administrative region only. A secret comes in and is not kept, only its id
and its hash are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import ClientError

from tallygate.aws.dynamodb import CONDITION_FAILED, error_code
from tallygate.aws.rows import Attributes, Row
from tallygate.core import names
from tallygate.core.keys import key_id, secret_hash
from tallygate.core.lines import format_timestamp
from tallygate.core.names import pk_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KeyStatus = Literal["active", "revoked"]
ACTIVE: Final[KeyStatus] = "active"
REVOKED: Final[KeyStatus] = "revoked"


class KeyExistsError(Exception):
    """A profile with this id is there already; it stays as it is."""


class UnknownKeyError(Exception):
    """There is no profile with this id."""


@dataclass(frozen=True, slots=True)
class KeyProfile:
    """What is known of a key but its hash. `created` is an RFC 3339 time in UTC; `expires_ms` is None for never."""

    id: str
    owner: str
    plan: str
    status: KeyStatus
    created: str
    expires_ms: int | None = None
    note: str | None = None


class KeyStore:
    """Profiles of API keys. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def create(
        self, secret: str, *, owner: str, plan: str, now_ms: int, expires_ms: int | None = None, note: str | None = None
    ) -> KeyProfile:
        """Give out a key. KeyExistsError when its id is taken, which chance alone will not bring about."""
        profile = KeyProfile(key_id(secret), owner, plan, ACTIVE, format_timestamp(now_ms), expires_ms, note)
        try:
            self._client.put_item(
                TableName=self._table,
                Item=_row(profile) | {names.KEY_HASH: {"S": secret_hash(secret)}},
                ConditionExpression="attribute_not_exists(#pk)",
                ExpressionAttributeNames={"#pk": names.PK},
            )
        except ClientError as error:
            if error_code(error) == CONDITION_FAILED:
                raise KeyExistsError(profile.id) from None
            raise
        return profile

    def find(self, id: str) -> KeyProfile | None:
        """The profile of a key, None when there is none."""
        row = self._client.get_item(TableName=self._table, Key=_key(id), ConsistentRead=True).get("Item")
        return _profile(row) if row else None

    def profiles(self, owner: str | None = None) -> Iterator[KeyProfile]:
        """The keys of one owner, or of all. From the index: a key made a moment ago may not be in it yet."""
        of_owner: dict[str, Any] = {"TableName": self._table, "IndexName": names.OWNER_INDEX}
        pages: Any
        if owner is None:
            pages = self._client.get_paginator("scan").paginate(**of_owner)
        else:
            pages = self._client.get_paginator("query").paginate(
                **of_owner,
                KeyConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": names.KEY_OWNER},
                ExpressionAttributeValues={":owner": {"S": owner}},
            )
        for page in pages:
            for row in page["Items"]:
                yield _profile(row)

    def revoke(self, id: str) -> KeyProfile:
        """Refuse a key from now on; every region knows within 30 s. UnknownKeyError when there is no such key."""
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(id),
                UpdateExpression="SET #status = :revoked",
                ConditionExpression="attribute_exists(#pk)",
                ExpressionAttributeNames={"#status": names.KEY_STATUS, "#pk": names.PK},
                ExpressionAttributeValues={":revoked": {"S": REVOKED}},
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error_code(error) == CONDITION_FAILED:
                raise UnknownKeyError(id) from None
            raise
        return _profile(answer["Attributes"])


def _key(id: str) -> Attributes:
    return {names.PK: {"S": pk_of("key", id)}, names.SK: {"S": names.PROFILE_SK}}


def _row(profile: KeyProfile) -> Attributes:
    row = _key(profile.id) | {
        names.KEY_OWNER: {"S": profile.owner},
        names.KEY_PLAN: {"S": profile.plan},
        names.KEY_STATUS: {"S": profile.status},
        names.KEY_CREATED: {"S": profile.created},
    }
    if profile.expires_ms is not None:
        row[names.KEY_EXPIRES_MS] = {"N": str(profile.expires_ms)}
    if profile.note is not None:
        row[names.KEY_NOTE] = {"S": profile.note}
    return row


def _profile(row: Row) -> KeyProfile:
    return KeyProfile(
        id=row[names.PK]["S"].partition("#")[2],
        owner=row[names.KEY_OWNER]["S"],
        plan=row[names.KEY_PLAN]["S"],
        status=REVOKED if row[names.KEY_STATUS]["S"] == REVOKED else ACTIVE,
        created=row[names.KEY_CREATED]["S"],
        expires_ms=int(row[names.KEY_EXPIRES_MS]["N"]) if names.KEY_EXPIRES_MS in row else None,
        note=row[names.KEY_NOTE]["S"] if names.KEY_NOTE in row else None,
    )
