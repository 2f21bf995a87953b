"""Metering a handler: a call is refused before any work is done for it, or answered, with its limits in the headers and
one usage line printed.

Nothing here knows what the handler does: this is what meters whatever API stands behind the authorizer.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from aws_lambda_powertools import Logger

from tallygate.aws.telemetry import Telemetry
from tallygate.core.headers import EXPOSED, rate_limit_headers
from tallygate.core.lines import format_line
from tallygate.core.problems import CONTENT_TYPE, FAILED, NO_VERDICT, Problem, problem_of
from tallygate.core.verdict import CONTEXT_KEY, InvalidVerdictError, Verdict, verdict_of

Response = dict[str, Any]
"""An answer in payload format 2.0."""
Serve = Callable[[Verdict], Response]

CORS: Final = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": ", ".join(EXPOSED)}
"""An API that is limited per Referer is called from pages."""


class Meter:
    """Meters the calls of one container."""

    def __init__(self, logger: Logger, telemetry: Telemetry) -> None:
        self._logger = logger
        self._telemetry = telemetry

    def answer(self, event: Mapping[str, Any], serve: Serve) -> Response:
        """The answer to the call of `event`: a refusal, or what `serve` makes of it. A handler that raises is answered
        500, and the call is counted: it was let through. HEAD is answered as GET: the gateway sends no body then, but
        takes Content-Length from it."""
        context = event["requestContext"]
        now_ms = context["timeEpoch"]
        verdict = self._verdict(context)
        if verdict is None:
            response = problem_response(NO_VERDICT)
        else:
            problem = problem_of(verdict)
            if problem is None:
                response = self._serve(verdict, serve)
                line = verdict.line(context["requestId"], now_ms, response["statusCode"])
                print(format_line(line))
            else:
                response = problem_response(problem)
            response["headers"] |= rate_limit_headers(verdict.told, now_ms)
        response["headers"] |= CORS
        self._telemetry.flush(now_ms)
        return response

    def _verdict(self, context: Mapping[str, Any]) -> Verdict | None:
        try:
            return verdict_of(((context.get("authorizer") or {}).get("lambda") or {}).get(CONTEXT_KEY))
        except InvalidVerdictError as error:
            self._logger.error("a call came without a verdict", extra={"reason": str(error)})
            self._telemetry.count("NoVerdict", urgent=True)
            return None

    def _serve(self, verdict: Verdict, serve: Serve) -> Response:
        try:
            response = serve(verdict)
        except Exception:  # whatever a handler raises: the caller gets an answer, and the call is counted
            self._logger.exception("a handler failed")
            self._telemetry.count("Failed", urgent=True)
            return problem_response(FAILED)
        self._telemetry.count("Served")
        return response


def problem_response(problem: Problem) -> Response:
    """A problem as an answer."""
    headers = {"Content-Type": CONTENT_TYPE, **problem.headers}
    return {
        "statusCode": problem.status,
        "headers": headers,
        "body": json.dumps(problem.body()),
        "isBase64Encoded": False,
    }
