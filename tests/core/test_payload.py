"""Decoding: what can be read is read, what cannot becomes a reject with its reason, and nothing raises."""

import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.lines import UsageLine, format_line
from tallygate.core.payload import MAX_INFLATED_BYTES, Record, decode, lines_of
from tallygate.sim.logs import log_payload, usage_payload

NOW_MS = 1_795_996_800_000
LINE = UsageLine("q1", NOW_MS, "us-east-1", "eu-west-1", "192.0.2.1", None, None, 1, 200)
TOO_OLD = replace(LINE, timestamp_ms=NOW_MS - 7 * 86_400_000 - 1)
TOO_NEW = replace(LINE, timestamp_ms=NOW_MS + 300_001)
LONG_STREAM = json.dumps({"messageType": "DATA_MESSAGE", "logStream": "s" * 513, "logEvents": []}).encode()
LONG_ID = json.dumps(
    {"messageType": "DATA_MESSAGE", "logStream": "s", "logEvents": [{"id": "1" * 129, "message": "{}"}]}
).encode()
EVENT_OF_NOTHING = b'{"messageType":"DATA_MESSAGE","logStream":"s","logEvents":[7]}'


def zipped(data: bytes, level: int = 9) -> bytes:
    """The same bytes at any time: a gzip header has the time in it, and tests are named by their data."""
    return gzip.compress(data, level, mtime=0)


def _record(data: bytes) -> Record:
    return Record(7, NOW_MS, data)


def _reasons(data: bytes) -> list[str]:
    lines, rejects = lines_of(decode(_record(data)), "us-east-1")
    assert lines == []
    return [reject.reason for reject in rejects]


def test_lines_are_read() -> None:
    assert lines_of(decode(_record(usage_payload([LINE, LINE]))), "us-east-1") == ([LINE, LINE], [])


def test_control_messages_are_nothing() -> None:
    control = zipped(json.dumps({"messageType": "CONTROL_MESSAGE", "logEvents": []}).encode())
    assert _reasons(control) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not gzip"),
        (b"plain", "not gzip"),
        (zipped(b"{}")[:-4], "not gzip"),
        (zipped(b"{"), "not JSON"),
        (zipped(b"\xff\xfe"), "not JSON"),
        (zipped(b"[" * 100_000), "nested too deeply"),
        (zipped(b"[]"), "not a CloudWatch Logs payload"),
        (zipped(b"{}"), "not a CloudWatch Logs payload"),
        (zipped(EVENT_OF_NOTHING), "a log event has no id or no message"),
        (zipped(LONG_STREAM), "its log stream's name has more than 512 characters"),
        (zipped(LONG_ID), "the id of a log event has more than 128 characters"),
        (zipped(b"{}") + zipped(b"{}"), "not gzip"),
        (zipped(b"{}") + b"more", "not gzip"),
        (zipped(b" " * (MAX_INFLATED_BYTES + 1)), "inflates to too much"),
    ],
)  # fmt: skip
def test_a_payload_that_cannot_be_read_is_rejected_whole(data: bytes, reason: str) -> None:
    (reject,) = lines_of(decode(_record(data)), "us-east-1")[1]
    assert (reject.reason, reject.sequence, reject.event_id, reject.body) == (reason, 7, None, data)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("START RequestId: 1", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "not a JSON object"),
        (format_line(replace(LINE, home="eu-west-1")), "home is eu-west-1, this is us-east-1"),
        (format_line(TOO_OLD), "timestamp is more than 7 days before the arrival"),
        (format_line(TOO_NEW), "timestamp is more than 5 minutes after the arrival"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_counted_is_rejected_alone(line: str, reason: str) -> None:
    data = log_payload([("e1", format_line(LINE)), ("e2", line), ("e3", format_line(LINE))], "stream")
    lines, (reject,) = lines_of(decode(_record(data)), "us-east-1")
    assert lines == [LINE, LINE]
    assert (reject.reason, reject.log_stream, reject.event_id, reject.body) == (reason, "stream", "e2", line.encode())


@pytest.mark.parametrize("off_ms", [-7 * 86_400_000, 300_000])
def test_the_bounds_of_time_are_counted(off_ms: int) -> None:
    line = replace(LINE, timestamp_ms=NOW_MS + off_ms)
    assert lines_of(decode(_record(usage_payload([line]))), "us-east-1") == ([line], [])


@given(st.binary(max_size=200))
def test_any_bytes_are_rejected_not_raised(data: bytes) -> None:
    assert len(_reasons(data)) == 1


@given(st.binary(max_size=200))
def test_any_bytes_in_gzip_are_rejected_not_raised(data: bytes) -> None:
    assert len(_reasons(zipped(data))) == 1


def test_the_same_events_have_the_same_digest_whatever_their_bytes() -> None:
    body = gzip.decompress(usage_payload([LINE]))
    one, other = (decode(_record(zipped(body, level))) for level in (1, 9))
    assert one.record.data != other.record.data
    assert one.digest == other.digest


def test_an_event_id_that_is_no_unicode_is_an_id_all_the_same() -> None:
    (line,), rejects = lines_of(decode(_record(log_payload([("\ud800", format_line(LINE))]))), "us-east-1")
    assert (line, rejects) == (LINE, [])
