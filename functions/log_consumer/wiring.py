"""The consumer of a deployment: the core with its adapters, made once for each container."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final

import boto3
import orjson

from tallygate.aws.dynamodb import dynamodb_client
from tallygate.aws.gate_table import GateTable
from tallygate.aws.rejects_queue import RejectsQueue
from tallygate.aws.seen_table import SeenTable
from tallygate.aws.settings import LogConsumerSettings
from tallygate.aws.tally_table import TallyTable
from tallygate.core.consume import Consumer
from tallygate.core.counting import Came, CountingSettings, ForEach, Given
from tallygate.core.retention import DAY_SECONDS, HOUR_SECONDS, Retention
from tallygate.core.seen import SeenPayloads

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

PARALLEL_WRITES: Final = 8
"""Writes under way at once: a write is some milliseconds of waiting, and more threads than this wait for the
processor."""


class WriterNames:
    """The writer of a shard: the shard's number and the time that its stream was created, since a recreated stream
    uses the same shard ids again. Short: it is stored in every item of the tally."""

    def __init__(self, client: "KinesisClient") -> None:
        self._client = client
        self._created: dict[str, int] = {}

    def of(self, stream_arn: str, shard_id: str) -> str:
        """`3.6740f1a0` for `shardId-000000000003` of a stream created at 0x6740f1a0."""
        if stream_arn not in self._created:
            summary = self._client.describe_stream_summary(StreamARN=stream_arn)["StreamDescriptionSummary"]
            self._created[stream_arn] = int(summary["StreamCreationTimestamp"].timestamp())
        return f"{int(shard_id.removeprefix('shardId-')):x}.{self._created[stream_arn]:x}"


def build(settings: LogConsumerSettings) -> tuple[Consumer, WriterNames]:
    """The consumer that `settings` describe. Opens no connection yet."""
    client = dynamodb_client(connections=PARALLEL_WRITES)
    pool = ThreadPoolExecutor(PARALLEL_WRITES)
    retention = Retention(settings.stream_retention_hours, settings.history_days)
    consumer = Consumer(
        CountingSettings(
            home=settings.home,
            homes=len(settings.homes),
            publish=settings.publish,
            keep_items_seconds=retention.items_seconds,
            keep_keys_seconds=retention.keys_seconds,
        ),
        TallyTable(client, settings.tally_table),
        GateTable(client, settings.gate_table),
        RejectsQueue(boto3.client("sqs"), settings.rejects_queue_url, pool),
        SeenPayloads(
            SeenTable(client, settings.tally_table),
            window_ms=settings.dedupe_window_seconds * 1000,
            keep_seconds=settings.stream_retention_hours * HOUR_SECONDS + DAY_SECONDS,
        ),
        orjson.loads,
        for_each_in(pool),
    )
    return consumer, WriterNames(boto3.client("kinesis"))


def for_each_in(pool: ThreadPoolExecutor) -> ForEach:
    """ForEach on a pool of threads. Waits for all of them before it raises: nothing goes on writing after a batch
    failed."""

    def for_each(function: Callable[[Given], Came], entries: Sequence[Given], /) -> list[Came]:
        futures = [pool.submit(function, entry) for entry in entries]
        wait(futures)
        return [future.result() for future in futures]

    return for_each
