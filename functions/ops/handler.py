"""The operators' function: keys, for those whom IAM lets in. API Gateway has checked who they are before it calls."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.ops.problems import problem_of
from functions.ops.routes import app
from tallygate.aws.ops_answers import answer_problems
from tallygate.aws.telemetry import function_log

logger = function_log()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one call."""
    return app.resolve(event, context)


answer_problems(app, logger, problem_of)
