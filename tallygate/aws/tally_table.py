"""The tally in DynamoDB: one UpdateItem for an item and flush, no read, no transaction."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import ClientError

from tallygate.aws.dynamodb import CONDITION_FAILED, error_code, store_errors
from tallygate.aws.rows import Attributes, claim_row, counts_of, sequence_bytes, tally_item
from tallygate.core import names
from tallygate.core.tally import CLAIM_MS, Addition, Claim, Claimed, ItemKey, StoreError, TallyItem, Update, Written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_CLAIM_REFUSED: Final = "ConditionalCheckFailed"
"""Reason of a cancelled transaction whose first item, the claim, failed its condition."""
_PASSING: Final = frozenset({"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons of a cancelled transaction after which the same one may succeed (API reference, TransactWriteItems)."""


def _key(key: ItemKey) -> Attributes:
    return {names.PK: {"S": key.pk}, names.SK: {"S": key.sk}}


def _addition(addition: Update | Addition) -> tuple[str, dict[str, str], Attributes]:
    """The expression that adds, to which a list of settings may be appended, with its names and values."""
    counts = counts_of(addition)
    attribute_names = {f"#c{place}": name for place, name in enumerate(counts)}
    values: Attributes = {f":c{place}": {"N": str(count)} for place, count in enumerate(counts.values())}
    expression = f"ADD {', '.join(f'#c{place} :c{place}' for place in range(len(counts)))} SET"
    if addition.expires_seconds is not None:
        expression += " #ttl = :ttl,"
        attribute_names["#ttl"] = names.EXPIRES
        values[":ttl"] = {"N": str(addition.expires_seconds)}
    return expression, attribute_names, values


class TallyTable:
    """TallyStore on the tally table of a home."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def add(self, update: Update) -> Written:
        """See TallyStore.add. The condition's failure brings the stored item with it, so a repeat costs no read
        either."""
        expression, attribute_names, values = _addition(update)
        attribute_names |= {"#mark": names.WATERMARK_PREFIX + update.writer, "#flush": names.LAST_FLUSH_MS}
        values |= {
            ":first": {"B": sequence_bytes(update.first)},
            ":last": {"B": sequence_bytes(update.last)},
            ":flush": {"N": str(update.flushed_ms)},
        }
        try:
            with store_errors():
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=_key(update.key),
                    UpdateExpression=f"{expression} #mark = :last, #flush = :flush",
                    ConditionExpression="attribute_not_exists(#mark) OR #mark < :first",
                    ExpressionAttributeNames=attribute_names,
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_OLD",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            stored = cast("dict[str, Any]", error.response)["Item"]  # what ReturnValuesOnConditionCheckFailure brings
            return Written(False, tally_item(stored))
        return Written(True, tally_item(answer.get("Attributes", {})))

    def add_once(self, claim: Claim, additions: Sequence[Addition]) -> Claimed:
        """See TallyStore.add_once. Two write units for each item and the claim: only lines that ask for it pay them."""
        claiming: TransactWriteItemTypeDef = {
            "Put": {
                "TableName": self._table,
                "Item": claim_row(claim),
                "ConditionExpression": "attribute_not_exists(#at) OR (#at <= :free AND #by <> :by)",
                "ExpressionAttributeNames": {"#at": names.AT_MS, "#by": names.CLAIM_BY},
                "ExpressionAttributeValues": {":free": {"N": str(claim.at_ms - CLAIM_MS)}, ":by": {"S": claim.by}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }
        try:
            with store_errors():
                self._client.transact_write_items(TransactItems=[claiming, *map(self._adding, additions)])
        except ClientError as error:
            reasons = cast("dict[str, Any]", error.response).get("CancellationReasons", [])
            codes = [str(reason.get("Code")) for reason in reasons]
            if not codes or codes[0] != _CLAIM_REFUSED:
                if codes and all(code in _PASSING for code in codes):
                    raise StoreError(f"DynamoDB cancelled a transaction: {', '.join(codes)}") from error
                raise
            return "again" if reasons[0]["Item"][names.CLAIM_BY]["S"] == claim.by else "taken"
        return "added"

    def _adding(self, addition: Addition) -> "TransactWriteItemTypeDef":
        expression, attribute_names, values = _addition(addition)
        if addition.flushed_ms is not None:
            expression += " #flush = :flush"
            attribute_names["#flush"] = names.LAST_FLUSH_MS
            values[":flush"] = {"N": str(addition.flushed_ms)}
        return {
            "Update": {
                "TableName": self._table,
                "Key": _key(addition.key),
                "UpdateExpression": expression.removesuffix(",").removesuffix("SET"),
                "ExpressionAttributeNames": attribute_names,
                "ExpressionAttributeValues": values,
            }
        }

    def get(self, key: ItemKey) -> TallyItem:
        """See TallyStore.get."""
        with store_errors():
            answer = self._client.get_item(TableName=self._table, Key=_key(key), ConsistentRead=True)
        return tally_item(answer.get("Item", {}))

    def set_rank(self, key: ItemKey, partition: str, rank: int) -> None:
        """See TallyStore.set_rank."""
        self._update_if(
            key,
            "SET #top = :top, #rank = :rank",
            "attribute_not_exists(#rank) OR #rank < :rank",
            {"#top": names.RANK_PARTITION, "#rank": names.RANK},
            {":top": {"S": partition}, ":rank": {"N": str(rank)}},
        )

    def forget_writers(self, key: ItemKey, writers: Iterable[str]) -> None:
        """See TallyStore.forget_writers."""
        marks = {f"#w{number}": names.WATERMARK_PREFIX + writer for number, writer in enumerate(writers)}
        if marks:
            exists = {"#pk": names.PK}
            self._update_if(key, f"REMOVE {', '.join(marks)}", "attribute_exists(#pk)", marks | exists, {})

    def _update_if(
        self, key: ItemKey, update: str, condition: str, attribute_names: dict[str, str], values: Attributes
    ) -> None:
        optional: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        try:
            with store_errors():
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(key),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames=attribute_names,
                    **optional,
                )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
