"""Reading access logs of other servers: times, JSON lines of several makers, packed files and pipes, and the order."""

import gzip
import io
import json
import os
import re
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.access_log.entry import Entry, Skipped
from tallygate.access_log.json_lines import KNOWN, JsonLines
from tallygate.access_log.order import WITNESSES, InOrder
from tallygate.access_log.reading import MOST_LINE_BYTES, LogFile, parse_line
from tallygate.access_log.times import time_ms
from tallygate.core.keys import key_id, mint

AT_MS = 1_795_996_803_000  # 2026-11-30T00:00:03Z
GOOD = b'203.0.113.7 - - [30/Nov/2026:00:00:03 +0000] "GET /a HTTP/1.1" 200 512 "http://shop.example/" "Mozilla/5.0"'


@pytest.mark.parametrize(
    ("written", "is_ms"),
    [
        ("30/Nov/2026:00:00:03 +0000", AT_MS),
        ("[30/Nov/2026:00:00:03 +0000]", AT_MS),
        ("30/Nov/2026:05:30:03 +0530", AT_MS),
        ("29/Nov/2026:19:00:03 -0500", AT_MS),
        ("2026-11-30T00:00:03Z", AT_MS),
        ("2026-11-30T00:00:03", AT_MS),
        ("2026-11-30 00:00:03,250", AT_MS + 250),
        ("2026-11-30T01:00:03.123456789+01:00", AT_MS + 123),
        (AT_MS // 1000, AT_MS),
        (AT_MS / 1000 + 0.5, AT_MS + 500),
        (str(AT_MS // 1000) + ".250", AT_MS + 250),
        (AT_MS, AT_MS),
        (str(AT_MS), AT_MS),
        (AT_MS * 1_000, AT_MS),
        (AT_MS * 1_000_000, AT_MS),
    ],
)
def test_a_time_is_read_as_servers_write_it(written: object, is_ms: int) -> None:
    assert time_ms(written) == is_ms


@pytest.mark.parametrize(
    "written",
    [
        "",
        "-",
        "yesterday",
        "31/Feb/2026:00:00:03 +0000",
        "2026-13-01T00:00:00Z",
        0.004,
        "01/Jan/1970:00:00:00 +0000",
        "0001-01-01T00:00:00Z",
        "31/Dec/9999:23:59:59 -2359",
    ],
)
def test_what_is_no_time_is_none(written: object) -> None:
    assert time_ms(written) is None
    assert time_ms(True) is None


@given(st.datetimes(min_value=datetime(1974, 1, 1), max_value=datetime(2999, 12, 31)))
def test_a_time_is_the_same_in_every_notation(at: datetime) -> None:
    at = at.replace(microsecond=0, tzinfo=UTC)
    seconds = int(at.timestamp())
    written = (at.isoformat(), f"{at:%d/%b/%Y:%H:%M:%S +0000}", f"{at:%Y-%m-%d %H:%M:%S}", seconds, seconds * 1000)
    assert {time_ms(each) for each in written} == {seconds * 1000}


NGINX = {
    "time_iso8601": "2026-11-30T00:00:03+00:00",
    "remote_addr": "203.0.113.7",
    "http_referer": "https://shop.example/a",
    "http_origin": "",
    "status": "200",
}
GATEWAY = {
    "requestId": "a",
    "ip": "203.0.113.7",
    "requestTimeEpoch": str(AT_MS),
    "requestTime": "30/Nov/2026:00:00:03 +0000",
    "status": "429",
    "identity": {"apiKeyId": "abc123"},
}
CADDY = {
    "ts": AT_MS / 1000,
    "request": {
        "remote_ip": "10.0.0.1",
        "client_ip": "203.0.113.7",
        "headers": {"Referer": ["https://shop.example/a"], "Origin": ["https://shop.example"]},
    },
    "status": 200,
    "user_id": "",
}
BALANCER = {"time": "2026-11-30T00:00:03.000000Z", "client:port": "203.0.113.7:50123", "elb_status_code": "200"}
ELASTIC = {
    "@timestamp": "2026-11-30T00:00:03Z",
    "client": {"ip": "203.0.113.7"},
    "http": {"request": {"referrer": "-"}},
}


@pytest.mark.parametrize(
    ("document", "referer", "origin", "key", "status"),
    [
        (NGINX, b"https://shop.example/a", None, None, 200),
        (GATEWAY, None, None, "abc123", 429),
        (CADDY, b"https://shop.example/a", b"https://shop.example", None, 200),
        (BALANCER, None, None, None, 200),
        (ELASTIC, None, None, None, 0),
    ],
    ids=["nginx", "api gateway", "caddy", "load balancer", "elastic"],
)
def test_json_lines_of_several_makers_are_read(
    document: dict[str, Any], referer: bytes | None, origin: bytes | None, key: str | None, status: int
) -> None:
    entry = parse_line(3, json.dumps(document).encode(), JsonLines())
    assert entry == Entry(3, AT_MS, "203.0.113.7", referer, origin, key, status)


def test_every_known_name_is_read_and_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "simulate-log.md").read_text()
    for field, names in KNOWN.items():
        row = next(line for line in documented.splitlines() if line.startswith(f"| `{field}`"))
        assert re.findall(r"`([^`]+)`", row.partition(": ")[0])[1:] == list(names)
    for name in KNOWN["ip"]:
        entry = parse_line(1, json.dumps({name: "192.0.2.1", "ts": AT_MS}).encode(), JsonLines())
        assert isinstance(entry, Entry)


def test_a_field_may_be_named() -> None:
    line = json.dumps(
        {"when": AT_MS, "who": {"addr": "[2001:db8::1]:443"}, "account.id": 17, "ip": "192.0.2.1"}
    ).encode()
    named = JsonLines({"time": "when", "ip": "who.addr", "key": "account.id"})
    assert parse_line(1, line, named) == Entry(1, AT_MS, "2001:db8::1", key="17")


def test_a_secret_of_ours_becomes_its_id() -> None:
    secret = mint("prod", lambda alphabet: alphabet[7])
    entry = parse_line(1, json.dumps({**NGINX, "user": secret}).encode(), JsonLines())
    assert isinstance(entry, Entry)
    assert entry.key == key_id(secret)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1', "not JSON: "),
        (b'{"when": 1, "who": {"addr": "x"}}', "none of its fields is known to hold the client's IP address; "
         "name one with --field ip=…; it has when, who.addr"),
        (b'{"ip": "crawler.example", "x": 1}', "'crawler.example' is no client's IP address; name one with"),
        (b'{"ip": "192.0.2.1", "uptime": 7}', "none of its fields is known to hold the time; name one with --field "
         "time=…; it has ip, uptime"),
        (b'{"ip": "fe80::1%eth0", "time": 1795996803}', "'fe80::1%eth0' is no client's IP address"),
        (GOOD.replace(b"30/Nov", b"31/Nov"), "its time is not like 17/May/2026:10:05:03 +0000"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_says_why_and_what_it_has(line: bytes, reason: str) -> None:
    skipped = parse_line(3, line, JsonLines())
    assert isinstance(skipped, Skipped)
    assert skipped.reason.startswith(reason)


def test_bytes_that_are_not_utf8_do_not_hide_a_json_line() -> None:
    line = json.dumps(NGINX).encode().replace(b"shop.example/a", b"shop.example/\xe9")
    assert isinstance(parse_line(1, line, JsonLines()), Entry)


@given(st.binary(max_size=300))
def test_nothing_that_a_line_holds_raises(line: bytes) -> None:
    for whole in (line, b"{" + line, GOOD[:60] + line):
        assert isinstance(parse_line(1, whole, JsonLines()), Entry | Skipped)


# --- files ---


def test_packed_files_in_parts_and_pipes_are_read(tmp_path: Path) -> None:
    packed = gzip.compress(GOOD + b"\n") + gzip.compress(GOOD)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(packed))
    writer.start()
    entries = list(LogFile(pipe))
    writer.join()
    assert [entry.number for entry in entries] == [1, 2]
    assert LogFile(pipe).size_bytes is None


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BufferedReader(io.BytesIO(gzip.compress(GOOD)))  # type: ignore[arg-type]

    monkeypatch.setattr(sys, "stdin", Input())
    log = LogFile("-")
    assert (log.name, log.size_bytes, [type(line) for line in log]) == ("standard input", None, [Entry])


def test_a_line_without_end_is_one_unreadable_line(tmp_path: Path) -> None:
    path = tmp_path / "some.log"
    path.write_bytes(b"x" * (3 * MOST_LINE_BYTES + 17) + b"\n" + GOOD)
    endless, good = LogFile(path)
    assert isinstance(endless, Skipped)
    assert (endless.number, endless.reason) == (1, "longer than 65,536 bytes")
    assert isinstance(good, Entry)
    assert good.number == 2


def test_a_line_of_nothing_but_brackets_takes_no_longer_than_others() -> None:
    """A regular expression that looked for a time from each of them would take minutes."""
    line = b"203.0.113.7 - " + b" [" * (MOST_LINE_BYTES // 2 - 10)
    began = time.process_time()
    for number in range(20):
        assert isinstance(parse_line(number, line, JsonLines()), Skipped)
    assert time.process_time() - began < 5


def test_a_log_packed_otherwise_says_how_to_read_it(tmp_path: Path) -> None:
    path = tmp_path / "some.log.xz"
    path.write_bytes(b"\xfd7zXZ\x00\x00")
    with pytest.raises(OSError, match="not with gzip: unpack it with xz, and give it as -"):
        list(LogFile(path))


def test_how_much_was_read_is_known(tmp_path: Path) -> None:
    path = tmp_path / "some.log"
    path.write_bytes((GOOD + b"\n") * 5_000)
    log = LogFile(path)
    seen = [log.done_bytes for _ in log]
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[-1] == log.size_bytes


# --- order ---


def entries(*seconds: float) -> list[Entry]:
    return [Entry(number, int(at * 1000), "192.0.2.1") for number, at in enumerate(seconds)]


def through(order: InOrder, given: list[Entry]) -> list[Entry]:
    came = [entry for each in given for entry in order.put(each)]
    return came + list(order.rest())


@given(st.lists(st.integers(0, 100_000), max_size=80), st.integers(0, 50_000), st.integers(1, 40))
def test_times_never_go_back_and_nothing_is_lost(times: list[int], window_ms: int, most: int) -> None:
    order = InOrder(window_ms, most)
    given = [Entry(number, at_ms, "192.0.2.1") for number, at_ms in enumerate(times)]
    came = through(order, given)
    assert sorted(entry.number for entry in came) == list(range(len(times)))
    assert [entry.at_ms for entry in came] == sorted(entry.at_ms for entry in came)
    assert sum(came_.at_ms != given[came_.number].at_ms for came_ in came) == order.late


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 5_000)), max_size=80))
def test_lines_that_are_late_by_less_than_the_window_find_their_place(lines: list[tuple[int, int]]) -> None:
    written = [at_ms for at_ms, _ in sorted(lines, key=lambda line: line[0] + line[1])]
    order = InOrder(window_ms=5_000)
    came = through(order, [Entry(number, at_ms, "192.0.2.1") for number, at_ms in enumerate(written)])
    assert order.late == 0
    assert [entry.at_ms for entry in came] == sorted(written)


def test_a_line_that_is_later_than_the_window_counts_when_it_came_and_is_told() -> None:
    order = InOrder(window_ms=10_000)
    assert [entry.number for entry in through(order, entries(0, 20, 40, 40, 40, 3, 41))] == [0, 1, 5, 2, 3, 4, 6]
    assert (order.late, order.latest_ms) == (1, 17_000)


def test_one_clock_far_ahead_makes_nobody_late() -> None:
    order = InOrder(window_ms=1_000)
    came = through(order, entries(*range(10), 10**9, *range(10, 20)))
    assert order.late == 0
    assert came[-1].at_ms == 10**12
    assert WITNESSES > 1


def test_a_crowded_window_is_a_shorter_one() -> None:
    order = InOrder(window_ms=10**9, most_held=10)
    held = [len(list(order.put(entry))) for entry in entries(*range(30))]
    assert held == [0] * 10 + [1] * 20
