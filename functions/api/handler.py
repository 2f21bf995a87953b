"""The API function: every call that the authorizer judged, refused or answered."""

from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.api.metering import Meter, Response
from functions.api.routes import app, problem_types
from tallygate.aws.telemetry import Telemetry, function_log
from tallygate.core.verdict import Verdict

logger = function_log()
meter = Meter(logger, Telemetry(Metrics()), problem_types)


def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer one call."""

    def serve(verdict: Verdict) -> Response:
        app.context["verdict"] = verdict
        return app.resolve(event, context)

    return meter.answer(event, serve)
