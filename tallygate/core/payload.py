"""A payload of CloudWatch Logs as it stands in a Kinesis record: gzip over JSON with some log events, each a usage
line.

Decoding never fails as a whole: what cannot be read becomes a Reject with its reason, and the rest is counted.
Source: CloudWatch Logs, "Log group-level subscription filters" (messageType, logStream, logEvents[id, timestamp,
message]).
"""

import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tallygate.core.lines import InvalidLineError, UsageLine, parse_line
from tallygate.core.periods import DAY_MS, MINUTE_MS
from tallygate.core.seen import DIGEST_BYTES, Sighting, digest_of

MAX_INFLATED_BYTES: Final = 32 * 1024 * 1024
"""A payload holds at most 1 MB compressed; usage lines shrink about tenfold. More than this is no log."""
MAX_ID_CHARS: Final = 128
"""An event id has 56 digits. A longer one could make a reject that its queue never takes, and the batch would come
for ever."""
MAX_LOG_STREAM_CHARS: Final = 512
"""CreateLogStream takes no longer name (CloudWatch Logs, API reference)."""
OLDEST_MS: Final = 7 * DAY_MS
"""A call that arrives later than this after its time is not counted: items outlive the stream, not every clock."""
NEWEST_MS: Final = 5 * MINUTE_MS
"""A call from further in the future than this is not counted: it would open a period that has not begun."""

Loads = Callable[[bytes | str], Any]


class Record(NamedTuple):
    """A record of the stream: its sequence number, when it arrived, and its bytes."""

    sequence: int
    arrived_ms: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """What can never be counted, and why. `event_id` is None when a whole payload could not be read; `body` is then
    its bytes, else the line as it was logged."""

    reason: str
    sequence: int
    log_stream: str | None
    event_id: str | None
    body: bytes


@dataclass(slots=True)
class Payload:
    """A decoded record. `events` are (event id, message); empty for control messages and unreadable payloads."""

    record: Record
    digest: bytes
    log_stream: str | None = None
    events: list[tuple[str, str]] = field(default_factory=list)
    unreadable: str | None = None

    @property
    def sighting(self) -> Sighting:
        return Sighting(self.record.sequence, self.record.arrived_ms, self.digest)


def decode(record: Record, loads: Loads = json.loads) -> Payload:
    """The payload of a record. Never raises for what the record holds: `unreadable` says what is wrong with it."""
    try:
        body = loads(_inflate(record.data))
    except (zlib.error, EOFError):
        return _unreadable(record, "not gzip")
    except RecursionError:
        return _unreadable(record, "nested too deeply")
    except ValueError as error:
        return _unreadable(record, "inflates to too much" if isinstance(error, _TooLargeError) else "not JSON")
    if not isinstance(body, dict):
        return _unreadable(record, "not a CloudWatch Logs payload")
    if body.get("messageType") == "CONTROL_MESSAGE":
        return Payload(record, _digest_of_bytes(record.data))
    events, log_stream = body.get("logEvents"), body.get("logStream")
    if body.get("messageType") != "DATA_MESSAGE" or not isinstance(events, list) or not isinstance(log_stream, str):
        return _unreadable(record, "not a CloudWatch Logs payload")
    if len(log_stream) > MAX_LOG_STREAM_CHARS:
        return _unreadable(record, f"its log stream's name has more than {MAX_LOG_STREAM_CHARS} characters")
    pairs = []
    for event in events:
        event_id, message = (event.get("id"), event.get("message")) if isinstance(event, dict) else (None, None)
        if not isinstance(event_id, str) or not isinstance(message, str):
            return _unreadable(record, "a log event has no id or no message")
        if len(event_id) > MAX_ID_CHARS:
            return _unreadable(record, f"the id of a log event has more than {MAX_ID_CHARS} characters")
        pairs.append((event_id, message))
    return Payload(record, digest_of(event_id for event_id, _ in pairs), log_stream, pairs)


def lines_of(payload: Payload, home: str, loads: Loads = json.loads) -> tuple[list[UsageLine], list[Reject]]:
    """The usage lines of a payload that `home` counts, and what of it can never be counted."""
    record = payload.record
    if payload.unreadable is not None:
        return [], [Reject(payload.unreadable, record.sequence, payload.log_stream, None, record.data)]
    lines, rejects = [], []
    for event_id, message in payload.events:
        try:
            line = parse_line(_loads_line(message, loads))
            check_countable(line, home, record.arrived_ms)
            lines.append(line)
        except InvalidLineError as error:
            body = message.encode(errors="surrogatepass")
            rejects.append(Reject(str(error), record.sequence, payload.log_stream, event_id, body))
    return lines, rejects


def check_countable(line: UsageLine, home: str, arrived_ms: int) -> None:
    """InvalidLineError when `line` belongs to another home, or to a time that is no longer, or not yet, counted."""
    if line.home != home:
        raise InvalidLineError(f"home is {line.home}, this is {home}")
    if line.timestamp_ms < arrived_ms - OLDEST_MS:
        raise InvalidLineError("timestamp is more than 7 days before the arrival")
    if line.timestamp_ms > arrived_ms + NEWEST_MS:
        raise InvalidLineError("timestamp is more than 5 minutes after the arrival")


class _TooLargeError(ValueError):
    pass


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    body = inflater.decompress(data, MAX_INFLATED_BYTES)
    if inflater.unused_data:
        raise EOFError  # something follows the payload: whatever it is, it must not be dropped unseen
    if not inflater.eof:
        if inflater.unconsumed_tail:
            raise _TooLargeError
        raise EOFError
    return body


def _loads_line(message: str, loads: Loads) -> object:
    try:
        return loads(message)
    except RecursionError:
        raise InvalidLineError("nested too deeply") from None
    except ValueError:
        raise InvalidLineError("not JSON") from None


def _unreadable(record: Record, reason: str) -> Payload:
    return Payload(record, _digest_of_bytes(record.data), unreadable=reason)


def _digest_of_bytes(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()
