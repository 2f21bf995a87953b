"""The audit trail in the tally of the administrative region: not replicated, recoverable to any second, and written in
one transaction with what it records."""

import json
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tallygate.aws.dynamodb import error_code
from tallygate.aws.rows import Row
from tallygate.core import names
from tallygate.core.audit import RETENTION_DAYS, Change
from tallygate.core.lines import format_timestamp
from tallygate.core.periods import DAY_MS, day_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_CANCELLED: Final = "TransactionCanceledException"
_CONDITION: Final = "ConditionalCheckFailed"
_CONFLICT: Final = "TransactionConflict"


class RefusedWriteError(Exception):
    """The condition of the write at `index` did not hold, and nothing was written; `item` is what was there instead, if
    it was asked for."""

    def __init__(self, index: int, item: Row | None) -> None:
        super().__init__(f"the condition of write {index} does not hold")
        self.index, self.item = index, item


class ConflictError(Exception):
    """Another transaction was writing the same; nothing was written. Trying again may help."""


class AuditLog:
    """Changes by `who`, the ARN of an IAM principal."""

    def __init__(self, table: str, who: str) -> None:
        self._table = table
        self._who = who

    def entry(self, change: Change, now_ms: int) -> "TransactWriteItemTypeDef":
        """The record of `change`, for the transaction that makes it. It is never overwritten."""
        at = format_timestamp(now_ms)
        item: dict[str, Any] = {
            names.PK: {"S": names.AUDIT_PREFIX + day_of(now_ms).month},
            names.SK: {"S": f"{at}#{secrets.token_hex(4)}"},
            names.AUDIT_WHO: {"S": self._who},
            names.AUDIT_ACTION: {"S": change.action},
            names.AUDIT_SUBJECT: {"S": change.subject},
            names.EXPIRES: {"N": str((now_ms + RETENTION_DAYS * DAY_MS) // 1000)},
        }
        for name, document in ((names.AUDIT_BEFORE, change.before), (names.AUDIT_AFTER, change.after)):
            if document is not None:
                item[name] = {"S": json.dumps(document, ensure_ascii=False, separators=(",", ":"))}
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(#pk)",
                "ExpressionAttributeNames": {"#pk": names.PK},
            }
        }

    def claim(self, request: str, made: str, now_ms: int) -> "TransactWriteItemTypeDef":
        """That the request with this name made `made`, for its transaction; refused within a day of another."""
        return {
            "Put": {
                "TableName": self._table,
                "Item": {
                    names.PK: {"S": names.REQUEST_PREFIX + request},
                    names.SK: {"S": names.CLAIM_SK},
                    names.CLAIM_BY: {"S": made},
                    names.EXPIRES: {"N": str((now_ms + DAY_MS) // 1000)},
                },
                "ConditionExpression": "attribute_not_exists(#pk) OR #ttl <= :now",
                "ExpressionAttributeNames": {"#pk": names.PK, "#ttl": names.EXPIRES},
                "ExpressionAttributeValues": {":now": {"N": str(now_ms // 1000)}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    @property
    def who(self) -> str:
        return self._who


def transact(client: "DynamoDBClient", writes: Sequence["TransactWriteItemTypeDef"]) -> None:
    """All of `writes` or none. RefusedWriteError, ConflictError; what else AWS refuses is raised as it is."""
    try:
        client.transact_write_items(TransactItems=writes)
    except ClientError as error:
        if error_code(error) != _CANCELLED:
            raise
        response: Any = error.response
        reasons = response.get("CancellationReasons", [])
        for index, reason in enumerate(reasons):
            if reason.get("Code") == _CONDITION:
                raise RefusedWriteError(index, reason.get("Item")) from None
        if any(reason.get("Code") == _CONFLICT for reason in reasons):
            raise ConflictError("another transaction was writing the same") from None
        raise
