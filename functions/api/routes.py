"""The routes of the API."""

from functools import cache
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response

from functions.api.service import app, homes, log_unread, metered, settings
from functions.api.sparing import READS_PER_SECOND, Sparing, TooManyReportsError
from functions.api.usage_history import HistoryUnreadError, NobodyError, UsageHistory
from functions.api.usage_report import UsageReport
from tallygate.aws.dynamodb_http import client_for
from tallygate.aws.gate_reader import GateReader
from tallygate.aws.metered_app import GET, RefusedError
from tallygate.aws.tally_reader import DEADLINE_MS, TallyReader
from tallygate.core.gate import ReadFailure
from tallygate.core.history import is_history
from tallygate.core.lines import format_timestamp
from tallygate.core.problem_types import OURS, described
from tallygate.core.problems import Problem
from tallygate.core.retention import Retention
from tallygate.core.routes import PROBLEMS_PATH, USAGE_PATH, WHOAMI_PATH
from tallygate.core.usage import HomeUsage

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
def tally() -> TallyReader:
    return TallyReader(homes(), settings().tally_table)


@cache
def usage_report() -> UsageReport:
    gate = GateReader(client_for(settings().region), settings().gate_table, DEADLINE_MS)
    return UsageReport(tally(), gate, sparing)


@cache
def usage_history() -> UsageHistory:
    return UsageHistory(tally(), Retention(settings().stream_retention_hours, settings().history_days), sparing)


@app.route(WHOAMI_PATH, method=GET)
def whoami() -> dict[str, Any]:
    """What the gate sees of the caller."""
    verdict = metered.verdict
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


@app.route(USAGE_PATH, method=GET)
def usage() -> dict[str, Any]:
    """What the caller used: now, or in the past that the query names."""
    now_ms, query = app.current_event.request_context.time_epoch, metered.query
    try:
        if is_history(query):
            return usage_history().of(metered.verdict, query, now_ms)
        report, failures = usage_report().of(metered.verdict, now_ms)
    except TooManyReportsError:
        raise RefusedError(TOO_MANY) from None
    except NobodyError:
        raise RefusedError(NOTHING_CHARGED) from None
    except HistoryUnreadError as error:
        log_unread(error.failures)
        raise RefusedError(HISTORY_UNREAD) from None
    log_unread(failures)
    return report


@app.route(PROBLEMS_PATH, method=GET)
def problems() -> Response[str]:
    """What types of problem there are."""
    return Response(200, "text/html; charset=utf-8", described(), {"Cache-Control": "public, max-age=3600"})
