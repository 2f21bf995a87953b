"""The operators' questions, for those whom IAM lets in: answered from the tables, and nothing is written."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.ops_reader.problems import problem_of
from functions.ops_reader.routes import app, routable
from tallygate.aws.ops_answers import answer_problems
from tallygate.aws.telemetry import function_log

logger = function_log()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one call."""
    return app.resolve(routable(event), context)


answer_problems(app, logger, problem_of)
