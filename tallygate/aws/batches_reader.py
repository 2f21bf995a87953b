"""How counting keeps up, in one home: the last batches of each writer, from beside the digests of their payloads; and
where each stands in the stream."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import ClientError

from tallygate.aws.dynamodb import error_code
from tallygate.aws.rows import Row, number
from tallygate.core import names
from tallygate.core.batches import MAX_BATCHES, CountedBatch

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient

_NOT_NOW: Final = frozenset(
    {
        "ExpiredIteratorException",
        "InvalidArgumentException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "ResourceNotFoundException",
    }
)
"""Answers of a shard that is closed and forgotten, or that others are reading at this moment (Kinesis API reference,
GetShardIterator and GetRecords): nothing is said of it then."""


class BatchesReader:
    """Batches of the writers of a home. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def writers(self, now_ms: int) -> list[str]:
        """Those whose records the stream may still hold."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="#pk = :pk",
            ExpressionAttributeNames={"#pk": names.PK},
            ExpressionAttributeValues={":pk": {"S": names.WRITERS_PK}},
        )
        return [row[names.SK]["S"] for row in answer["Items"] if number(row, names.EXPIRES) * 1000 > now_ms]

    def batches(self, writer: str) -> list[CountedBatch]:
        """The last MAX_BATCHES of a writer, in order."""
        fields = {
            "#sk": names.SK,
            "#counted": names.SEEN_COUNTED_MS,
            "#lines": names.SEEN_LINES,
            "#at": names.AT_MS,
            "#lag": names.LAG_MS,
            "#published": names.SEEN_PUBLISHED,
        }
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="#pk = :pk",
            ProjectionExpression=", ".join(fields),
            ExpressionAttributeNames={"#pk": names.PK, **fields},
            ExpressionAttributeValues={":pk": {"S": names.SEEN_PREFIX + writer}},
            ScanIndexForward=False,
            Limit=MAX_BATCHES,
        )
        # Of a batch that arrived over several minutes, the last row alone has the statistics.
        return sorted(_batch(row) for row in answer["Items"] if names.SEEN_COUNTED_MS in row)


def _batch(row: Row) -> CountedBatch:
    return CountedBatch(
        last=int(row[names.SK]["S"].rpartition("#")[2]),
        counted_ms=number(row, names.SEEN_COUNTED_MS),
        lines=number(row, names.SEEN_LINES),
        called_ms=number(row, names.AT_MS),
        arrival_ms=number(row, names.LAG_MS),
        published=number(row, names.SEEN_PUBLISHED),
    )


class Backlog(NamedTuple):
    """How far the end of a shard is away, and when the first record that is not counted arrived; None where none is
    there."""

    behind_ms: int
    waiting_since_ms: int | None


class StreamPositions:
    """Asks the stream of one home how much of it is not counted. It looks at one record's time, and never at what is in
    it. A shard takes five reads a second, of which the consumer makes one: not to be asked for fun."""

    def __init__(self, client: "KinesisClient", stream: str) -> None:
        self._client = client
        self._stream = stream

    def created_seconds(self) -> int:
        """When the stream was made: writers of an earlier one have another time in their names."""
        summary = self._client.describe_stream_summary(StreamName=self._stream)["StreamDescriptionSummary"]
        return int(summary["StreamCreationTimestamp"].timestamp())

    def after(self, writer: str, created_seconds: int, last: int) -> Backlog | None:
        """What is behind the record `last` of a writer (see WriterNames in functions/log_consumer); None where its
        shard cannot be asked: it belongs to another stream, is forgotten, or is being read too often."""
        shard, _, created = writer.partition(".")
        if created != f"{created_seconds:x}":
            return None
        try:
            iterator = self._client.get_shard_iterator(
                StreamName=self._stream,
                ShardId=f"shardId-{int(shard, 16):012d}",
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                StartingSequenceNumber=str(last),
            )["ShardIterator"]
            answer = self._client.get_records(ShardIterator=iterator, Limit=1)
        except ClientError as error:
            if error_code(error) in _NOT_NOW:
                return None
            raise
        arrived: list[datetime] = [record["ApproximateArrivalTimestamp"] for record in answer["Records"]]
        waiting_since_ms = round(arrived[0].timestamp() * 1000) if arrived else None
        return Backlog(answer.get("MillisBehindLatest", 0), waiting_since_ms)


def messages_in(client: "SQSClient", queue: str) -> Mapping[str, int]:
    """How many messages a queue holds, about: `waiting`, and `in_flight` those that somebody is looking at."""
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    attributes = client.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    return {
        "waiting": int(attributes["ApproximateNumberOfMessages"]),
        "in_flight": int(attributes["ApproximateNumberOfMessagesNotVisible"]),
    }
