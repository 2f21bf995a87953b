"""The tally in DynamoDB: one UpdateItem for an item and flush, no read, no transaction."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from tallygate.aws.dynamodb import CONDITION_FAILED, error_code, store_errors
from tallygate.aws.rows import Attributes, counts_of, sequence_bytes, tally_item
from tallygate.core import names
from tallygate.core.tally import ItemKey, Update, Written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def _key(key: ItemKey) -> Attributes:
    return {names.PK: {"S": key.pk}, names.SK: {"S": key.sk}}


class TallyTable:
    """TallyStore on the tally table of a home."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def add(self, update: Update) -> Written:
        """See TallyStore.add. The condition's failure brings the stored item with it, so a repeat costs no read
        either."""
        counts = counts_of(update.delta)
        adds = ", ".join(f"#{name} :{name}" for name in counts)
        attribute_names = {f"#{name}": name for name in counts}
        attribute_names |= {
            "#mark": names.WATERMARK_PREFIX + update.writer,
            "#flush": names.LAST_FLUSH_MS,
            "#ttl": names.EXPIRES,
        }
        values: Attributes = {f":{name}": {"N": str(count)} for name, count in counts.items()}
        values |= {
            ":first": {"B": sequence_bytes(update.first)},
            ":last": {"B": sequence_bytes(update.last)},
            ":flush": {"N": str(update.flushed_ms)},
            ":ttl": {"N": str(update.expires_seconds)},
        }
        try:
            with store_errors():
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=_key(update.key),
                    UpdateExpression=f"ADD {adds} SET #mark = :last, #flush = :flush, #ttl = :ttl",
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
