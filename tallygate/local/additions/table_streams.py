"""Event source mappings from the streams of tables: what the emulator's own reading of them lacks.

It reads every mapping's stream in order, filters, and gives a batch that fails again and again, as Lambda does with
unlimited retries. It knows no batching window, which is added here, and neither bisecting nor parallel shards: a batch
comes again whole, and a table has one shard. How far a mapping is behind is told, and it can be sent back. Source:
Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB".
"""

import threading
import time
from collections.abc import Iterator
from typing import Any

from tallygate.local.additions.stream_mapping import StreamMappings
from tallygate.local.internals import part


class TableStreams:
    """The mappings of all tables. Windows are cut as short as those of `mappings`, and do not hold while it hurries."""

    def __init__(self, mappings: StreamMappings) -> None:
        self._mappings = mappings
        self._since: dict[str, float] = {}

    def hold_back(self) -> None:
        """Lets mappings rest that have less than a batch, until their window ends."""
        functions, now = part("services.lambda_svc"), time.time()
        for mapping in self._of_tables():
            id, behind = mapping["UUID"], _behind(mapping)
            if not behind:
                self._since.pop(id, None)
                continue
            begun = self._since.setdefault(id, now)
            window = min(float(mapping.get("MaximumBatchingWindowInSeconds", 0)), self._mappings.longest_window_seconds)
            hurries = time.monotonic() < self._mappings.hurry_until
            if behind < mapping["BatchSize"] and now < begun + window and not hurries:
                if begun == now:
                    timer = threading.Timer(window, functions._esm_wake.set)
                    timer.daemon = True
                    timer.start()
                functions._esm_backoff_until[id] = begun + window
            elif functions._esm_backoff_until.get(id) == begun + window:
                functions._esm_backoff_until.pop(id, None)

    def flush(self) -> None:
        """What waits is read now, while `mappings` hurries."""
        part("services.lambda_svc")._esm_wake.set()

    def progress(self) -> list[dict[str, Any]]:
        """As StreamMappings.progress. A mapping that is disabled waits for nothing."""
        return [
            {
                "stream": _table(mapping),
                "shard": "of the table",
                "behind": _behind(mapping) if mapping.get("Enabled", True) else 0,
                "error": "its function failed" if mapping["LastProcessingResult"] == "FAILED" else None,
            }
            for mapping in self._of_tables()
        ]

    def go_back(self, table: str, records: int) -> int:
        """Has the mappings of a table read again from `records` before where they are; how many have some to read."""
        moved = 0
        functions, dynamodb = part("services.lambda_svc"), part("services.dynamodb")
        for mapping in self._of_tables():
            if _table(mapping) == table:
                with functions._dynamodb_stream_positions_lock:
                    positions = functions._dynamodb_stream_positions
                    first = dynamodb.stream_start_position(table)
                    positions[mapping["UUID"]] = max(first, positions[mapping["UUID"]] - records)
                moved += _behind(mapping) > 0
        self.flush()
        return moved

    def _of_tables(self) -> Iterator[dict[str, Any]]:
        """Each mapping, in the account and region that it is in."""
        for account, region, mapping in part("services.lambda_svc")._iter_all_esms():
            if ":dynamodb:" in mapping.get("EventSourceArn", ""):
                with part("core.responses").request_scope(account, region):
                    yield mapping


def _table(mapping: dict[str, Any]) -> str:
    name: str = mapping["EventSourceArn"].split("/")[1]
    return name


def _behind(mapping: dict[str, Any]) -> int:
    table = _table(mapping)
    dynamodb, positions = part("services.dynamodb"), part("services.lambda_svc")._dynamodb_stream_positions
    end: int = dynamodb.stream_end_position(table)
    return end - int(positions.get(mapping["UUID"], end))


def install(streams: TableStreams) -> None:
    """Puts the window before the emulator's reading."""
    functions = part("services.lambda_svc")
    poll = functions._poll_dynamodb_streams

    def poll_in_windows() -> Any:
        streams.hold_back()
        return poll()

    functions._poll_dynamodb_streams = poll_in_windows
