"""The routes of the API."""

import json
from functools import cache
from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from functions.api.usage_report import UsageReport
from tallygate.aws.dynamodb_http import client_for
from tallygate.aws.gate_reader import GateReader
from tallygate.aws.settings import ApiSettings
from tallygate.aws.tally_reader import DEADLINE_MS, TallyReader
from tallygate.aws.telemetry import function_log
from tallygate.core.lines import format_timestamp
from tallygate.core.problems import CONTENT_TYPE, NOT_FOUND
from tallygate.core.routes import USAGE_PATH, WHOAMI_PATH
from tallygate.core.verdict import Verdict

app = APIGatewayHttpResolver()
logger = function_log()

_GET: Final = ["GET", "HEAD"]
"""HEAD is answered as GET; the gateway leaves the body out."""


@cache
def usage_report() -> UsageReport:
    """The report of this container; nothing is connected before somebody asks."""
    settings = ApiSettings.from_env()
    tally = TallyReader({home: client_for(home) for home in settings.homes}, settings.tally_table)
    return UsageReport(tally, GateReader(client_for(settings.region), settings.gate_table, DEADLINE_MS))


@app.route(WHOAMI_PATH, method=_GET)
def whoami() -> dict[str, Any]:
    """What the gate sees of the caller."""
    verdict = _verdict()
    return {
        "ip": verdict.ip,
        "ref": verdict.ref,
        "key": verdict.key,
        "plan": verdict.plan,
        "region": verdict.region,
        "home": verdict.home,
        "limits": [
            {
                "kind": checked.limit.per,
                "window": checked.limit.window,
                "rolling": checked.limit.rolling,
                "soft": checked.limit.soft,
                "limit": checked.limit.quota,
                "used": checked.certain,
                "remaining": checked.remaining,
                "reset": format_timestamp(checked.reset_ms),
            }
            for checked in verdict.told.limits
        ],
    }


@app.route(USAGE_PATH, method=_GET)
def usage() -> dict[str, Any]:
    """What the caller used."""
    report, failures = usage_report().of(_verdict(), app.current_event.request_context.time_epoch)
    for failure in failures:
        logger.warning("usage was not read", extra={"reason": failure.reason})
    return report


@app.not_found
def not_found(_: Exception) -> Response[str]:
    return Response(NOT_FOUND.status, CONTENT_TYPE, json.dumps(NOT_FOUND.body()))


def _verdict() -> Verdict:
    verdict: Verdict = app.context["verdict"]
    return verdict
