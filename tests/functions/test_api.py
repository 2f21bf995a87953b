"""The API function on events as the gateway sends them: who is refused, what is answered, and what is counted."""

import io
import json
from dataclasses import replace

import pytest
from answers import ADMITTED, DAILY, MIDNIGHT, call, lines

from functions.api import routes
from tallygate.core.decide import Decision
from tallygate.core.lines import parse_line
from tallygate.core.routes import PROBLEMS_PATH
from tallygate.core.verdict import Verdict

SPENT = replace(
    ADMITTED, decision=Decision((replace(DAILY, used=200, refuses=True, opens_ms=MIDNIGHT),), "quota", 43_200)
)
BAD_KEY = replace(ADMITTED, key="invalid", charge=(), caps={}, decision=Decision(refusal="key"), key_fault="malformed")
BLIND = replace(ADMITTED, decision=Decision((), "unavailable", 5))


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
                "rolling": False,
                "soft": False,
                "limit": 200,
                "used": 13,
                "remaining": 187,
                "reset": "2026-11-21T00:00:00.000Z",
            }
        ],
    }


def test_who_is_on_a_plan_in_shadow_sees_no_limits(capsys: pytest.CaptureFixture[str]) -> None:
    spent = replace(ADMITTED.decision, would="quota", limits=(replace(DAILY, used=201, exceeded=True),))
    answer = call(replace(ADMITTED, decision=spent, shadow=True))
    assert (answer["statusCode"], json.loads(answer["body"])["limits"]) == (200, [])
    assert not {name for name in answer["headers"] if "ratelimit" in name and not name.startswith("access-control")}
    [line] = lines(capsys)
    assert (line["would"], line["units"], line["caps"]["ip"]) == ("quota", 1, {"day": 200})
    assert "verdict" not in line
    assert parse_line(line).would == "quota"


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
    assert {name for name in headers if "ratelimit" in name or name in ("retry-after", "www-authenticate")} <= exposed
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
        (BAD_KEY, 401, "https://docs.example/problems#invalid-key", None),
        (BLIND, 503, "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity", "5"),
        (None, 403, "https://docs.example/problems#no-verdict", None),
        ("", 403, "https://docs.example/problems#no-verdict", None),
        ('{"allowed":true}', 403, "https://docs.example/problems#no-verdict", None),
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
    assert json.loads(answer["body"]) == {
        "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
        "title": "Quota exceeded",
        "status": 429,
        "detail": "ip-day allows 200 a day; there is room for this call at 2026-11-21T00:00:00.000Z. "
        "Try again in 43200 s.",
        "instance": "UQoMlg7eDoEEPJg=",
        "violated-policies": ["ip-day"],
        "limits": [
            {
                "policy": "ip-day",
                "kind": "ip",
                "window": "day",
                "rolling": False,
                "limit": 200,
                "used": 200,
                "estimated": False,
                "opens": "2026-11-21T00:00:00.000Z",
                "reset": "2026-11-21T00:00:00.000Z",
            }
        ],
        "usage": "/v1/usage",
    }
    assert answer["headers"]["ratelimit"] == '"ip-day";r=0;t=43200'


@pytest.mark.parametrize("verdict", [ADMITTED, SPENT, BAD_KEY, BLIND, None])
def test_no_answer_is_kept_by_a_cache(verdict: Verdict | None) -> None:
    assert call(verdict)["headers"]["cache-control"] == "no-store"


def test_types_of_problem_are_described_where_they_lead_and_may_be_kept(capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(replace(ADMITTED, units=0), PROBLEMS_PATH)
    assert answer["headers"]["content-type"] == "text/html; charset=utf-8"
    assert answer["headers"]["cache-control"] == "public, max-age=3600"
    for problem in ("quota-exceeded", "invalid-key", "not-found", "internal", "no-verdict"):
        assert f'<section id="{problem}">' in answer["body"]
    assert [line["units"] for line in lines(capsys)] == [0]


def test_a_bad_key_is_told_how_to_present_one() -> None:
    assert call(BAD_KEY)["headers"]["www-authenticate"].startswith("Bearer ")


def test_a_call_without_a_verdict_is_logged_as_an_error(api_log: io.StringIO) -> None:
    call(None)
    assert json.loads(api_log.getvalue())["level"] == "ERROR"


@pytest.mark.parametrize("verdict", [ADMITTED, SPENT, None])
def test_head_is_answered_as_get_so_that_its_length_is_told(
    verdict: Verdict | None, capsys: pytest.CaptureFixture[str]
) -> None:
    get = call(verdict)
    counted = len(lines(capsys))
    assert call(verdict, method="HEAD") == get
    assert len(lines(capsys)) == counted


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/", "GET"),
        ("/v1/whoami", "POST"),
        ("/v1/whoami/x", "GET"),
        ("/v1/whoami\n", "GET"),
        ("/v1/counters/increments\n", "POST"),
    ],
)
def test_what_is_not_there_is_counted_as_such(path: str, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(ADMITTED, path, method)
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"])["type"] == "https://docs.example/problems#not-found"
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert [(line["status"], line["units"]) for line in lines(capsys)] == [(404, 1)]


def test_a_handler_that_fails_is_answered_and_counted(
    capsys: pytest.CaptureFixture[str], api_log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(routes.app, "resolve", fail)
    answer = call(ADMITTED)
    assert (answer["statusCode"], json.loads(answer["body"])["type"]) == (500, "https://docs.example/problems#internal")
    assert "broken" not in answer["body"]
    assert "RuntimeError: broken" in json.loads(api_log.getvalue())["exception"]
    printed = capsys.readouterr().out
    assert '"status":500' in printed
    assert '"Failed":[1.0]' in printed
