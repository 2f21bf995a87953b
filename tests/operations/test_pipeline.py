"""How far counting is behind, from what writers leave beside their digests, and from a look at the end of the
stream."""

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tallygate.aws.seen_table import SeenTable
from tallygate.core.batches import MAX_BATCHES, CountedBatch, lines_per_second
from tallygate.core.history import InvalidParameterError
from tallygate.core.retention import Retention
from tallygate.core.seen import BatchStatistics, SeenBatch, Sighting
from tallygate.operations import pipeline
from tallygate.operations.errors import UnreachableError
from tallygate.operations.operations import Operations
from tallygate.operations.pipeline import GOOD_MS
from tallygate.operations.service import Service
from tests.operations.counted import NOW, REGIONS
from tests.stage_tables import HOMES, NAMES, Clients

VIRGINIA, IRELAND = HOMES
CREATED = 0x6740F1A0
WRITER = f"3.{CREATED:x}"
SEQUENCE = 10**55


class Stream:
    """A Kinesis client that knows one stream: records by sequence number, as arrival times in ms."""

    def __init__(self, arrived: dict[int, int]) -> None:
        self.arrived = arrived
        self.asked: list[str] = []
        self.fails: str | None = None

    def describe_stream_summary(self, StreamName: str) -> dict[str, Any]:
        assert StreamName == NAMES.stream
        return {"StreamDescriptionSummary": {"StreamCreationTimestamp": datetime.fromtimestamp(CREATED, UTC)}}

    def get_shard_iterator(self, ShardId: str, StartingSequenceNumber: str, **_: str) -> dict[str, Any]:
        self.asked.append(ShardId)
        return {"ShardIterator": StartingSequenceNumber}

    def get_records(self, ShardIterator: str, Limit: int) -> dict[str, Any]:
        if self.fails:
            raise ClientError({"Error": {"Code": self.fails, "Message": "no"}}, "GetRecords")
        waiting = [at_ms for number, at_ms in sorted(self.arrived.items()) if number > int(ShardIterator)]
        records = [
            {"ApproximateArrivalTimestamp": datetime.fromtimestamp(at_ms / 1000, UTC), "Data": b"somebody's address"}
            for at_ms in waiting[:Limit]
        ]
        return {"Records": records, "MillisBehindLatest": NOW - waiting[0] if waiting else 0}


@pytest.fixture
def streams(clients: Clients) -> dict[str, Stream]:
    for home in HOMES:
        boto3.client("sqs", region_name=home).create_queue(QueueName=NAMES.rejects_queue)
    return {home: Stream({}) for home in HOMES}


def operations(clients: Clients, streams: dict[str, Stream]) -> Operations:
    queues: Any = {home: boto3.client("sqs", region_name=home) for home in HOMES}
    given: Any = streams
    return Operations(clients, clients[VIRGINIA], given, queues, Service(NAMES, REGIONS, Retention(24, 400)))


def flush(
    clients: Clients, number: int, counted_ms: int, *, lines: int = 10, published: int = 0, home: str = VIRGINIA
) -> None:
    """A batch of two payloads, whose calls came 3 s before it arrived, which was 400 ms before it was counted."""
    arrived_ms = counted_ms - 400
    store = SeenTable(clients[home], NAMES.tally_table, clock=lambda: counted_ms)
    store.register(WRITER, NOW // 1000 + 86_400)
    sightings = tuple(
        Sighting(SEQUENCE + number * 10 + place, arrived_ms, bytes([number, place]) * 8) for place in (0, 1)
    )
    statistics = BatchStatistics(lines, arrived_ms - 3_000, 3_000, published)
    store.keep(WRITER, SeenBatch(sightings), NOW // 1000 + 86_400, statistics)


def test_a_writer_is_told_by_its_last_batches_and_its_place_in_the_stream(
    clients: Clients, streams: dict[str, Stream]
) -> None:
    flush(clients, 1, NOW - 90_000, lines=1_000, published=2)
    flush(clients, 2, NOW - 20_000, lines=90, published=1)
    flush(clients, 3, NOW - 5_000, lines=30)
    streams[VIRGINIA].arrived = {SEQUENCE + 31: NOW - 5_400, SEQUENCE + 40: NOW - 1_500, SEQUENCE + 41: NOW - 700}
    document = json.loads(json.dumps(operations(clients, streams).pipeline({}, NOW)))
    (writer,) = document["writers"]
    recent = writer.pop("recent")
    assert writer == {
        "home": VIRGINIA,
        "writer": WRITER,
        "counted_at": "2026-11-20T11:59:55.123Z",
        "delay_ms": {"arrival": 3_000, "counted": 3_400, "published": 3_400},
        "lines_per_second": 2.0,
        "behind_ms": 1_500,
        "waiting_since": "2026-11-20T11:59:58.623Z",
    }
    assert [row["lines"] for row in recent] == [1_000, 90, 30]
    assert recent[0] == {"at": "2026-11-20T11:58:30.123Z", "lines": 1_000, "arrival_ms": 3_000, "counted_ms": 3_400}
    assert streams[VIRGINIA].asked == ["shardId-000000000003"]
    assert "address" not in json.dumps(document), "what is in a record is nobody's business here"


def test_a_batch_without_a_line_tells_nothing_of_calls(clients: Clients, streams: dict[str, Stream]) -> None:
    flush(clients, 1, NOW - 9_000, lines=4)
    flush(clients, 2, NOW - 1_000, lines=0)
    (writer,) = operations(clients, streams).pipeline({}, NOW)["writers"]
    assert writer["counted_at"] == "2026-11-20T11:59:59.123Z"
    assert [row["lines"] for row in writer["recent"]] == [4]
    assert writer["delay_ms"]["counted"] == 3_400


def test_of_many_writers_fewer_batches_are_told(
    clients: Clients, streams: dict[str, Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    for home in HOMES:
        for number in range(4):
            flush(clients, number, NOW - 9_000 + number * 1_000, lines=number + 1, home=home)
    monkeypatch.setattr(pipeline, "MAX_ROWS", 5)
    writers = operations(clients, streams).pipeline({}, NOW)["writers"]
    assert [[row["lines"] for row in writer["recent"]] for writer in writers] == [[3, 4], [3, 4]]


def test_homes_without_calls_have_no_writers_and_rejects_are_counted(
    clients: Clients, streams: dict[str, Stream]
) -> None:
    queue = boto3.client("sqs", region_name=IRELAND)
    url = queue.get_queue_url(QueueName=NAMES.rejects_queue)["QueueUrl"]
    for _ in range(3):
        queue.send_message(QueueUrl=url, MessageBody="x")
    queue.receive_message(QueueUrl=url, VisibilityTimeout=60)
    document = operations(clients, streams).pipeline({}, NOW)
    assert document["writers"] == []
    assert document["rejects"] == [
        {"home": VIRGINIA, "waiting": 0, "in_flight": 0},
        {"home": IRELAND, "waiting": 2, "in_flight": 1},
    ]


def test_nothing_waits_behind_the_last_record(clients: Clients, streams: dict[str, Stream]) -> None:
    flush(clients, 1, NOW - 1_000)
    (writer,) = operations(clients, streams).pipeline({}, NOW)["writers"]
    assert (writer["behind_ms"], writer["waiting_since"], writer["delay_ms"]["published"]) == (0, None, None)


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ResourceNotFoundException"])
def test_a_shard_that_cannot_be_asked_now_is_told_without_its_backlog(
    clients: Clients, streams: dict[str, Stream], code: str
) -> None:
    flush(clients, 1, NOW - 1_000)
    streams[VIRGINIA].fails = code
    (writer,) = operations(clients, streams).pipeline({}, NOW)["writers"]
    assert (writer["behind_ms"], writer["counted_at"]) == (None, "2026-11-20T11:59:59.123Z")


def test_a_writer_of_a_stream_that_was_recreated_is_not_looked_for_in_the_new_one(
    clients: Clients, streams: dict[str, Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "WRITER", f"3.{CREATED - 1:x}")
    flush(clients, 1, NOW - 1_000)
    (writer,) = operations(clients, streams).pipeline({}, NOW)["writers"]
    assert (writer["behind_ms"], streams[VIRGINIA].asked) == (None, [])


def test_a_stream_that_may_not_be_read_is_named(clients: Clients, streams: dict[str, Stream]) -> None:
    flush(clients, 1, NOW - 1_000, home=IRELAND)
    streams[IRELAND].fails = "AccessDeniedException"
    with pytest.raises(UnreachableError, match="the stream in eu-west-1"):
        operations(clients, streams).pipeline({}, NOW)


def test_an_answer_stands_for_some_seconds(clients: Clients, streams: dict[str, Stream]) -> None:
    """However many look, a shard's few reads are left to the consumer."""
    flush(clients, 1, NOW - 1_000)
    asked = operations(clients, streams)
    told = [asked.pipeline({}, NOW + after_ms)["at"] for after_ms in (0, GOOD_MS - 1, GOOD_MS)]
    assert told == ["2026-11-20T12:00:00.123Z", "2026-11-20T12:00:00.123Z", "2026-11-20T12:00:05.123Z"]
    assert len(streams[VIRGINIA].asked) == 2


def test_a_batch_over_several_minutes_is_told_once_and_its_digests_are_whole(clients: Clients) -> None:
    store = SeenTable(clients[VIRGINIA], NAMES.tally_table, clock=lambda: NOW)
    store.register(WRITER, NOW // 1000 + 60)
    batch = SeenBatch(
        tuple(Sighting(SEQUENCE + place, NOW - 130_000 + place * 60_000, bytes(16)) for place in range(3))
    )
    store.keep(WRITER, batch, NOW // 1000 + 60, BatchStatistics(5, NOW - 60_000, 1_000, 0))
    assert sorted(store.seen(WRITER, NOW - 200_000, NOW)) == list(batch.sightings)
    rows = clients[VIRGINIA].scan(TableName=NAMES.tally_table)["Items"]
    told = [row["sk"]["S"][-2:] for row in rows if "lines" in row]
    assert told == ["02"], "the last of them"


def test_there_is_nothing_to_choose(clients: Clients, streams: dict[str, Stream]) -> None:
    with pytest.raises(InvalidParameterError, match="there are no parameters"):
        operations(clients, streams).pipeline({"home": VIRGINIA}, NOW)


@pytest.mark.parametrize(
    ("every_ms", "count", "rate"),
    [(5_000, 12, 20.0), (5_000, MAX_BATCHES, 20.0), (200, MAX_BATCHES, 500.0), (5_000, 0, 0.0)],
)
def test_lines_per_second_are_those_of_the_last_minute_or_of_as_long_as_is_known(
    every_ms: int, count: int, rate: float
) -> None:
    batches = [CountedBatch(number, NOW - (count - 1 - number) * every_ms, 100, 0, 0, 0) for number in range(count)]
    assert lines_per_second(batches, NOW) == pytest.approx(rate)
