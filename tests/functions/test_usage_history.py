"""What `GET /v1/usage` answers to a range: the caller's own past, exactly, page by page, or not at all."""

import json
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import pytest
from answers import ADMITTED, call, lines
from gateway import HOME, SLOW

from functions.api import routes
from functions.api.sparing import READS_PER_SECOND, Sparing
from functions.api.usage_history import UsageHistory
from tallygate.core.gate import ReadFailure
from tallygate.core.retention import Retention
from tallygate.core.usage import HomeUsage
from tallygate.core.verdict import Verdict

NOW = 1_795_176_000_123
KEYED = replace(ADMITTED, key="9f2c000000000000", charge=("key",), caps={"key": {"day": 1000, "month": 5000}}, units=0)
HOURLY = replace(KEYED, caps={"key": {"hour": 100}})
NOVEMBER = HomeUsage(HOME, "2026-11", 70, 60, 3, {18: 35, 20: 25}, at_ms=NOW - 2_123)


@dataclass
class FakePast:
    """The tallies of homes; one that is None does not answer."""

    rows: dict[str, list[HomeUsage] | None] = field(default_factory=lambda: {HOME: [NOVEMBER]})
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def homes(self) -> tuple[str, ...]:
        return tuple(self.rows)

    def between(self, home: str, pk: str, first: str, last: str) -> list[HomeUsage] | ReadFailure:
        self.asked.append((pk, first, last))
        rows = self.rows[home]
        return SLOW if rows is None else rows


def ask(
    past: FakePast, monkeypatch: pytest.MonkeyPatch, query: dict[str, str], verdict: Verdict = KEYED, **more: Any
) -> tuple[dict[str, Any], Any]:
    history = UsageHistory(past, Retention(24, 400), Sparing())
    monkeypatch.setattr(routes, "usage_history", lambda: history)
    answer = call(verdict, "/v1/usage", query=query, **more)
    return answer, json.loads(answer["body"])


def test_days_of_all_homes_are_added_up_and_cost_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = HomeUsage("eu-west-1", "2026-11", 10, 10, 0, {20: 10}, at_ms=NOW - 1_123)
    past = FakePast({HOME: [NOVEMBER], "eu-west-1": [away], "ap-southeast-2": []})
    answer, body = ask(past, monkeypatch, {"from": "2026-11-18", "to": "2026-11-20T12:00:00Z"})
    assert answer["statusCode"] == 200
    assert set(past.asked) == {("key#9f2c000000000000", "month#2026-11", "month#2026-11")}
    assert body == {
        "kind": "key",
        "value": "9f2c000000000000",
        "granularity": "day",
        "from": "2026-11-18T00:00:00.000Z",
        "to": "2026-11-21T00:00:00.000Z",
        "kept_from": "2025-10-01T00:00:00.000Z",
        "source": "tally",
        "as_of": "2026-11-20T11:59:58.000Z",
        "note": body["note"],
        "usage": [
            {"start": "2026-11-18T00:00:00.000Z", "charged": 35},
            {"start": "2026-11-19T00:00:00.000Z", "charged": 0},
            {"start": "2026-11-20T00:00:00.000Z", "charged": 35},
        ],
        "next": None,
    }
    assert [(line["units"], line["status"]) for line in lines(capsys)] == [(0, 200)]


def test_the_next_page_is_a_link_that_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    _, body = ask(FakePast(), monkeypatch, {"from": "2026-01-01", "api-key": "tg_secret"})
    assert len(body["usage"]) == 92
    assert body["next"].startswith("/v1/usage?from=2026-01-01T00%3A00%3A00.000Z&to=2026-11-21T00%3A00%3A00.000Z&")
    assert "secret" not in body["next"]


@pytest.mark.parametrize(
    ("query", "parameter"), [({"from": "soon"}, "from"), ({"to": "2026-11-20"}, "from"), ({"cursor": "x"}, "from")]
)
def test_what_is_invalid_is_told_and_nothing_is_read(
    monkeypatch: pytest.MonkeyPatch, query: dict[str, str], parameter: str
) -> None:
    past = FakePast()
    answer, body = ask(past, monkeypatch, query)
    assert (answer["statusCode"], body["status"], body["parameter"]) == (400, 400, parameter)
    assert body["type"] == "https://docs.example/problems#invalid-parameter"
    assert body["instance"] == "UQoMlg7eDoEEPJg="
    assert "ISO 8601" in body["detail"]
    assert answer["headers"]["ratelimit"], "on every answer"
    assert past.asked == []


def test_hours_need_a_limit_by_the_hour_that_the_caller_may_know_of(monkeypatch: pytest.MonkeyPatch) -> None:
    query = {"from": "2026-11-20T10:00", "granularity": "hour"}
    for verdict in (KEYED, replace(HOURLY, shadow=True)):
        answer, body = ask(FakePast(), monkeypatch, query, verdict)
        assert (answer["statusCode"], body["parameter"]) == (400, "granularity")
    rows = [HomeUsage(HOME, "", 7, 7, hour="2026-11-20T11", at_ms=NOW)]
    _, body = ask(FakePast({HOME: rows}), monkeypatch, query, HOURLY)
    assert [row["charged"] for row in body["usage"]] == [0, 7, 0]


def test_a_home_that_cannot_be_read_is_never_told_as_0(monkeypatch: pytest.MonkeyPatch) -> None:
    past = FakePast({HOME: [NOVEMBER], "eu-west-1": None})
    answer, body = ask(past, monkeypatch, {"from": "2026-11-18"})
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "5")
    assert body["type"] == "https://docs.example/problems#history-unavailable"


@pytest.mark.parametrize(
    ("verdict", "pk"),
    [
        (replace(ADMITTED, units=0), "ip#203.0.113.7"),
        (replace(ADMITTED, units=0, charge=("ref",)), None),
        (replace(ADMITTED, units=0, charge=()), None),
        (replace(ADMITTED, units=0, key="invalid", charge=()), None),
    ],
    ids=["address", "only a Referer, which anybody may send", "nothing charged", "a key that could not be read"],
)
def test_a_past_is_that_of_the_caller_and_of_nobody_else(
    monkeypatch: pytest.MonkeyPatch, verdict: Verdict, pk: str | None
) -> None:
    past = FakePast()
    answer, body = ask(past, monkeypatch, {"from": "2026-11-18"}, verdict)
    assert [asked[0] for asked in past.asked] == ([pk] if pk else [])
    assert answer["statusCode"] == (200 if pk else 404)
    assert "ref" not in json.dumps(body.get("usage"))


def test_nothing_counted_is_as_of_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    _, body = ask(FakePast({HOME: []}), monkeypatch, {"from": "2026-11-20"})
    assert (body["as_of"], body["usage"]) == (None, [{"start": "2026-11-20T00:00:00.000Z", "charged": 0}])


def test_who_asks_for_too_much_within_a_second_is_told_to_wait_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    past = FakePast()
    history = UsageHistory(past, Retention(24, 400), Sparing())
    monkeypatch.setattr(routes, "usage_history", lambda: history)
    months = [f"{year}-{month:02d}-02" for year, month in product((2025, 2026), range(1, 13))][9:23]
    answers = [call(KEYED, "/v1/usage", query={"from": day, "granularity": "month"}) for day in months]
    statuses = [answer["statusCode"] for answer in answers]
    assert statuses == [200] * READS_PER_SECOND + [429] * (14 - READS_PER_SECOND)
    assert len(past.asked) == READS_PER_SECOND
    assert answers[-1]["headers"]["retry-after"] == "1"
    assert json.loads(answers[-1]["body"])["type"] == "https://docs.example/problems#too-many-reports"
    assert call(KEYED, "/v1/usage", query={"from": months[0], "granularity": "month"})["statusCode"] == 200, (
        "told again"
    )
    another = replace(KEYED, key="another")
    assert call(another, "/v1/usage", query={"from": months[-1]})["statusCode"] == 200
