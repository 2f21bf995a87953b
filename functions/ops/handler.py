"""The operators' function: keys, for those whom IAM lets in. API Gateway has checked who they are before it calls."""

import json
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.ops.problems import FAILED, NO_STORE, problem_of
from functions.ops.routes import app
from tallygate.aws.telemetry import function_log, place_of
from tallygate.core.problems import CONTENT_TYPE

logger = function_log()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one call."""
    try:
        return app.resolve(event, context)
    except Exception as error:  # noqa: BLE001  # the caller gets an answer, whatever it was
        problem = problem_of(error)
        if problem is None:
            # The type and the place only: a message might quote what was sent.
            logger.error("a call failed", extra={"error": type(error).__name__, "at": place_of(error)})
            problem = FAILED
    return {
        "statusCode": problem.status,
        "headers": {"Content-Type": CONTENT_TYPE, **NO_STORE, **problem.headers},
        "body": json.dumps(problem.body()),
        "isBase64Encoded": False,
    }
