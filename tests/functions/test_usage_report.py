"""What `GET /v1/usage` answers: exact counts of every home, and what holds where one does not answer."""

import io
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from answers import ADMITTED, call, lines
from gateway import HOME, NOW, SLOW, FakeGate, published

from functions.api import routes
from functions.api.sparing import READS_PER_SECOND, Sparing
from functions.api.usage_report import UsageReport
from tallygate.core.adjustments import Allowance, Baseline
from tallygate.core.gate import ReadFailure
from tallygate.core.standing import Before
from tallygate.core.usage import HomeUsage
from tallygate.core.verdict import Verdict


@dataclass
class FakeTally:
    """The tallies of homes; one that is None does not answer. `asked` are the items that the first was asked for."""

    counts: dict[str, dict[str, HomeUsage] | None] = field(default_factory=dict)
    more: dict[str, list[HomeUsage]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def homes(self) -> tuple[str, ...]:
        return tuple(self.counts)

    def read(self, home: str, items: Sequence[tuple[str, str]]) -> list[HomeUsage] | ReadFailure:
        self.asked = list(items)
        counts = self.counts[home]
        if counts is None:
            return SLOW
        rows = [(pk, row) for pk, row in counts.items()]
        rows += [(pk, row) for pk, rows_of in self.more.items() for row in rows_of if row.home == home]
        kept = {(pk, f"hour#{row.hour}" if row.hour else f"month#{row.month}"): row for pk, row in rows}
        return [kept.get(item, HomeUsage.nothing(home, item[1])) for item in items]


def report(tally: FakeTally, gate: FakeGate, monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> Any:
    monkeypatch.setattr(routes, "usage_report", lambda: UsageReport(tally, gate, Sparing()))
    answer = call(replace(verdict, units=0), "/v1/usage")
    assert answer["statusCode"] == 200
    return json.loads(answer["body"])


KEYED = replace(ADMITTED, key="9f2c000000000000", charge=("key",), caps={"key": {"day": 1000, "month": 5000}})
COUNTED = HomeUsage(HOME, "2026-11", 70, 60, 3, {19: 35, 20: 25}, at_ms=NOW - 2_123)


def test_usage_is_exact_and_adds_homes_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    away = HomeUsage("eu-west-1", "2026-11", 10, 10, 0, {20: 10}, at_ms=NOW - 1_123)
    pk = "key#9f2c000000000000"
    body = report(FakeTally({HOME: {pk: COUNTED}, "eu-west-1": {pk: away}}), FakeGate(), monkeypatch, KEYED)
    assert (body["source"], body["as_of"], body["plan"]) == ("tally", "2026-11-20T11:59:58.000Z", "anonymous")
    assert body["usage"] == [
        {
            "kind": "key",
            "value": "9f2c000000000000",
            "window": "day",
            "rolling": False,
            "soft": False,
            "limit": 1000,
            "used": 35,
            "remaining": 965,
            "reset": "2026-11-21T00:00:00.000Z",
            "homes": {
                HOME: {"used": 25, "as_of": "2026-11-20T11:59:58.000Z", "source": "tally"},
                "eu-west-1": {"used": 10, "as_of": "2026-11-20T11:59:59.000Z", "source": "tally"},
            },
        },
        {
            "kind": "key",
            "value": "9f2c000000000000",
            "window": "month",
            "rolling": False,
            "soft": False,
            "limit": 5000,
            "used": 70,
            "remaining": 4930,
            "reset": "2026-12-01T00:00:00.000Z",
            "homes": {
                HOME: {"used": 60, "as_of": "2026-11-20T11:59:58.000Z", "source": "tally"},
                "eu-west-1": {"used": 10, "as_of": "2026-11-20T11:59:59.000Z", "source": "tally"},
            },
        },
    ]
    assert [(line["units"], line["status"]) for line in lines(capsys)] == [(0, 200)]


def test_homes_are_asked_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Meeting(FakeTally):
        """Homes that answer only while the other is asked too."""

        together = threading.Barrier(2, timeout=10)

        def read(self, home: str, items: Sequence[tuple[str, str]]) -> list[HomeUsage] | ReadFailure:
            self.together.wait()
            return super().read(home, items)

    pk = "key#9f2c000000000000"
    body = report(Meeting({HOME: {pk: COUNTED}, "eu-west-1": None}), FakeGate(), monkeypatch, KEYED)
    assert [home["source"] for home in body["usage"][0]["homes"].values()] == ["tally", "gate"]


@pytest.mark.parametrize(
    ("away", "as_of"),
    [
        ({}, "2026-11-20T11:59:58.000Z"),
        ({"key#9f2c000000000000": replace(COUNTED, at_ms=NOW - 60_123)}, "2026-11-20T11:59:00.000Z"),
        (None, None),
    ],
    ids=["nothing counted there", "counted earlier there", "unknown there"],
)
def test_usage_is_told_as_of_the_home_that_is_furthest_behind(
    monkeypatch: pytest.MonkeyPatch, away: dict[str, HomeUsage] | None, as_of: str | None
) -> None:
    tally = FakeTally({HOME: {"key#9f2c000000000000": COUNTED}, "eu-west-1": away})
    assert report(tally, FakeGate(), monkeypatch, KEYED)["as_of"] == as_of


def test_usage_counts_from_the_reset_of_each_home(monkeypatch: pytest.MonkeyPatch) -> None:
    away = HomeUsage("eu-west-1", "2026-11", 10, 10, 0, {20: 10})
    pk = "key#9f2c000000000000"
    tally = FakeTally({HOME: {pk: COUNTED}, "eu-west-1": {pk: away}})
    adjusted = replace(
        KEYED, caps={"key": {"day": 1050, "month": 5000}}, bases={"key": {"day": {HOME: 20, "eu-west-1": 10}}}
    )
    day, month = report(tally, FakeGate(), monkeypatch, adjusted)["usage"]
    assert (day["limit"], day["used"], day["remaining"]) == (1050, 5, 1045)
    assert [home["used"] for home in day["homes"].values()] == [5, 0]
    assert (month["limit"], month["used"], month["remaining"]) == (5000, 70, 4930)


def test_usage_from_a_gate_that_is_behind_a_reset_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = FakeGate(rows={"key#9f2c000000000000": (published(50),)})
    adjusted = replace(KEYED, bases={"key": {"day": {HOME: 53}}})
    day, month = report(FakeTally({HOME: None}), gate, monkeypatch, adjusted)["usage"]
    assert (day["used"], month["used"]) == (0, 50)


def test_usage_of_a_home_that_does_not_answer_comes_from_the_gate_and_says_so(
    monkeypatch: pytest.MonkeyPatch, api_log: io.StringIO
) -> None:
    gate = FakeGate(rows={"key#9f2c000000000000": (published(50), replace(published(9), month="2026-10"))})
    body = report(FakeTally({HOME: None}), gate, monkeypatch, KEYED)
    assert body["source"] == "gate"
    assert [limit["used"] for limit in body["usage"]] == [50, 50]
    assert body["usage"][0]["homes"][HOME]["source"] == "gate"
    assert "no answer in time" in api_log.getvalue()


def test_usage_with_nothing_to_read_is_still_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    body = report(FakeTally({HOME: None}), FakeGate(is_down=True), monkeypatch, KEYED)
    assert (body["source"], body["as_of"], body["usage"][0]["used"]) == ("gate", None, 0)


def test_usage_without_a_key_is_of_address_and_site(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = FakeTally({HOME: {"ip#203.0.113.7": COUNTED}})
    body = report(tally, FakeGate(), monkeypatch, ADMITTED)
    assert [(limit["kind"], limit["value"], limit["used"], limit["limit"]) for limit in body["usage"]] == [
        ("ip", "203.0.113.7", 25, 200),
        ("ref", "shop.example", 0, 2000),
    ]


PK = "key#9f2c000000000000"


def hour(charged: int, hour: str, *, home: str = HOME, at_ms: int = NOW - 123) -> HomeUsage:
    return HomeUsage(home, "", charged, charged, at_ms=at_ms, hour=hour)


def test_hours_are_told_from_their_own_items(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = FakeTally({HOME: {PK: COUNTED}, "eu-west-1": {}})
    tally.more = {PK: [hour(7, "2026-11-20T12"), hour(90, "2026-11-20T11")]}
    tally.more[PK].append(hour(3, "2026-11-20T12", home="eu-west-1"))
    limited = replace(KEYED, caps={"key": {"minute": 5, "hour": 20, "hour-soft": 9, "month": 5000}})
    report_of = report(tally, FakeGate(), monkeypatch, limited)
    assert sorted(tally.asked) == [(PK, "hour#2026-11-20T12"), (PK, "month#2026-11")]
    told = [
        (each["window"], each["soft"], each["used"], each["remaining"], each["reset"]) for each in report_of["usage"]
    ]
    assert told == [
        ("hour", False, 10, 10, "2026-11-20T13:00:00.000Z"),
        ("hour", True, 10, 0, "2026-11-20T13:00:00.000Z"),
        ("month", False, 60, 4940, "2026-12-01T00:00:00.000Z"),
    ]
    assert report_of["usage"][0]["homes"][HOME]["as_of"] == "2026-11-20T12:00:00.000Z"
    assert report_of["as_of"] == "2026-11-20T11:59:58.000Z"


def test_what_the_window_before_still_weighs_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the 20th has passed: of yesterday's 41, less 6 forgiven there and 9 of a top-up, half are 13."""
    tally = FakeTally({HOME: {PK: replace(COUNTED, days={19: 41, 20: 25})}})
    past = Allowance({HOME: Baseline(6, 0)}, 9)
    rolling = replace(KEYED, caps={"key": {"day": 100}}, before={"key": {"day": Before(99, past)}})
    for counts in (tally, FakeTally({HOME: None})):
        gate = FakeGate(rows={PK: (replace(COUNTED, days={19: 41, 20: 25}),)})
        [day] = report(counts, gate, monkeypatch, rolling)["usage"]
        assert (day["rolling"], day["used"], day["remaining"]) == (True, 25 + 12, 63)
        assert day["reset"] == "2026-11-22T00:00:00.000Z", "until then it weighs something"
        assert day["homes"][HOME]["used"] == 25


def test_a_rolling_limit_asks_for_the_month_before_on_the_first_and_for_the_hour_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tally = FakeTally({HOME: {}})
    nothing = Before(0, Allowance())
    rolling = replace(
        KEYED,
        caps={"key": {"hour": 5, "day": 100, "month": 900}},
        before={"key": {"hour": nothing, "day": nothing, "month": nothing}},
    )
    UsageReport(tally, FakeGate(), Sparing()).of(rolling, NOW + 11 * 86_400_000 - 12 * 3_600_000)
    assert sorted(tally.asked) == [
        (PK, "hour#2026-11-30T23"),
        (PK, "hour#2026-12-01T00"),
        (PK, "month#2026-11"),
        (PK, "month#2026-12"),
    ]


def test_who_is_on_a_plan_in_shadow_is_told_of_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = FakeTally({HOME: {PK: COUNTED}})
    [limit] = report(tally, FakeGate(), monkeypatch, replace(KEYED, shadow=True))["usage"]
    assert (limit["window"], limit["used"], limit["limit"], limit["remaining"]) == ("month", 60, None, None)


def test_usage_without_a_limit_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = FakeTally({HOME: {"ip#203.0.113.7": COUNTED}})
    body = report(tally, FakeGate(), monkeypatch, replace(ADMITTED, charge=("ip",), caps={}))
    [limit] = body["usage"]
    assert (limit["window"], limit["used"], limit["limit"], limit["remaining"]) == ("month", 60, None, None)


def test_a_report_is_read_so_often_and_then_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a free call cannot be used to overload the partition that its caller is counted in."""
    tally = FakeTally({HOME: {PK: COUNTED}})
    usage_report, reads = UsageReport(tally, FakeGate(), Sparing()), 0
    for _ in range(20):
        tally.asked.clear()
        told, failures = usage_report.of(KEYED, NOW)
        assert (told["usage"][0]["used"], failures) == (25, [])
        reads += bool(tally.asked)
    assert reads == READS_PER_SECOND
    tally.asked.clear()
    usage_report.of(replace(KEYED, key="another"), NOW)
    assert tally.asked, "others are not held off"
    tally.asked.clear()
    usage_report.of(KEYED, NOW + 1_000)
    assert tally.asked, "the second is over"


def test_the_report_of_a_container_is_put_together_without_asking_anybody() -> None:
    for made in (routes.settings, routes.tally, routes.usage_report):
        made.cache_clear()
    body, failures = routes.usage_report().of(KEYED, NOW)  # nobody listens there
    assert body["source"] == "gate"
    assert len(failures) == 2
