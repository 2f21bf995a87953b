"""The routes of the API."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from functions.api.sparing import READS_PER_SECOND, Sparing, TooManyReportsError
from functions.api.usage_history import HistoryUnreadError, NobodyError, UsageHistory
from functions.api.usage_report import UsageReport
from tallygate.aws.dynamodb_http import client_for
from tallygate.aws.gate_reader import GateReader
from tallygate.aws.settings import ApiSettings
from tallygate.aws.tally_reader import DEADLINE_MS, TallyReader
from tallygate.aws.telemetry import function_log
from tallygate.core.gate import ReadFailure
from tallygate.core.history import InvalidParameterError, is_history
from tallygate.core.lines import format_timestamp
from tallygate.core.problem_types import OURS, described
from tallygate.core.problems import CONTENT_TYPE, NOT_FOUND, Problem
from tallygate.core.retention import Retention
from tallygate.core.routes import PROBLEMS_PATH, USAGE_PATH, WHOAMI_PATH
from tallygate.core.usage import HomeUsage
from tallygate.core.verdict import Verdict

app = APIGatewayHttpResolver()
logger = function_log()

_GET: Final = ["GET", "HEAD"]
"""HEAD is answered as GET; the gateway leaves the body out."""


HISTORY_UNREAD: Final = Problem(
    503,
    OURS + "history-unavailable",
    "History unavailable",
    "The exact counts of the past cannot be read at the moment. Try again in 5 s.",
    headers={"Retry-After": "5"},
)
TOO_MANY: Final = Problem(
    429,
    OURS + "too-many-reports",
    "Too many reports",
    f"Of usage, {READS_PER_SECOND} reports a second are read for one caller. Try again in 1 s.",
    headers={"Retry-After": "1"},
)
NOTHING_CHARGED: Final = Problem(
    404, OURS + "not-found", "Not found", "Nothing is charged to this caller, so there is no history."
)

sparing: Sparing[dict[str, list[HomeUsage] | ReadFailure]] = Sparing()


@cache
def settings() -> ApiSettings:
    return ApiSettings.from_env()


def problem_types() -> str:
    """Where types of problem are described; the name of one is added."""
    return settings().docs_url + "#"


@cache
def tally() -> TallyReader:
    """The tallies; nothing is connected before somebody asks."""
    return TallyReader({home: client_for(home) for home in settings().homes}, settings().tally_table)


@cache
def usage_report() -> UsageReport:
    gate = GateReader(client_for(settings().region), settings().gate_table, DEADLINE_MS)
    return UsageReport(tally(), gate, sparing)


@cache
def usage_history() -> UsageHistory:
    return UsageHistory(tally(), Retention(settings().stream_retention_hours, settings().history_days), sparing)


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
def usage() -> dict[str, Any] | Response[str]:
    """What the caller used: now, or in the past that the query names."""
    now_ms, query = app.current_event.request_context.time_epoch, app.current_event.query_string_parameters
    try:
        if is_history(query):
            return usage_history().of(_verdict(), query, now_ms)
        report, failures = usage_report().of(_verdict(), now_ms)
    except InvalidParameterError as error:
        invalid = Problem(400, OURS + "invalid-parameter", "Invalid parameter", f"{error}.")
        return _problem(replace(invalid, more={"parameter": error.parameter}))
    except TooManyReportsError:
        return _problem(TOO_MANY)
    except NobodyError:
        return _problem(NOTHING_CHARGED)
    except HistoryUnreadError as error:
        _unread(error.failures)
        return _problem(HISTORY_UNREAD)
    _unread(failures)
    return report


@app.route(PROBLEMS_PATH, method=_GET)
def problems() -> Response[str]:
    """What types of problem there are."""
    return Response(200, "text/html; charset=utf-8", described(), {"Cache-Control": "public, max-age=3600"})


@app.not_found
def not_found(_: Exception) -> Response[str]:
    return _problem(NOT_FOUND)


def _problem(problem: Problem) -> Response[str]:
    body = problem.body(problem_types(), app.current_event.request_context.request_id)
    return Response(problem.status, CONTENT_TYPE, json.dumps(body), dict(problem.headers))


def _unread(failures: Sequence[ReadFailure]) -> None:
    for failure in failures:
        logger.warning("usage was not read", extra={"reason": failure.reason})


def _verdict() -> Verdict:
    verdict: Verdict = app.context["verdict"]
    return verdict
