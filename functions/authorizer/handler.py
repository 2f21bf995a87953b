"""The authorizer: decodes the gateway's event, judges the call, answers with the verdict in the context.

It always lets the call through to the function behind it, which refuses on its word: an HTTP API can answer neither 429
nor a reason from here.
"""

import time
from functools import cache
from typing import Any

from aws_lambda_powertools import Metrics

from functions.authorizer.call import Call, call_of
from functions.authorizer.judge import Judge, Judgement
from tallygate.aws.dynamodb_http import client_for
from tallygate.aws.gate_reader import GateReader
from tallygate.aws.settings import AuthorizerSettings
from tallygate.aws.telemetry import Telemetry, function_log, place_of
from tallygate.core.gate_view import GateView
from tallygate.core.lines import format_line
from tallygate.core.snapshots import Snapshots
from tallygate.core.verdict import CONTEXT_KEY, STATUS, Verdict

logger = function_log()
telemetry = Telemetry(Metrics())


@cache
def build() -> Judge:
    """The judge of this container. SettingsError when the environment is not complete: no call can be answered then."""
    settings = AuthorizerSettings.from_env()
    gate = GateReader(client_for(settings.region), settings.gate_table, settings.read_deadline_ms)
    return Judge(settings, GateView(gate, settings.home, Snapshots()))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Judge one call."""
    judge = build()
    call = call_of(event, time.time_ns() // 1_000_000)
    verdict = answer(judge, call)
    return {"isAuthorized": True, "context": {CONTEXT_KEY: verdict.to_json()}}


def answer(judge: Judge, call: Call) -> Verdict:
    """The verdict on `call`, told to logs and metrics. A refused call gets its usage line here, an admitted one where
    it is answered."""
    try:
        judgement = judge.judge(call)
        verdict = judgement.verdict
        _report(judgement)
    except Exception as error:  # noqa: BLE001  # callers must not pay for a fault of ours: see Judge.undecided
        # The type and the place only: a message might quote what a caller sent.
        logger.error("a call could not be judged", extra={"error": type(error).__name__, "at": place_of(error)})
        telemetry.count("JudgingFailed", urgent=True)
        verdict = judge.undecided(call)
    refusal = verdict.decision.refusal
    if refusal is not None:
        print(format_line(verdict.line(call.id, call.at_ms, STATUS[refusal])))
    if verdict.decision.would is not None:
        telemetry.count("WouldRefuse")
    telemetry.count(f"Refused{refusal.capitalize()}" if refusal else "Admitted")
    telemetry.flush(call.at_ms)
    return verdict


def _report(judgement: Judgement) -> None:
    if judgement.missing_plan is not None:
        logger.error("a plan is missing from the gate", extra={"plan": judgement.missing_plan})
        telemetry.count("PlanMissing", urgent=True)
    reading = judgement.reading
    if reading is None:
        return
    telemetry.took("ReadLatency", reading.took_ms)
    for failure in dict.fromkeys(reading.failures):
        log = logger.warning if failure.may_pass else logger.error
        log("the gate was not read", extra={"reason": failure.reason, "took_ms": reading.took_ms})
        telemetry.count("ReadFailed", urgent=True)
