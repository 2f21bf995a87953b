"""The counters' function: what writes when it is asked to. It is apart from the API function, which so needs no right
to write anything."""

from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.counters.routes import logger, metered, problem_types
from tallygate.aws.metering import Meter, Response
from tallygate.aws.telemetry import Telemetry

meter = Meter(logger, Telemetry(Metrics()), problem_types)


def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer one call."""
    return meter.answer(event, lambda verdict: metered.serve(event, context, verdict))
