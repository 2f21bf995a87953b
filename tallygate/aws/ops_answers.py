"""What the operators' functions answer with: JSON that nobody keeps, and problems. API Gateway has checked who is
calling before it calls either of them.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from tallygate.aws.telemetry import place_of
from tallygate.core.problem_types import OURS
from tallygate.core.problems import CONTENT_TYPE, NOT_FOUND, Problem

NO_STORE: Final = {"Cache-Control": "no-store"}
"""Answers may hold a secret."""
FAILED: Final = Problem(500, f"{OURS}internal", "Internal error", "The call failed on our side.")

Answer = Response[str]


def answer(status: int, document: Mapping[str, Any], **headers: str) -> Answer:
    """`document` as JSON."""
    body = json.dumps(document, ensure_ascii=False)
    return Response(status, "application/json", body, headers=NO_STORE | headers)


def problem(status: int, name: str, title: str, detail: str, *, retry: bool = False, **more: str) -> Problem:
    """A problem of ours. `retry`: the same call may succeed in a moment."""
    headers = {"Retry-After": "1"} if retry else {}
    return Problem(status, OURS + name, title, detail, more, headers)


def answer_problems(
    app: APIGatewayHttpResolver, logger: Logger, problem_of: Callable[[Exception], Problem | None]
) -> None:
    """Answer what a route raises with the problem that it is. What nobody foresaw is logged by type and place only: a
    message might quote what was sent. Else Powertools would log the whole error, and raise it on."""

    def refused(error: Exception) -> Answer:
        found = problem_of(error)
        if found is None:
            logger.error("a call failed", extra={"error": type(error).__name__, "at": place_of(error)})
            found = FAILED
        elif found.status >= 500:
            logger.warning("a call could not be answered", extra={"error": type(error).__name__, "reason": str(error)})
        headers = {**NO_STORE, **found.headers}
        return Response(found.status, CONTENT_TYPE, json.dumps(found.body()), headers=headers)

    def not_found(_: Exception) -> Answer:
        return Response(NOT_FOUND.status, CONTENT_TYPE, json.dumps(NOT_FOUND.body()))

    app.exception_handler(Exception)(refused)
    app.not_found(not_found)
