"""The API function on events as the gateway sends them: who is refused, what is answered, and what is counted."""

import io
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from gateway import EVENTS, HOME, NOW, SLOW, FakeGate, published

from functions.api import handler as module
from functions.api import routes
from functions.api.usage_report import UsageReport
from tallygate.core.decide import Checked, Decision
from tallygate.core.gate import ReadFailure
from tallygate.core.lines import parse_line
from tallygate.core.plans import Limit
from tallygate.core.usage import HomeUsage
from tallygate.core.verdict import Verdict

DAY = 86_400_000
MIDNIGHT = 1_795_219_200_000
DAILY = Checked(Limit("ip", 200, "day"), 13, DAY, MIDNIGHT)
ADMITTED = Verdict(
    ip="203.0.113.7",
    ref="shop.example",
    plan="anonymous",
    charge=("ip", "ref"),
    caps={"ip": {"day": 200}, "ref": {"day": 2000}},
    home=HOME,
    region="eu-west-1",
    units=1,
    decision=Decision((DAILY,)),
)
SPENT = replace(
    ADMITTED, decision=Decision((replace(DAILY, used=200, refuses=True, opens_ms=MIDNIGHT),), "quota", 43_200)
)
BAD_KEY = replace(ADMITTED, key="invalid", charge=(), caps={}, decision=Decision(refusal="key"), key_fault="malformed")
BLIND = replace(ADMITTED, decision=Decision((), "unavailable", 5))


@dataclass
class FakeTally:
    """The tallies of homes; one that is None does not answer."""

    counts: dict[str, dict[str, HomeUsage] | None] = field(default_factory=dict)

    @property
    def homes(self) -> tuple[str, ...]:
        return tuple(self.counts)

    def read(self, home: str, partitions: Sequence[str], month: str) -> list[HomeUsage] | ReadFailure:
        counts = self.counts[home]
        return SLOW if counts is None else [counts.get(pk, HomeUsage(home, month)) for pk in partitions]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the function logs, as it is written."""
    handlers, log = [module.logger.registered_handler, routes.logger.registered_handler], io.StringIO()
    before = [handler.setStream(log) for handler in handlers if isinstance(handler, logging.StreamHandler)]
    yield log
    for handler, stream in zip(handlers, before, strict=True):
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(stream or io.StringIO())


def call(verdict: Verdict | str | None, path: str = "/v1/whoami", method: str = "GET") -> dict[str, Any]:
    event = json.loads((EVENTS / "proxy_v2.json").read_text())
    event["rawPath"] = path
    event["requestContext"]["http"] |= {"path": path, "method": method}
    if verdict is None:
        del event["requestContext"]["authorizer"]
    else:
        text = verdict.to_json() if isinstance(verdict, Verdict) else verdict
        event["requestContext"]["authorizer"]["lambda"]["tallygate"] = text
    answer: dict[str, Any] = module.handler(event, None)  # type: ignore[arg-type]  # nothing asks for the context
    answer["headers"] = {name.lower(): value for name, value in answer["headers"].items()}
    return answer


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in printed if line.get("type") == "usage"]


def test_whoami_tells_what_the_gate_sees(capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(ADMITTED)
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "application/json"
    assert json.loads(answer["body"]) == {
        "ip": "203.0.113.7",
        "ref": "shop.example",
        "key": None,
        "plan": "anonymous",
        "region": "eu-west-1",
        "home": "us-east-1",
        "limits": [
            {
                "kind": "ip",
                "window": "day",
                "limit": 200,
                "used": 13,
                "remaining": 187,
                "reset": "2026-11-21T00:00:00.000Z",
            }
        ],
    }


def test_an_admitted_call_prints_one_usage_line(capsys: pytest.CaptureFixture[str]) -> None:
    call(ADMITTED)
    [line] = lines(capsys)
    assert line == {
        "type": "usage",
        "level": "INFO",
        "timestamp": "2026-11-20T12:00:00.123Z",
        "id": "UQoMlg7eDoEEPJg=",
        "home": "us-east-1",
        "region": "eu-west-1",
        "ip": "203.0.113.7",
        "ref": "shop.example",
        "charge": ["ip", "ref"],
        "caps": {"ip": {"day": 200}, "ref": {"day": 2000}},
        "units": 1,
        "status": 200,
    }
    parse_line(line)


@pytest.mark.parametrize("verdict", [ADMITTED, SPENT, BAD_KEY, BLIND, None])
def test_every_answer_can_be_read_by_a_page(verdict: Verdict | None) -> None:
    headers = call(verdict)["headers"]
    assert headers["access-control-allow-origin"] == "*"
    exposed = {name.strip().lower() for name in headers["access-control-expose-headers"].split(",")}
    assert {"ratelimit", "ratelimit-policy", "retry-after", "x-ratelimit-remaining"} <= exposed


@pytest.mark.parametrize("path", ["/v1/whoami", "/nowhere"])
def test_every_answer_of_an_admitted_call_tells_its_limits(path: str) -> None:
    headers = call(ADMITTED, path)["headers"]
    assert headers["ratelimit-policy"] == '"ip-day";q=200;w=86400'
    assert headers["ratelimit"] == '"ip-day";r=187;t=43200'
    assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("200", "187")
    assert "retry-after" not in headers


@pytest.mark.parametrize(
    ("verdict", "status", "problem", "retry_after"),
    [
        (SPENT, 429, "https://iana.org/assignments/http-problem-types#quota-exceeded", "43200"),
        (BAD_KEY, 401, "urn:problem-type:tallygate:invalid-key", None),
        (BLIND, 503, "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity", "5"),
        (None, 403, "urn:problem-type:tallygate:no-verdict", None),
        ("", 403, "urn:problem-type:tallygate:no-verdict", None),
        ('{"allowed":true}', 403, "urn:problem-type:tallygate:no-verdict", None),
    ],
)
def test_a_call_is_refused_before_any_work_is_done_for_it(
    verdict: Verdict | str | None,
    status: int,
    problem: str,
    retry_after: str | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(routes.app, "resolve", lambda *_: pytest.fail("a refused call was served"))
    answer = call(verdict)
    body = json.loads(answer["body"])
    assert (answer["statusCode"], body["status"], body["type"]) == (status, status, problem)
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert answer["headers"].get("retry-after") == retry_after
    assert lines(capsys) == []


def test_a_spent_quota_names_what_was_spent() -> None:
    answer = call(SPENT)
    assert json.loads(answer["body"])["violated-policies"] == ["ip-day"]
    assert answer["headers"]["ratelimit"] == '"ip-day";r=0;t=43200'


def test_a_bad_key_is_told_how_to_present_one() -> None:
    assert call(BAD_KEY)["headers"]["www-authenticate"].startswith("Bearer ")


def test_a_call_without_a_verdict_is_logged_as_an_error(log: io.StringIO) -> None:
    call(None)
    assert json.loads(log.getvalue())["level"] == "ERROR"


@pytest.mark.parametrize("verdict", [ADMITTED, SPENT, None])
def test_head_is_answered_as_get_so_that_its_length_is_told(
    verdict: Verdict | None, capsys: pytest.CaptureFixture[str]
) -> None:
    get = call(verdict)
    counted = len(lines(capsys))
    assert call(verdict, method="HEAD") == get
    assert len(lines(capsys)) == counted


@pytest.mark.parametrize(("path", "method"), [("/", "GET"), ("/v1/whoami", "POST"), ("/v1/whoami/x", "GET")])
def test_what_is_not_there_is_counted_as_such(path: str, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(ADMITTED, path, method)
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"])["type"] == "urn:problem-type:tallygate:not-found"
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert [(line["status"], line["units"]) for line in lines(capsys)] == [(404, 1)]


def test_a_handler_that_fails_is_answered_and_counted(
    capsys: pytest.CaptureFixture[str], log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(routes.app, "resolve", fail)
    answer = call(ADMITTED)
    assert (answer["statusCode"], json.loads(answer["body"])["type"]) == (500, "urn:problem-type:tallygate:internal")
    assert "broken" not in answer["body"]
    assert "RuntimeError: broken" in json.loads(log.getvalue())["exception"]
    printed = capsys.readouterr().out
    assert '"status":500' in printed
    assert '"Failed":[1.0]' in printed


def report(tally: FakeTally, gate: FakeGate, monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> Any:
    monkeypatch.setattr(routes, "usage_report", lambda: UsageReport(tally, gate))
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

        def read(self, home: str, partitions: Sequence[str], month: str) -> list[HomeUsage] | ReadFailure:
            self.together.wait()
            return super().read(home, partitions, month)

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
    monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    gate = FakeGate(rows={"key#9f2c000000000000": (published(50), replace(published(9), month="2026-10"))})
    body = report(FakeTally({HOME: None}), gate, monkeypatch, KEYED)
    assert body["source"] == "gate"
    assert [limit["used"] for limit in body["usage"]] == [50, 50]
    assert body["usage"][0]["homes"][HOME]["source"] == "gate"
    assert "no answer in time" in log.getvalue()


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


def test_usage_without_a_limit_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = FakeTally({HOME: {"ip#203.0.113.7": COUNTED}})
    body = report(tally, FakeGate(), monkeypatch, replace(ADMITTED, charge=("ip",), caps={}))
    [limit] = body["usage"]
    assert (limit["window"], limit["used"], limit["limit"], limit["remaining"]) == ("month", 60, None, None)


def test_the_report_of_a_container_is_put_together_without_asking_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "TALLYGATE_GATE_TABLE": "gate",
        "TALLYGATE_TALLY_TABLE": "tally",
        "TALLYGATE_HOME": HOME,
        "TALLYGATE_HOMES": HOME,
    }.items():
        monkeypatch.setenv(name, value)
    routes.usage_report.cache_clear()
    made = routes.usage_report()
    routes.usage_report.cache_clear()
    body, failures = made.of(KEYED, NOW)  # nobody listens there
    assert body["source"] == "gate"
    assert len(failures) == 2
