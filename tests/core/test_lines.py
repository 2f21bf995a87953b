"""The usage line: what is printed is what is read; what is not a line is refused with its reason."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.lines import Increment, InvalidLineError, UsageLine, format_line, parse_line, parse_timestamp

VALID: dict[str, Any] = {
    "type": "usage",
    "level": "INFO",
    "timestamp": "2026-11-20T12:00:00.123Z",
    "id": "q1",
    "home": "us-east-1",
    "region": "eu-west-1",
    "ip": "203.0.113.7",
    "units": 1,
    "status": 200,
}

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
lines = st.builds(
    UsageLine,
    id=text,
    timestamp_ms=st.integers(0, 253_402_300_799_999),
    home=text,
    region=st.sampled_from(["us-east-1", "ap-southeast-2", "us-gov-west-1"]),
    ip=text,
    ref=text,
    key=text,
    units=st.integers(0, 1000),
    status=st.integers(100, 599),
    charge=st.sampled_from([(), ("key",), ("ip", "ref"), ("key", "owner")]),
    owner=st.sampled_from(["acme", "Bücher & Söhne #1"]),
    caps=st.sampled_from([{}, {"key": {"day": 10, "month": 100}}]),
    verdict=st.none(),
    ctr=st.sampled_from([(), (Increment("sold", -3, 0), Increment("a.b-c_9", 1_000_000_000, 99_999_999))]),
    idem=st.none() | text,
)


@given(lines)
def test_what_is_printed_is_what_is_read(line: UsageLine) -> None:
    printed = format_line(line)
    assert "\n" not in printed
    assert printed.isascii()
    assert parse_line(json.loads(printed)) == line


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "platform.start"}, "type is not usage"),
        ({"id": None}, "id is missing"),
        ({"id": ""}, "id is not a non-empty string"),
        ({"ip": 7}, "ip is not a non-empty string"),
        ({"ip": "é" * 300}, "ip has 600 bytes, at most 512 are allowed"),
        ({"ref": "\ud800"}, "ref is not valid Unicode"),
        ({"region": "Mars"}, "region is not a region name"),
        ({"units": -1}, "units is not an integer from 0 to 1000000000"),
        ({"units": 1.0}, "units is not an integer from 0 to 1000000000"),
        ({"units": True}, "units is not an integer from 0 to 1000000000"),
        ({"status": 99}, "status is not an integer from 100 to 599"),
        ({"timestamp": "yesterday"}, "timestamp is not an RFC 3339 time in UTC"),
        ({"timestamp": "2026-02-30T12:00:00Z"}, "timestamp is not a date: day is out of range for month"),
        ({"charge": ["everything"]}, "charge is not a list of ip, ref, key, owner, each once at most"),
        ({"charge": ["ip", "ip"]}, "charge is not a list of ip, ref, key, owner, each once at most"),
        ({"charge": [["ip"]]}, "charge is not a list of ip, ref, key, owner, each once at most"),
        ({"charge": ["key"]}, "charge names key, which the line does not have"),
        ({"charge": ["owner"], "key": "9f2c"}, "charge names owner, which the line does not have"),
        ({"owner": "a" * 513}, "owner has 513 bytes, at most 512 are allowed"),
        ({"caps": []}, "caps is not an object"),
        (
            {"caps": {"ip": {"day": "many"}}},
            "caps of ip is not an object of minute, hour, day, month (or these -soft) and whole numbers",
        ),
        ({"verdict": "quota"}, "a refused call has units"),
        ({"idem": 7}, "idem is not a non-empty string"),
        ({"ctr": {}}, "ctr is not a list of at most 50 increments"),
        ({"ctr": [["a", 1, 0]] * 51}, "ctr is not a list of at most 50 increments"),
        ({"ctr": ["abc"]}, "ctr holds something other than [name, add, epoch]"),
        ({"ctr": [["a", 1]]}, "ctr holds something other than [name, add, epoch]"),
        ({"ctr": [["a#b", 1, 0]]}, "ctr holds a name that is none, or one twice"),
        ({"ctr": [["a", 1, 0], ["a", 1, 1]]}, "ctr holds a name that is none, or one twice"),
        ({"ctr": [["a", 1.5, 0]]}, "ctr of a is not a whole number and an epoch"),
        ({"ctr": [["a", 1, -1]]}, "ctr of a is not a whole number and an epoch"),
        ({"ctr": [["a", 1, 0]]}, "ctr without a key"),
        ({"ctr": [["a", 1, 0]], "key": "9f2c", "units": 0, "verdict": "quota"}, "ctr on a refused call"),
    ],
)
def test_what_is_not_a_line_is_refused_with_its_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidLineError) as caught:
        parse_line(VALID | change)
    assert str(caught.value) == reason


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | text, lambda inner: st.lists(inner) | st.dictionaries(text, inner)
    )
)
def test_any_json_is_a_line_or_refused(value: object) -> None:
    with pytest.raises(InvalidLineError):
        parse_line(value)


@given(
    st.dictionaries(
        st.sampled_from(sorted({*VALID, "ref", "key", "charge", "caps", "verdict", "ctr", "idem"})),
        st.none() | text | st.integers() | st.lists(text) | st.dictionaries(text, text),
    )
)
def test_a_line_with_any_fields_changed_is_a_line_or_refused(change: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidLineError):
        parse_line(VALID | change)


def test_a_time_may_have_any_precision() -> None:
    assert parse_timestamp("1970-01-01T00:00:01Z") == 1000
    assert parse_timestamp("1970-01-01T00:00:01.5Z") == 1500
    assert parse_timestamp("1970-01-01T00:00:01.123456789+00:00") == 1123
