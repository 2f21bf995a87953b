"""Metering a handler: a call is refused before any work is done for it, or answered, with its limits in the headers and
its usage printed.

Nothing here knows what the handler does: this is what meters whatever API stands behind the authorizer.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from aws_lambda_powertools import Logger

from tallygate.aws.telemetry import Telemetry
from tallygate.core.counters import Counted, lines_of
from tallygate.core.headers import EXPOSED, rate_limit_headers
from tallygate.core.lines import format_line
from tallygate.core.problems import CONTENT_TYPE, FAILED, NO_VERDICT, Problem, problem_of
from tallygate.core.verdict import CONTEXT_KEY, InvalidVerdictError, Verdict, verdict_of

Response = dict[str, Any]
"""An answer in payload format 2.0."""


class Served(NamedTuple):
    """What a handler answers, and what the call counts besides itself."""

    response: Response
    counted: Counted = Counted()


Serve = Callable[[Verdict], Served]

CORS: Final = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": ", ".join(EXPOSED)}
"""An API that is limited per Referer is called from pages."""
NO_STORE: Final = "no-store"
"""What an answer says of limits is true of one caller at one time."""


class Meter:
    """Meters the calls of one container. `types` tells where types of problem are described."""

    def __init__(self, logger: Logger, telemetry: Telemetry, types: Callable[[], str]) -> None:
        self._logger = logger
        self._telemetry = telemetry
        self._types = types

    def answer(self, event: Mapping[str, Any], serve: Serve) -> Response:
        """The answer to the call of `event`: a refusal, or what `serve` makes of it. A handler that raises is answered
        500, and the call is counted: it was let through. HEAD is answered as GET: the gateway sends no body then, but
        takes Content-Length from it. Nothing is kept by caches unless the handler says for how long."""
        context = event["requestContext"]
        now_ms = context["timeEpoch"]
        verdict = self._verdict(context)
        if verdict is None:
            response = self._problem(NO_VERDICT, context)
        else:
            problem = problem_of(verdict)
            if problem is None:
                response, counted = self._serve(verdict, serve, context)
                for line in lines_of(verdict.line(context["requestId"], now_ms, response["statusCode"]), counted):
                    print(format_line(line))
            else:
                response = self._problem(problem, context)
            response["headers"] |= rate_limit_headers(verdict.told, now_ms)
        response["headers"] |= CORS
        if not any(name.lower() == "cache-control" for name in response["headers"]):
            response["headers"]["Cache-Control"] = NO_STORE
        self._telemetry.flush(now_ms)
        return response

    def _verdict(self, context: Mapping[str, Any]) -> Verdict | None:
        try:
            return verdict_of(((context.get("authorizer") or {}).get("lambda") or {}).get(CONTEXT_KEY))
        except InvalidVerdictError as error:
            self._logger.error("a call came without a verdict", extra={"reason": str(error)})
            self._telemetry.count("NoVerdict", urgent=True)
            return None

    def _problem(self, problem: Problem, context: Mapping[str, Any]) -> Response:
        return problem_response(problem, self._types(), context["requestId"])

    def _serve(self, verdict: Verdict, serve: Serve, context: Mapping[str, Any]) -> Served:
        try:
            served = serve(verdict)
        except Exception:  # whatever a handler raises: the caller gets an answer, and the call is counted
            self._logger.exception("a handler failed")
            self._telemetry.count("Failed", urgent=True)
            return Served(self._problem(FAILED, context))
        self._telemetry.count("Served")
        return served


def problem_response(problem: Problem, types: str, id: str) -> Response:
    """A problem as the answer to the call `id`."""
    headers = {"Content-Type": CONTENT_TYPE, **problem.headers}
    return {
        "statusCode": problem.status,
        "headers": headers,
        "body": json.dumps(problem.body(types, id)),
        "isBase64Encoded": False,
    }
