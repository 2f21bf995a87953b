"""CloudWatch Logs' side of the pipeline, for simulations and tests: usage lines as the payload of a Kinesis record."""

import gzip
import json
from collections.abc import Iterable

from tallygate.core.lines import UsageLine, format_line


def log_payload(events: Iterable[tuple[str, str]], log_stream: str = "2026/11/20/[$LATEST]a") -> bytes:
    """A payload of (event id, message) as a subscription filter sends it. The same events make the same bytes."""
    body = {
        "messageType": "DATA_MESSAGE",
        "owner": "000000000000",
        "logGroup": "/aws/lambda/tallygate-sim-api",
        "logStream": log_stream,
        "subscriptionFilters": ["usage"],
        "logEvents": [{"id": event_id, "timestamp": 0, "message": message} for event_id, message in events],
    }
    return gzip.compress(json.dumps(body).encode(), compresslevel=1, mtime=0)


def usage_payload(lines: Iterable[UsageLine], log_stream: str = "2026/11/20/[$LATEST]a") -> bytes:
    """A payload of usage lines; each event's id is its line's."""
    return log_payload(((line.id, format_line(line)) for line in lines), log_stream)
