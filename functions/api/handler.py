"""The API function: every call that the authorizer judged, refused or answered."""

from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.api import counter_routes, routes  # noqa: F401  # importing them registers their routes
from functions.api.service import logger, metered, problem_types
from tallygate.aws.metering import Meter, Response
from tallygate.aws.telemetry import Telemetry

meter = Meter(logger, Telemetry(Metrics()), problem_types)


def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer one call."""
    return meter.answer(event, lambda verdict: metered.serve(event, context, verdict))
