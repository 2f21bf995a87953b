"""The routes of counters that write nothing: what they stand at, and increments, which are counted from the usage line
of the call."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.api.service import app, homes, log_unread, metered, settings
from tallygate.aws.counter_reader import CounterReader
from tallygate.aws.metered_app import GET, RefusedError, answer
from tallygate.core.counter_shares import cursor_of, page_of, position_of
from tallygate.core.counters import (
    Counted,
    asked_epoch,
    counter_name,
    increments_of,
    one_addition,
    several_additions,
    token_of,
)
from tallygate.core.problems import COUNTERS_UNREAD
from tallygate.core.routes import COUNTERS_PATH


@cache
def counters() -> CounterReader:
    return CounterReader(homes(), settings().tally_table)


@app.route(COUNTERS_PATH, method=GET)
def list_counters() -> dict[str, Any]:
    """The counters of the caller's key, a page of them by name."""
    cursor = metered.query.get("cursor")
    stretches, failures = counters().page(metered.key, position_of(cursor) if cursor is not None else "")
    log_unread(failures)
    if len(failures) == len(stretches):
        raise RefusedError(COUNTERS_UNREAD)
    page, last = page_of(stretches, metered.verdict.epochs)
    return {
        "counters": [counter.summary() for counter in page],
        "unread": [home for home, stretch in stretches.items() if stretch is None],
        "next": None if last is None else f"{COUNTERS_PATH}?cursor={cursor_of(last)}",
    }


@app.route(f"{COUNTERS_PATH}/<name>", method=GET)
def show_counter(name: str) -> dict[str, Any]:
    """What a counter stands at, or stood at in an epoch that is over."""
    key, current = metered.key, metered.verdict.epochs.get(counter_name(name), 0)
    counter, failures = counters().find(key, name, asked_epoch(metered.query.get("epoch"), current))
    log_unread(failures)
    if len(failures) == len(homes()):
        raise RefusedError(COUNTERS_UNREAD)
    return counter.document()


@app.post(f"{COUNTERS_PATH}/<name>/increment")
def increment(name: str) -> Response[str]:
    """Add to one counter."""
    return _count(one_addition(name, metered.body))


@app.post(f"{COUNTERS_PATH}/increments")
def increments() -> Response[str]:
    """Add to several counters: all or nothing."""
    return _count(several_additions(metered.body))


def _count(additions: Mapping[str, int]) -> Response[str]:
    """Nothing is written: the usage line of the call says what it counts."""
    _ = metered.key
    token = token_of(app.current_event.headers.get("idempotency-key"))
    found = increments_of(additions, metered.verdict.epochs)
    metered.count(Counted(found, token))
    return answer(202, {"accepted": {name: {"add": add, "epoch": epoch} for name, add, epoch in found}})
