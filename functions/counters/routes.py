"""The routes of counters that write, in the administrative region: numbers of sequences, and resets."""

from functools import cache
from typing import Any

from tallygate.aws.counter_epochs import CounterEpochs, NotYetError, TooManyResetError
from tallygate.aws.counter_reader import CounterReader
from tallygate.aws.dynamodb_http import DynamoDbReads, client_for
from tallygate.aws.metered_app import MeteredApp, RefusedError
from tallygate.aws.sequences import Sequences
from tallygate.aws.settings import CountersSettings
from tallygate.aws.telemetry import function_log
from tallygate.core.counters import counter_name, ended_epoch, object_of
from tallygate.core.gate import ReadFailure
from tallygate.core.problems import COUNTERS_UNREACHED, OTHER_EPOCH, TOO_MANY_RESET
from tallygate.core.routes import COUNTERS_PATH

logger = function_log()


@cache
def settings() -> CountersSettings:
    return CountersSettings.from_env()


def problem_types() -> str:
    """Where types of problem are described; the name of one is added."""
    return settings().docs_url + "#"


@cache
def homes() -> dict[str, DynamoDbReads]:
    """A client of each home, the administrative one first; nothing is connected before somebody asks."""
    return {home: client_for(home) for home in settings().homes}


@cache
def sequences() -> Sequences:
    return Sequences(next(iter(homes().values())), settings().tally_table)


@cache
def epochs() -> CounterEpochs:
    return CounterEpochs(next(iter(homes().values())), settings().gate_table)


@cache
def counters() -> CounterReader:
    return CounterReader(homes(), settings().tally_table)


metered = MeteredApp(problem_types)


@metered.app.post(f"{COUNTERS_PATH}/<name>/next")
def next_number(name: str) -> dict[str, Any]:
    """The next number of a sequence of the caller's key."""
    object_of(metered.body, ())
    number = sequences().next(metered.key, counter_name(name))
    if isinstance(number, ReadFailure):
        raise _unreached(number)
    return {"name": name, "number": number}


@metered.app.post(f"{COUNTERS_PATH}/<name>/reset")
def reset(name: str) -> dict[str, Any]:
    """Begins another epoch of a counter. What the one before stands at is read after that: what is still on its way is
    added to it, and can be read later."""
    key, epoch = metered.key, ended_epoch(metered.body)
    try:
        outcome = epochs().end(key, counter_name(name), epoch)
    except NotYetError:
        raise RefusedError(OTHER_EPOCH) from None
    except TooManyResetError:
        raise RefusedError(TOO_MANY_RESET) from None
    if isinstance(outcome, ReadFailure):
        raise _unreached(outcome)
    ended, current = outcome
    counter, failures = counters().find(key, name, ended)
    for failure in failures:
        logger.warning("a counter was not read", extra={"reason": failure.reason})
    return {"name": name, "epoch": current, "ended": counter.document()}


def _unreached(failure: ReadFailure) -> RefusedError:
    """What to raise when a store did not answer, or refused. The reason quotes no more than key ids and names."""
    log = logger.warning if failure.may_pass else logger.error
    log("the administrative region did not answer", extra={"reason": failure.reason})
    return RefusedError(COUNTERS_UNREACHED)
