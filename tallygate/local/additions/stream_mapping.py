"""Event source mappings from Kinesis streams, as Lambda has them: one reader per shard, in order.

A reader collects records until the batch size, 6 MB or the batching window (here: a short one) is reached, and invokes
the function. When that fails it tries again with the same records, halved if the mapping bisects, until it succeeds;
when the function names failed items, it goes on from the lowest. Source: Lambda Developer Guide, "Process Amazon
Kinesis Data Streams records with Lambda".

The emulator reads all mappings in one thread, knows no window, bisecting or partial answer (it drops the whole batch),
and keeps its place as an index into a list that is cut at the front. Retries are not limited here: our mappings never
discard.
"""

import bisect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tallygate.local.internals import part

logger = logging.getLogger("tallygate.local")

MAX_BATCH_BYTES: Final = 6_000_000
"""Invocation payload limit of Lambda."""
FIRST_RETRY_SECONDS: Final = 0.1
LONGEST_RETRY_SECONDS: Final = 5.0
BEFORE_ALL: Final = ""
"""Sorts before every sequence number: all of them have as many digits."""


@dataclass(frozen=True, slots=True)
class ShardOfMapping:
    account: str
    region: str
    mapping_id: str
    shard_id: str


class StreamMappings:
    """The readers of all Kinesis mappings. `longest_window_seconds` cuts the batching windows of the templates
    short."""

    def __init__(self, longest_window_seconds: float) -> None:
        self.longest_window_seconds = longest_window_seconds
        self.changed = threading.Condition()
        self.hurry_until = 0.0
        self._readers: dict[ShardOfMapping, ShardReader] = {}

    def poll(self) -> bool:
        """Starts the readers that are missing and wakes all; stands in for the emulator's own poller."""
        self._readers_of_mappings()
        self.wake()
        return False  # nothing was processed in the calling thread

    def wake(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def flush(self) -> None:
        """No batching window for the next second."""
        with self.changed:
            self.hurry_until = time.monotonic() + 1
            self.changed.notify_all()

    def progress(self) -> list[dict[str, Any]]:
        """For each shard that a mapping reads: how many records are not yet processed, and the last error since a
        success."""
        return [reader.progress() for reader in self._readers_of_mappings()]

    def go_back(self, stream: str, records: int, sizes: Sequence[int]) -> int:
        """Has the readers of a stream read again from `records` before where they are, in batches of `sizes` at first;
        an invocation under way counts for nothing. How many have records to read again."""
        readers = [reader for reader in self._readers_of_mappings() if reader.progress()["stream"] == stream]
        return sum(reader.go_back(records, sizes) for reader in readers)

    def forget(self, place: ShardOfMapping) -> None:
        """The reader there has ended."""
        with self.changed:
            self._readers.pop(place, None)

    def _readers_of_mappings(self) -> "list[ShardReader]":
        active = []
        for account, region, mapping in part("services.lambda_svc")._iter_all_esms():
            stream = stream_of(mapping)
            if stream is None:
                continue
            for shard_id in list(stream["shards"]):
                place = ShardOfMapping(account, region, mapping["UUID"], shard_id)
                with self.changed:
                    if place not in self._readers:
                        self._readers[place] = ShardReader(self, place, mapping)
                        self._readers[place].start()
                    active.append(self._readers[place])
        return active


class ShardReader:
    """Reads one shard for one mapping, from the mapping's starting position to the end of either."""

    def __init__(self, mappings: StreamMappings, place: ShardOfMapping, mapping: dict[str, Any]) -> None:
        self._mappings = mappings
        self._place = place
        self._mapping = mapping
        self._error: str | None = None
        self._went_back = False
        self._sizes: deque[int] = deque()
        records = self._records() or []
        from_the_start = mapping.get("StartingPosition") == "TRIM_HORIZON" or not records
        self._after = BEFORE_ALL if from_the_start else records[-1]["SequenceNumber"]

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name=f"shard-{self._place.shard_id}").start()

    def progress(self) -> dict[str, Any]:
        stream = self._mapping["EventSourceArn"].rpartition("/")[2]
        behind = len(self._unread())
        return {"stream": stream, "shard": self._place.shard_id, "behind": behind, "error": self._error}

    def go_back(self, records: int, sizes: Sequence[int]) -> bool:
        """See StreamMappings.go_back."""
        with self._mappings.changed:
            known = self._records() or []
            place = bisect.bisect_right(known, self._after, key=lambda record: record["SequenceNumber"]) - records
            self._after = known[place - 1]["SequenceNumber"] if place > 0 else BEFORE_ALL
            self._went_back = True
            self._sizes = deque(sizes)
            self._mappings.changed.notify_all()
            return bool(self._unread())

    def _run(self) -> None:
        size, failures = None, 0
        while self._records() is not None:
            batch = self._next_batch(size or int(self._mapping["BatchSize"]))
            if not batch:
                continue
            self._error = self._invoke(batch)
            if self._error is None:
                size, failures = None, 0
                continue
            failures += 1
            if self._mapping.get("BisectBatchOnFunctionError"):
                size = max(1, len(batch) // 2)
            logger.error("%s failed with %d records: %s", self._mapping["FunctionName"], len(batch), self._error)
            time.sleep(min(FIRST_RETRY_SECONDS * 2 ** (failures - 1), LONGEST_RETRY_SECONDS))
        self._mappings.forget(self._place)

    def _next_batch(self, size: int) -> list[dict[str, Any]]:
        """Waits for records, then for more until the window ends; at most `size` and 6 MB of them, or what was asked
        for when the mapping went back."""
        mappings = self._mappings
        with mappings.changed:
            mappings.changed.wait_for(self._unread, timeout=1)
            window = min(float(self._mapping.get("MaximumBatchingWindowInSeconds", 0)), mappings.longest_window_seconds)
            ends = time.monotonic() + window
            size = self._sizes.popleft() if self._sizes and self._unread() else size
            while len(self._unread()) < size and (now := time.monotonic()) < ends and mappings.hurry_until < now:
                if not self._unread():
                    return []
                mappings.changed.wait(timeout=ends - now)
            unread = self._unread()[:size]
            self._went_back = False
        batch: list[dict[str, Any]] = []
        total_bytes = 0
        for record in unread:
            total_bytes += len(record["Data"])
            if batch and total_bytes > MAX_BATCH_BYTES:
                break
            batch.append(record)
        return batch

    def _invoke(self, batch: list[dict[str, Any]]) -> str | None:
        """Invokes the function and moves on behind what it has processed; the error when that is not everything."""
        functions = part("services.lambda_svc")
        with part("core.responses").request_scope(self._place.account, self._place.region):
            function, _ = functions._get_func_record_for_qualifier(
                self._mapping["FunctionName"], self._mapping.get("Qualifier")
            )
            if function is None:
                return f"function {self._mapping['FunctionName']} does not exist"
            result = functions._execute_function(function, {"Records": [self._event(record) for record in batch]})
        answer = result.get("body")
        if result.get("error"):
            return str(answer.get("errorMessage") if isinstance(answer, dict) else answer)
        failed = _failed_items(answer) if "ReportBatchItemFailures" in self._mapping["FunctionResponseTypes"] else []
        done = [record for record in batch if not failed or record["SequenceNumber"] < min(failed)]
        with self._mappings.changed:
            if done and not self._went_back:
                self._after = done[-1]["SequenceNumber"]
        return f"the function reported {len(failed)} failed items" if failed else None

    def _event(self, record: dict[str, Any]) -> dict[str, Any]:
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": record["SequenceNumber"],
                "data": record["Data"],
                "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self._place.shard_id}:{record['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": f"arn:aws:iam::{self._place.account}:role/event-source-mapping",
            "awsRegion": self._place.region,
            "eventSourceARN": self._mapping["EventSourceArn"],
        }

    def _records(self) -> list[dict[str, Any]] | None:
        """The shard's records; None when the mapping, the stream or the shard is gone."""
        place, functions = self._place, part("services.lambda_svc")
        if functions._esms.get_scoped(place.account, place.region, place.mapping_id) is not self._mapping:
            return None
        shard = (stream_of(self._mapping) or {"shards": {}})["shards"].get(place.shard_id)
        return shard["records"] if shard else None

    def _unread(self) -> list[dict[str, Any]]:
        """Nothing while the mapping is disabled."""
        records = (self._records() or []) if self._mapping.get("Enabled", True) else []
        return records[bisect.bisect_right(records, self._after, key=lambda record: record["SequenceNumber"]) :]


def stream_of(mapping: dict[str, Any]) -> dict[str, Any] | None:
    """The Kinesis stream that a mapping reads, or None."""
    arn = mapping.get("EventSourceArn", "")
    if ":kinesis:" not in arn:
        return None
    region, account = arn.split(":")[3:5]
    stream = part("services.kinesis")._streams.get_scoped(account, region, arn.rpartition("/")[2])
    return stream if stream and stream["StreamStatus"] == "ACTIVE" else None


def _failed_items(answer: Any) -> list[str]:
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    return [failure["itemIdentifier"] for failure in failures or []]


def install(mappings: StreamMappings) -> None:
    """Replaces the emulator's reading of Kinesis streams, and gives its sequence numbers the 56 digits that AWS'
    have."""
    kinesis = part("services.kinesis")
    short_number: Callable[[], str] = kinesis._next_sequence_number
    kinesis._next_sequence_number = lambda: f"49{short_number():0>54}"
    part("services.lambda_svc")._poll_kinesis = mappings.poll
