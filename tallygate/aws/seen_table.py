"""Payload digests in DynamoDB: small items of the tally table, read with strong consistency."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from tallygate.aws.dynamodb import store_errors
from tallygate.aws.rows import Row, seen_row, seen_sk, sightings_of, statistics_attributes
from tallygate.core import names
from tallygate.core.seen import BatchStatistics, SeenBatch, Sighting, bucket_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_AFTER_DIGITS: Final = ":"
"""Sorts after every digit: the end of a minute's keys."""


def clock_ms() -> int:
    return time.time_ns() // 1_000_000


class SeenTable:
    """SeenStore on the tally table of a home."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Callable[[], int] = clock_ms) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def writers(self) -> list[str]:
        """See SeenStore.writers."""
        rows = self._query("#pk = :pk", {":pk": {"S": names.WRITERS_PK}}, {"#pk": names.PK})
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

    def seen(self, writer: str, from_ms: int, to_ms: int) -> Iterator[Sighting]:
        """See SeenStore.seen. One range of keys: the minutes of arrival."""
        rows = self._query(
            "#pk = :pk AND #sk BETWEEN :from AND :to",
            {
                ":pk": {"S": names.SEEN_PREFIX + writer},
                ":from": {"S": seen_sk(max(0, bucket_of(from_ms)))},
                ":to": {"S": seen_sk(max(0, bucket_of(to_ms)), _AFTER_DIGITS)},
            },
            {"#pk": names.PK, "#sk": names.SK},
        )
        for row in rows:
            yield from sightings_of(row)

    def keep(
        self, writer: str, batch: SeenBatch, expires_seconds: int, statistics: BatchStatistics | None = None
    ) -> None:
        """See SeenStore.keep. The last row has the statistics."""
        rows = [seen_row(writer, bucket_ms, part, expires_seconds) for bucket_ms, part in batch.by_bucket()]
        if statistics is not None:
            rows[-1] |= statistics_attributes(statistics, self._clock())
        for row in rows:
            self._put(row)

    def _put(self, item: dict[str, dict[str, Any]]) -> None:
        with store_errors():
            self._client.put_item(TableName=self._table, Item=item)

    def _query(
        self, condition: str, values: dict[str, dict[str, str]], attribute_names: dict[str, str]
    ) -> Iterator[Row]:
        start: dict[str, Any] = {}
        while True:
            with store_errors():
                page = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ExpressionAttributeNames=attribute_names,
                    ConsistentRead=True,
                    **start,
                )
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
