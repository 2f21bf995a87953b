"""The operators' function beyond what the deployed one shows: what nobody foresaw, and callers without a name."""

import json
from typing import Any

import pytest

from functions.ops import handler as module
from functions.ops import routes
from tallygate.aws.settings import OpsSettings

SETTINGS = OpsSettings("prod", "us-east-1", "gate", "tally")
ARN = "arn:aws:iam::123456789012:role/sign-up"


def event(method: str, path: str, body: str | None = None, arn: str | None = ARN) -> dict[str, Any]:
    authorizer = {"iam": {"userArn": arn}} if arn is not None else {}
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "203.0.113.7"},
            "stage": "$default",
            "authorizer": authorizer,
        },
        "body": body,
        "isBase64Encoded": False,
    }


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that fail when they are asked."""

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("a message that quotes tg_prod_secret")

    monkeypatch.setattr(routes, "settings", lambda: SETTINGS)
    monkeypatch.setattr(routes, "client", Broken)


def answer(asked: dict[str, Any]) -> tuple[int, dict[str, Any], dict[str, str]]:
    given = module.handler(asked, None)  # type: ignore[arg-type]
    return given["statusCode"], json.loads(given["body"]), given["headers"]


@pytest.mark.parametrize("arn", [None, ""])
def test_who_is_not_named_by_the_gateway_changes_nothing(arn: str | None) -> None:
    for asked in (
        event("POST", "/ops/keys", '{"owner": "a", "plan": "b"}', arn),
        event("DELETE", "/ops/keys/0123456789abcdef", None, arn),
        event("PATCH", "/ops/keys/0123456789abcdef", "{}", arn),
        event("POST", "/ops/keys/0123456789abcdef/rotate", None, arn),
    ):
        status, problem, _ = answer(asked)
        assert (status, problem["type"]) == (403, "urn:problem-type:tallygate:no-identity")


def test_a_failure_is_answered_and_told_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    status, problem, headers = answer(event("GET", "/ops/keys/0123456789abcdef"))
    assert (status, problem["title"], headers["Cache-Control"]) == (500, "Internal error", "no-store")
    (record,) = caplog.records
    assert (record.error, record.exc_info) == ("RuntimeError", None)
    assert "tg_prod_secret" not in str(vars(record)) + json.dumps(problem)


@pytest.mark.parametrize("body", [None, "", "nonsense", "[]", "7", '"x"', "[" * 5_000])
def test_a_body_that_is_no_object_is_said_so(body: str | None) -> None:
    status, problem, _ = answer(event("POST", "/ops/keys", body))
    assert (status, problem["field"]) == (400, "body")


def test_another_path_is_not_found() -> None:
    assert answer(event("GET", "/ops/plans"))[0] == 404
