"""Payload digests in DynamoDB: small items of the tally table, read with strong consistency."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from tallygate.aws.dynamodb import store_errors
from tallygate.aws.rows import Row, seen_batch, seen_row, sequence_text
from tallygate.core import names
from tallygate.core.seen import SeenBatch

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PAGE: Final = 25
"""Items a read: there is mostly none above, and a window is left as soon as it ends."""


class SeenTable:
    """SeenStore on the tally table of a home."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def writers(self) -> list[str]:
        """See SeenStore.writers."""
        rows = self._query("#pk = :pk", {":pk": {"S": names.WRITERS_PK}}, {"#pk": names.PK}, forward=True)
        return [row[names.SK]["S"] for row in rows]

    def register(self, writer: str, expires_seconds: int) -> None:
        """See SeenStore.register."""
        self._put(
            {
                names.PK: {"S": names.WRITERS_PK},
                names.SK: {"S": writer},
                names.EXPIRES: {"N": str(expires_seconds)},
            }
        )

    def below(self, writer: str, sequence: int) -> Iterator[SeenBatch]:
        """See SeenStore.below."""
        return self._batches(writer, "<", sequence, forward=False)

    def above(self, writer: str, sequence: int) -> Iterator[SeenBatch]:
        """See SeenStore.above."""
        return self._batches(writer, ">", sequence, forward=True)

    def append(self, writer: str, batch: SeenBatch, expires_seconds: int) -> None:
        """See SeenStore.append."""
        self._put(seen_row(writer, batch, expires_seconds))

    def _batches(self, writer: str, side: str, sequence: int, *, forward: bool) -> Iterator[SeenBatch]:
        rows = self._query(
            f"#pk = :pk AND #sk {side} :sk",
            {":pk": {"S": names.SEEN_PREFIX + writer}, ":sk": {"S": sequence_text(sequence)}},
            {"#pk": names.PK, "#sk": names.SK},
            forward=forward,
        )
        return (seen_batch(row) for row in rows)

    def _put(self, item: dict[str, dict[str, Any]]) -> None:
        with store_errors():
            self._client.put_item(TableName=self._table, Item=item)

    def _query(
        self, condition: str, values: dict[str, dict[str, str]], attribute_names: dict[str, str], *, forward: bool
    ) -> Iterator[Row]:
        start: dict[str, Any] = {}
        while True:
            with store_errors():
                page = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ExpressionAttributeNames=attribute_names,
                    ScanIndexForward=forward,
                    ConsistentRead=True,
                    Limit=_PAGE,
                    **start,
                )
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
