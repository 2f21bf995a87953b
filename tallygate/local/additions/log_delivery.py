"""CloudWatch Logs subscription filters that end in a Kinesis stream, directly or through a Logs destination.

AWS collects the events of a log stream that match a filter and puts them on the Kinesis stream as one gzipped JSON
payload per record, within seconds. A filter reaches a stream of its own region directly, one of another region through
an `AWS::Logs::Destination` of its own region. On creation of a filter it sends a CONTROL_MESSAGE to prove that it may
write. Source: CloudWatch Logs User Guide, "Real-time processing of log data with subscriptions".

The emulator stores such filters and delivers nothing.
"""

import asyncio
import gzip
import itertools
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tallygate.local.additions.filter_pattern import UnsupportedPatternError, parse_filter_pattern
from tallygate.local.internals import part

logger = logging.getLogger("tallygate.local")

MAX_FILTERS_PER_GROUP: Final = 2
"""CloudWatch Logs quota: subscription filters per log group."""
MAX_EVENTS_PER_PAYLOAD: Final = 1_000
"""Keeps a payload far below the 1 MB of a Kinesis record; AWS cuts by size."""

_CONTROL_MESSAGE: Final = "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."
_EVENT_ID_BITS: Final = 144
"""An event id is the time in ms, shifted left by this much, plus something unique: 56 digits in decimal."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where events come from and which filter took them: each gets payloads of its own."""

    account: str
    region: str
    log_group: str
    log_stream: str
    filter_name: str
    destination_arn: str
    distribution: str


class LogDelivery:
    """Collects matching events for `window_seconds` after the first, then puts one record per log stream and filter."""

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._changed = threading.Condition()
        self._collected: dict[Source, list[dict[str, Any]]] = {}
        self._first_at = 0.0
        self._delivering = False
        self._flush = False
        self._lost = 0
        self._numbers = itertools.count()
        self.on_delivered: Callable[[], None] = lambda: None

    def collect(self, log_group: str, log_stream: str, events: Sequence[dict[str, Any]]) -> None:
        """Takes the events of one log stream that a filter of its group matches. Called in the region of the group."""
        responses, logs = part("core.responses"), part("services.cloudwatch_logs")
        group = logs._log_groups.get(log_group) or {}
        for stored in list((group.get("subscriptionFilters") or {}).values()):
            if not _leads_to_kinesis(stored["destinationArn"]):
                continue
            pattern = parse_filter_pattern(stored["filterPattern"])
            matching = [event for event in events if pattern.matches(event["message"])]
            if not matching:
                continue
            source = Source(
                responses.get_account_id(), responses.get_region(), log_group, log_stream,
                stored["filterName"], stored["destinationArn"], stored["distribution"],
            )  # fmt: skip
            with self._changed:
                if not self._collected:
                    self._first_at = time.monotonic()
                self._collected.setdefault(source, []).extend(matching)
                self._changed.notify_all()

    def flush(self) -> None:
        """Delivers what is collected now instead of at the end of the window."""
        with self._changed:
            self._flush = True
            self._changed.notify_all()

    def progress(self) -> dict[str, int]:
        """`waiting`: events taken and not yet on a stream; `lost`: events whose stream or destination is gone."""
        with self._changed:
            waiting = sum(map(len, self._collected.values())) + self._delivering
            return {"waiting": waiting, "lost": self._lost}

    def run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Delivers for as long as the process lives. Records are put on the emulator's `loop`, as all its own writes to
        a stream are: from another thread they could stand in a shard in another order than their sequence numbers."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._collected)
                remaining = self._first_at + self._window_seconds - time.monotonic()
                self._changed.wait_for(lambda: self._flush, timeout=max(0.0, remaining))
                self._flush = False
                batch, self._collected = self._collected, {}
                self._delivering = True
            try:
                asyncio.run_coroutine_threadsafe(self._deliver(batch), loop).result()
            except Exception:
                logger.exception("log delivery failed; its events are lost")
                self._lost += sum(map(len, batch.values()))
            finally:
                with self._changed:
                    self._delivering = False
            self.on_delivered()

    async def _deliver(self, batch: dict[Source, list[dict[str, Any]]]) -> None:
        for source, events in batch.items():
            for start in range(0, len(events), MAX_EVENTS_PER_PAYLOAD):
                chunk = events[start : start + MAX_EVENTS_PER_PAYLOAD]
                stream_arn = stream_behind(source.account, source.destination_arn)
                key = source.log_stream if source.distribution == "ByLogStream" else uuid.uuid4().hex
                if stream_arn is None or not put_record(stream_arn, key, self.payload(source, chunk)):
                    self._lost += len(chunk)
                    logger.error(
                        "%s: filter %s cannot reach %s; as on AWS, its events are lost",
                        source.log_group, source.filter_name, source.destination_arn,
                    )  # fmt: skip

    def payload(self, source: Source, events: Sequence[dict[str, Any]]) -> bytes:
        """The gzipped JSON that AWS would put on the stream."""
        document = {
            "messageType": "DATA_MESSAGE",
            "owner": source.account,
            "logGroup": source.log_group,
            "logStream": source.log_stream,
            "subscriptionFilters": [source.filter_name],
            "logEvents": [
                {
                    "id": f"{(event['timestamp'] << _EVENT_ID_BITS) + next(self._numbers):056d}",
                    "timestamp": event["timestamp"],
                    "message": event["message"],
                }
                for event in events
            ],
        }
        return gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)


def control_message(now_ms: int) -> bytes:
    """What AWS puts on a stream when a filter that leads there is created."""
    event = {"id": "", "timestamp": now_ms, "message": _CONTROL_MESSAGE}
    document = {
        "messageType": "CONTROL_MESSAGE",
        "owner": "CloudwatchLogs",
        "logGroup": "",
        "logStream": "",
        "subscriptionFilters": [],
        "logEvents": [event],
    }
    return gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)


def stream_behind(account: str, destination_arn: str) -> str | None:
    """The Kinesis stream that a filter's destination leads to, or None when the Logs destination does not exist."""
    if ":kinesis:" in destination_arn:
        return destination_arn
    region, name = destination_arn.split(":")[3], destination_arn.rpartition(":destination:")[2]
    found = part("services.cloudwatch_logs")._destinations.get_scoped(account, region, name)
    return found["targetArn"] if found else None


def put_record(stream_arn: str, partition_key: str, data: bytes) -> bool:
    """Puts one record in the region of the stream; False when there is no such stream."""
    region, account = stream_arn.split(":")[3:5]
    with part("core.responses").request_scope(account, region):
        return bool(part("services.kinesis").put_record_internal(stream_arn, partition_key, data))


def _leads_to_kinesis(destination_arn: str) -> bool:
    return ":kinesis:" in destination_arn or ":destination:" in destination_arn


def refusal(account: str, region: str, group: dict[str, Any], request: dict[str, Any]) -> tuple[str, str] | None:
    """Error code and message with which PutSubscriptionFilter answers `request`, or None when it is in order."""
    destination_arn = request.get("destinationArn", "")
    filters = group.get("subscriptionFilters") or {}
    if request.get("filterName") not in filters and len(filters) >= MAX_FILTERS_PER_GROUP:
        return "LimitExceededException", "Resource limit exceeded."
    if not _leads_to_kinesis(destination_arn):
        return None
    try:
        parse_filter_pattern(request.get("filterPattern", ""))
    except UnsupportedPatternError as error:
        return "InvalidParameterException", str(error)
    if destination_arn.split(":")[3] != region:
        return "InvalidParameterException", f"destination {destination_arn} is not in the log group's region {region}"
    stream_arn = stream_behind(account, destination_arn)
    if stream_arn is None or not put_record(stream_arn, uuid.uuid4().hex, control_message(int(time.time() * 1000))):
        return (
            "InvalidParameterException",
            f"Could not deliver test message to specified destination {destination_arn}.",
        )
    return None


def install(delivery: LogDelivery) -> None:
    """Makes the emulator deliver. Filters that lead to a Lambda function stay the emulator's own business."""
    logs, responses = part("services.cloudwatch_logs"), part("core.responses")
    fan_out, put_filter = logs._fanout_to_subscription_filters, logs._put_subscription_filter

    def fan_out_also_to_streams(group_name: str, stream_name: str, events: list[dict[str, Any]]) -> None:
        delivery.collect(group_name, stream_name, events)
        fan_out(group_name, stream_name, events)

    def put_filter_checked(data: dict[str, Any]) -> Any:
        group = logs._log_groups.get(data.get("logGroupName"))
        refused = refusal(responses.get_account_id(), responses.get_region(), group, data) if group else None
        return responses.error_response_json(*refused, 400) if refused else put_filter(data)

    logs._fanout_to_subscription_filters = fan_out_also_to_streams
    logs._put_subscription_filter = put_filter_checked
