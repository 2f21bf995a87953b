"""A Kinesis event of the event source mapping as records of one shard."""

import base64
from typing import Any

from tallygate.core.payload import Record


def batch_of(event: dict[str, Any]) -> tuple[str, str, list[Record]]:
    """Stream ARN, shard id, and the records in the order of their sequence numbers. One event holds one shard's
    records: the mapping reads shard by shard. Source: Lambda developer guide, "Using Lambda to process records from
    Kinesis"."""
    entries = event["Records"]
    records = sorted(
        Record(
            int(entry["kinesis"]["sequenceNumber"]),
            round(entry["kinesis"]["approximateArrivalTimestamp"] * 1000),
            base64.b64decode(entry["kinesis"]["data"]),
        )
        for entry in entries
    )
    shard_id = entries[0]["eventID"].partition(":")[0]
    return entries[0]["eventSourceARN"], shard_id, records
