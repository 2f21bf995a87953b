"""Time series are the sums of the calls that were counted: nothing more, nothing missing, and what is no question is
told what is valid."""

import json
from typing import Any

import pytest

from tallygate.aws.key_admin import key_admin
from tallygate.core.history import InvalidParameterError
from tallygate.core.keys import mint, secret_hash
from tallygate.core.periods import period_of
from tallygate.core.retention import Retention
from tallygate.core.tally import TallyItem
from tallygate.core.times import time_ms
from tallygate.operations import usage as module
from tallygate.operations.errors import UnreachableError
from tallygate.operations.operations import Operations
from tallygate.operations.service import Service
from tallygate.operations.usage import MAX_PERIODS
from tests.operations.counted import DAY_MS, HOUR_MS, NOW, Counted, call
from tests.stage_tables import HOMES, NAMES, Clients

VIRGINIA, IRELAND = HOMES
ADDRESS = "203.0.113.7"
NOBODY = {"admitted": 0, "charged": 0, "denied": 0}


def usage(counted: Counted, **query: str) -> dict[str, Any]:
    document = counted.operations.usage(
        {"from" if name == "from_" else name: text for name, text in query.items()}, NOW
    )
    return json.loads(json.dumps(document))  # type: ignore[no-any-return]  # as it is sent


def test_days_tell_admitted_charged_and_denied_by_home(counted: Counted) -> None:
    counted.count(VIRGINIA, *(call(NOW - number) for number in range(5)), call(NOW - DAY_MS, units=7))
    counted.count(IRELAND, call(denied=True), call(), call(key="9f2c9f2c9f2c9f2c", units=3))
    document = usage(counted, kind="ip", value=ADDRESS, from_="2026-11-18")
    assert document["kept_from"] == "2026-11-01T00:00:00.000Z"
    assert (document["from"], document["to"]) == ("2026-11-18T00:00:00.000Z", "2026-11-21T00:00:00.000Z")
    assert document["rows"] == [
        {"start": "2026-11-18T00:00:00.000Z", **NOBODY, "by": {}},
        {
            "start": "2026-11-19T00:00:00.000Z",
            "admitted": 7,
            "charged": 7,
            "denied": 0,
            "by": {VIRGINIA: {"admitted": 7, "charged": 7, "denied": 0}},
        },
        {
            "start": "2026-11-20T00:00:00.000Z",
            "admitted": 9,
            "charged": 6,
            "denied": 1,
            "by": {
                VIRGINIA: {"admitted": 5, "charged": 5, "denied": 0},
                IRELAND: {"admitted": 4, "charged": 1, "denied": 1},
            },
        },
    ]
    assert (document["total"], document["cursor"]) == ({"admitted": 16, "charged": 13, "denied": 1}, None)
    (month,) = usage(counted, kind="ip", value=ADDRESS, granularity="month", from_="2026-11-01")["rows"]
    assert {name: month[name] for name in NOBODY} == document["total"]


def test_gaps_are_left_out_when_asked_for(counted: Counted) -> None:
    counted.count(VIRGINIA, call(NOW - 3 * DAY_MS), call())
    rows = usage(counted, kind="ip", value=ADDRESS, fill="false")["rows"]
    assert [row["start"][:10] for row in rows] == ["2026-11-17", "2026-11-20"]


def test_regions_are_told_apart_or_alone_by_hour_day_and_month(counted: Counted) -> None:
    counted.count(VIRGINIA, call(region="us-east-1"), call(NOW - HOUR_MS, region="eu-west-1", denied=True))
    counted.count(IRELAND, call(region="eu-west-1", units=4), call(NOW - DAY_MS, region="eu-west-1"))
    row, current = usage(counted, kind="all", granularity="hour", from_="2026-11-20T11:00")["rows"]
    assert row["by"] == {
        "us-east-1": {"admitted": 1, "charged": 1, "denied": 0},
        "eu-west-1": {"admitted": 4, "charged": 4, "denied": 1},
    }
    assert current == {"start": "2026-11-20T12:00:00.000Z", **NOBODY, "by": {}}
    today = usage(counted, kind="all", from_="2026-11-20")["rows"][0]
    assert {name: today[name] for name in NOBODY} == {"admitted": 5, "charged": 5, "denied": 1}
    months = usage(counted, kind="all", value="eu-west-1", granularity="month")
    assert [(row["start"], row["admitted"], row["denied"]) for row in months["rows"]] == [
        ("2026-11-01T00:00:00.000Z", 5, 1)
    ]
    assert (months["value"], usage(counted, kind="all")["value"]) == ("eu-west-1", None)


def test_hours_are_told_where_they_are_counted_and_refused_where_not(counted: Counted) -> None:
    counted.apply()
    key = mint("prod", lambda alphabet: alphabet[7])
    counted_key = mint("prod", lambda alphabet: alphabet[8])
    admin = key_admin(counted.gate, NAMES.gate_table, "prod")
    for secret, plan in ((key, "pro"), (counted_key, "team")):
        admin.take(secret_hash(secret), {"owner": "acme", "plan": plan}, 0)
    id, other = secret_hash(key)[:16], secret_hash(counted_key)[:16]
    last_hour = {"granularity": "hour", "from_": "2026-11-20T11:30"}
    assert [row["charged"] for row in usage(counted, kind="key", value=key, **last_hour)["rows"]] == [0, 0]
    counted.count(VIRGINIA, call(NOW - HOUR_MS, key=id, caps={"key": {"hour": 10}}))
    assert [row["charged"] for row in usage(counted, kind="key", value=id, **last_hour)["rows"]] == [1, 0]
    for kind, value in (("key", other), ("ip", ADDRESS), ("key", "0123456789abcdef"), ("owner", "acme")):
        with pytest.raises(InvalidParameterError, match="day or month") as refused:
            usage(counted, kind=kind, value=value, **last_hour)
        assert refused.value.parameter == "granularity"


def test_a_rotated_key_is_told_as_the_first_of_its_line(counted: Counted) -> None:
    counted.apply()
    admin = key_admin(counted.gate, NAMES.gate_table, "prod")
    secret, first = admin.create({"owner": "acme", "plan": "pro"}, NOW - DAY_MS)
    _, second, _ = admin.rotate(first.id, DAY_MS, NOW)
    counted.count(VIRGINIA, call(key=first.id))
    document = usage(counted, kind="key", value=second.id, from_="2026-11-20")
    assert (document["value"], document["rows"][0]["charged"]) == (first.id, 1)
    assert secret not in json.dumps(document)


def test_pages_follow_each_other_and_a_cursor_belongs_to_its_question(counted: Counted) -> None:
    counted.count(VIRGINIA, *(call(NOW - days * DAY_MS) for days in range(20)))
    asked = {"kind": "ip", "value": ADDRESS, "limit": "6"}
    whole = usage(counted, **{**asked, "limit": "31"})["rows"]
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = usage(counted, **asked, **cursor)
        assert len(page["rows"]) <= 6
        found += page["rows"]
        if page["cursor"] is None:
            break
        cursor = {"cursor": page["cursor"]}
    assert (found, len(found)) == (whole, 20)
    first = usage(counted, **asked)["cursor"]
    for other in (
        {"value": "203.0.113.8"},
        {"granularity": "month"},
        {"kind": "all", "value": ""},
        {"from_": "2026-11-02"},
    ):
        with pytest.raises(InvalidParameterError) as refused:
            usage(counted, **{**asked, "cursor": first, **other})
        assert refused.value.parameter == "cursor"


@pytest.mark.parametrize(
    ("query", "parameter", "valid"),
    [
        ({}, "kind", "one of ip, ref, key, owner, all"),
        ({"kind": "ctr", "value": "x"}, "kind", "one of ip, ref, key, owner, all"),
        ({"kind": "ip"}, "value", "which ip"),
        ({"kind": "ip", "value": "shop"}, "value", "no IP address"),
        ({"kind": "all", "value": "mars-east-1"}, "value", "one of us-east-1, eu-west-1, ap-southeast-2"),
        ({"kind": "all", "from": "2026-10-31"}, "from", "2026-11-01T00:00:00.000Z or later"),
        ({"kind": "all", "from": "2026-12-01"}, "from", "before to"),
        ({"kind": "all", "from": "then"}, "from", "ISO 8601"),
        ({"kind": "all", "fill": "yes"}, "fill", "one of true, false"),
        ({"kind": "all", "limit": "0"}, "limit", f"a whole number from 1 to {MAX_PERIODS}"),
        ({"kind": "all", "limit": "٣"}, "limit", "a whole number"),
        ({"kind": "all", "granularity": "week"}, "granularity", "hour or day or month"),
        ({"kind": "all", "cursor": "AAAA"}, "cursor", "page before"),
        ({"kind": "all", "form": "2026-11-02"}, "form", "allowed are kind, value, from"),
    ],
)
def test_what_is_no_question_is_told_what_one_is(
    counted: Counted, query: dict[str, str], parameter: str, valid: str
) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        counted.operations.usage(query, NOW)
    assert (refused.value.parameter, valid in str(refused.value)) == (parameter, True)


@pytest.mark.parametrize("text", ["2026-11-20T10:00:00+02:00", "1795161600", "1795161600000", "1795161600000000"])
def test_a_time_is_taken_in_each_usual_form(counted: Counted, text: str) -> None:
    assert usage(counted, kind="all", granularity="hour", from_=text)["from"] == "2026-11-20T08:00:00.000Z"


def test_no_answer_reaches_a_megabyte(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """More regions than AWS has, large numbers, and as many hours as may be asked for."""
    regions = tuple(f"ap-southeast-{number}" for number in range(10, 50))
    service = Service(NAMES, regions, Retention(8_760, 400))
    now_ms = time_ms("2026-11-20T23:30")
    item = TallyItem(10**14 + 7, 10**14 + 6, 10**14 + 5)
    start_ms = now_ms - now_ms % HOUR_MS - (MAX_PERIODS - 1) * HOUR_MS
    items = {period_of("hour", start_ms + number * HOUR_MS): item for number in range(MAX_PERIODS)}

    def between(_client: object, _table: str, _pk: str, first: str, last: str) -> dict[str, TallyItem]:
        return {period: item for period, item in items.items() if first <= period <= last}

    monkeypatch.setattr(module, "items_between", between)
    operations = Operations({VIRGINIA: clients[VIRGINIA]}, clients[VIRGINIA], {}, {}, service)
    query = {"kind": "all", "granularity": "hour", "from": str(start_ms), "limit": str(MAX_PERIODS)}
    page = operations.usage(query, now_ms)
    assert 800_000 < len(json.dumps(page)) < 1_000_000
    rows = len(page["rows"])
    while page["cursor"] is not None:
        page = operations.usage({**query, "cursor": page["cursor"]}, now_ms)
        assert len(json.dumps(page)) < 1_000_000
        rows += len(page["rows"])
    assert rows == MAX_PERIODS


def test_a_home_that_cannot_be_read_is_named(counted: Counted) -> None:
    counted.clients[IRELAND].delete_table(TableName=NAMES.tally_table)
    for query in ({"kind": "ip", "value": ADDRESS}, {"kind": "all"}):
        with pytest.raises(UnreachableError, match="the tally in eu-west-1 cannot be read") as failed:
            counted.operations.usage(query, NOW)
        assert (failed.value.region, failed.value.may_pass) == (IRELAND, False)
