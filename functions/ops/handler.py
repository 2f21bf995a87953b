"""The operators' function: keys, for those whom IAM lets in. API Gateway has checked who they are before it calls."""

import json
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.ops.problems import FAILED, NO_STORE, problem_of
from functions.ops.routes import app
from tallygate.aws.telemetry import function_log, place_of
from tallygate.core.problems import CONTENT_TYPE

logger = function_log()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one call."""
    return app.resolve(event, context)


def refused(error: Exception) -> Response[str]:
    """The answer to a call whose route raised. What nobody foresaw is logged by type and place only: a message might
    quote what was sent."""
    problem = problem_of(error)
    if problem is None:
        logger.error("a call failed", extra={"error": type(error).__name__, "at": place_of(error)})
        problem = FAILED
    headers = {**NO_STORE, **problem.headers}
    return Response(problem.status, CONTENT_TYPE, json.dumps(problem.body()), headers=headers)


app.exception_handler(Exception)(refused)  # else Powertools logs the whole error, and raises it on
