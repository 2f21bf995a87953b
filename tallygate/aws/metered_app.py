"""The routes of a metered function: what every route of callers has in common, whichever function it is in."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from tallygate.aws.metering import Served
from tallygate.core.counters import Counted
from tallygate.core.history import InvalidParameterError
from tallygate.core.names import INVALID_KEY
from tallygate.core.problem_types import OURS
from tallygate.core.problems import CONTENT_TYPE, KEY_REQUIRED, NOT_FOUND, UNVERIFIED, Problem
from tallygate.core.verdict import Verdict

GET: Final = ["GET", "HEAD"]
"""HEAD is answered as GET; the gateway leaves the body out."""


class RefusedError(Exception):
    """A route cannot do what it was asked to; the caller is told why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.title)
        self.problem = problem


class MeteredApp:
    """The routes of one function, `app`, and the call that it is at. `types` tells where types of problem are
    described."""

    def __init__(self, types: Callable[[], str]) -> None:
        self.app = APIGatewayHttpResolver()
        self._types = types
        self._counted = Counted()
        self.app.not_found(lambda _: self.problem(NOT_FOUND))
        self.app.exception_handler(InvalidParameterError)(lambda error: self.problem(invalid(error)))
        self.app.exception_handler(RefusedError)(lambda error: self.problem(error.problem))

    def serve(self, event: dict[str, Any], context: LambdaContext, verdict: Verdict) -> Served:
        """Answer a call that was let through."""
        self._counted = Counted()
        self.app.context["verdict"] = verdict
        if event["rawPath"].endswith("\n"):
            # The `$` of the resolver's patterns is before a last line break, too: what /v1/search%0A asks for would be
            # done, and charged by another route than /v1/search.
            event = {**event, "rawPath": "/"}
        response = self.app.resolve(event, context)
        return Served(response, self._counted)

    @property
    def verdict(self) -> Verdict:
        verdict: Verdict = self.app.context["verdict"]
        return verdict

    @property
    def key(self) -> str:
        """The id of the caller's key. RefusedError for a call without one, and for one that was let through although
        its key could not be verified: anybody can make up such a key."""
        key = self.verdict.key
        if key is None:
            raise RefusedError(KEY_REQUIRED)
        if key == INVALID_KEY:
            raise RefusedError(UNVERIFIED)
        return key

    @property
    def body(self) -> str:
        """The body as text, empty for none. InvalidParameterError when it is none."""
        try:
            return self.app.current_event.decoded_body or ""
        except ValueError:
            raise InvalidParameterError("body", "text in UTF-8") from None

    @property
    def query(self) -> Mapping[str, str]:
        return self.app.current_event.query_string_parameters or {}

    def count(self, counted: Counted) -> None:
        """Let the call count this besides itself, once it is answered."""
        self._counted = counted

    def problem(self, problem: Problem) -> Response[str]:
        body = problem.body(self._types(), self.app.current_event.request_context.request_id)
        return Response(problem.status, CONTENT_TYPE, json.dumps(body), dict(problem.headers))


def answer(status: int, document: object) -> Response[str]:
    return Response(status, "application/json", json.dumps(document, ensure_ascii=False))


def invalid(error: InvalidParameterError) -> Problem:
    problem = Problem(400, OURS + "invalid-parameter", "Invalid parameter", f"{error}.")
    return replace(problem, more={"parameter": error.parameter})
