"""The function that answers operators' questions, beyond what the deployed one shows: how errors are told, and that
what it dispatches on is what is declared."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from functions.ops import routes as keys
from functions.ops_reader import handler as module
from functions.ops_reader import routes
from tallygate.core.history import InvalidParameterError
from tallygate.operations.errors import UnknownOwnerError, UnreachableError
from tallygate.operations.routes import routes_of


def event(path: str, query: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": f"GET {path}",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "queryStringParameters": query,
        "headers": {},
        "requestContext": {"http": {"method": "GET", "path": path}, "stage": "$default"},
        "body": None,
        "isBase64Encoded": False,
    }


class Asked:
    """Operations that say what they are asked, or raise."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        def ask(*asked: object) -> dict[str, object]:
            if self.error is not None:
                raise self.error
            return {"question": name, "asked": list(asked[:-1])}

        return ask


def answer(monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], error: Exception | None = None) -> dict[str, Any]:
    monkeypatch.setattr(routes, "operations", lambda: Asked(error))
    given = module.handler(asked, None)  # type: ignore[arg-type]
    return {**given, "document": json.loads(given["body"])}


@pytest.mark.parametrize("question", ["usage", "top", "standing", "owners", "pipeline"])
def test_a_question_is_asked_with_its_parameters(monkeypatch: pytest.MonkeyPatch, question: str) -> None:
    given = answer(monkeypatch, event(f"/ops/{question}", {"kind": "ip"}))
    assert (given["statusCode"], given["headers"]["Cache-Control"]) == (200, "no-store")
    assert given["document"] == {"question": question, "asked": [{"kind": "ip"}]}


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("acme", "acme"),
        ("100%25 Bücher & Söhne", "100% Bücher & Söhne"),
        ("a+b", "a+b"),
        ("%2525", "%25"),
        ('Who? "☃" #1', 'Who? "☃" #1'),
        ("a/b//c", "a/b//c"),
        ("..", ".."),
    ],
)
def test_an_owner_is_named_by_the_path_as_the_gateway_decodes_it(
    monkeypatch: pytest.MonkeyPatch, path: str, owner: str
) -> None:
    given = answer(monkeypatch, event(f"/ops/owners/{path}"))
    assert given["document"] == {"question": "owner", "asked": [owner, {}]}


@pytest.mark.parametrize(
    ("error", "status", "name", "more"),
    [
        (InvalidParameterError("from", "then or later"), 400, "invalid-parameter", {"parameter": "from"}),
        (UnknownOwnerError("acme"), 404, "unknown-owner", {}),
        (
            UnreachableError("the tally", "eu-west-1", "secret words", may_pass=True),
            503,
            "unreachable",
            {"region": "eu-west-1"},
        ),
    ],
)
def test_what_cannot_be_answered_says_why(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, name: str, more: dict[str, str]
) -> None:
    given = answer(monkeypatch, event("/ops/usage"), error)
    problem = given["document"]
    assert (given["statusCode"], given["headers"]["Content-Type"]) == (status, "application/problem+json")
    assert (problem["type"], problem["status"]) == (f"urn:problem-type:tallygate:{name}", status)
    assert more.items() <= problem.items()
    assert ("Retry-After" in given["headers"]) == (status == 503)
    assert "secret words" not in given["body"]


def test_what_cannot_be_read_is_logged_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer(monkeypatch, event("/ops/top"), UnreachableError("the tally", "eu-west-1", "timed out", may_pass=True))
    assert caplog.records[-1].reason == "the tally in eu-west-1 cannot be read: timed out"  # type: ignore[attr-defined]


def test_trying_again_is_told_only_where_it_may_help(monkeypatch: pytest.MonkeyPatch) -> None:
    given = answer(monkeypatch, event("/ops/top"), UnreachableError("the gate", "us-east-1", "denied", may_pass=False))
    assert (given["statusCode"], "Retry-After" in given["headers"]) == (503, False)


def test_a_failure_is_answered_and_told_without_its_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given = answer(monkeypatch, event("/ops/standing"), RuntimeError("a message that quotes tg_prod_secret"))
    assert (given["statusCode"], given["document"]["title"]) == (500, "Internal error")
    assert caplog.records[-1].error == "RuntimeError"  # type: ignore[attr-defined]
    assert "tg_prod_secret" not in str([vars(record) for record in caplog.records]) + given["body"]


def test_another_path_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer(monkeypatch, event("/ops/plans"))["statusCode"] == 404


def test_the_document_of_the_api_is_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    given = answer(monkeypatch, event("/ops/openapi.json"))
    assert (given["statusCode"], given["document"]["openapi"]) == (200, "3.1.0")


def test_each_function_answers_what_is_declared_as_its_own() -> None:
    assert set(routes.ANSWERS) == {route.name for route in routes_of("ops_reader")}
    assert set(keys.ANSWERS) == {route.name for route in routes_of("ops")}
