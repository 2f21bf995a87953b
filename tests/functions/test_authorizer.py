"""The authorizer on events as the gateway sends them: what it answers, and what it prints."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from gateway import HOME, NOW, FakeGate, authorizer_event, published
from judging import SECRET, judge_of

from functions.authorizer import handler as module
from functions.authorizer.call import call_of
from tallygate.aws.settings import SettingsError
from tallygate.core.lines import parse_line
from tallygate.core.verdict import verdict_of


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> FakeGate:
    """The gate of a container that was just started."""
    gate = FakeGate()
    judge = judge_of(gate)
    monkeypatch.setattr(module, "build", lambda: judge)
    return gate


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the function logs, as it is written."""
    handler, log = module.logger.registered_handler, io.StringIO()
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(log)
    yield log
    handler.setStream(before)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in printed if line.get("type") == "usage"]


def test_a_call_goes_through_with_its_verdict_and_prints_nothing(
    gate: FakeGate, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = module.handler(authorizer_event(), None)
    assert answer["isAuthorized"] is True
    assert list(answer["context"]) == ["tallygate"]
    assert verdict_of(answer["context"]["tallygate"]).decision.allowed
    assert lines(capsys) == []


def test_a_refused_call_goes_through_too_and_prints_its_line(
    gate: FakeGate, capsys: pytest.CaptureFixture[str]
) -> None:
    gate.rows["ip#203.0.113.7"] = (published(200),)
    answer = module.handler(authorizer_event(), None)
    assert answer["isAuthorized"] is True
    assert verdict_of(answer["context"]["tallygate"]).decision.refusal == "quota"
    [line] = lines(capsys)
    assert line == {
        "type": "usage",
        "level": "INFO",
        "timestamp": "2026-11-20T12:00:00.123Z",
        "id": "UQoMlg7eDoEEPJg=",
        "home": "us-east-1",
        "region": "eu-west-1",
        "ip": "203.0.113.7",
        "ref": "shop.example",
        "charge": ["ip", "ref"],
        "caps": {"ip": {"day": 200}, "ref": {"day": 2000}},
        "units": 0,
        "status": 429,
        "verdict": "quota",
    }
    parse_line(line)


def test_a_bad_key_is_counted_under_one_name(gate: FakeGate, capsys: pytest.CaptureFixture[str]) -> None:
    module.handler(authorizer_event({"x-api-key": SECRET}), None)
    module.handler(authorizer_event({"x-api-key": "made up"}), None)
    assert [(line["key"], line["status"], line["verdict"], line["units"]) for line in lines(capsys)] == [
        ("invalid", 401, "key", 0)
    ] * 2


def test_a_call_that_cannot_be_judged_is_answered_and_said_loudly(
    gate: FakeGate, log: io.StringIO, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"with {SECRET} in it")

    monkeypatch.setattr(gate, "read", fail)
    answer = module.handler(authorizer_event({"x-api-key": SECRET}), None)
    assert verdict_of(answer["context"]["tallygate"]).decision.allowed
    printed = capsys.readouterr()
    assert json.loads(log.getvalue()) | {"level": "ERROR", "error": "RuntimeError"} == json.loads(log.getvalue())
    assert '"JudgingFailed"' in printed.out
    assert SECRET not in printed.out + printed.err + log.getvalue()


def test_a_gate_that_does_not_answer_is_a_warning_and_a_metric(
    gate: FakeGate, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    gate.is_down = True
    module.handler(authorizer_event(), None)
    logged = json.loads(log.getvalue())
    assert (logged["level"], logged["reason"], logged["took_ms"]) == ("WARNING", "no answer in time", 150)
    assert '"ReadFailed":[1.0]' in capsys.readouterr().out


def test_a_plan_that_is_missing_is_an_error(gate: FakeGate, log: io.StringIO) -> None:
    gate.plans.clear()
    module.handler(authorizer_event(), None)
    logged = json.loads(log.getvalue())
    assert (logged["level"], logged["plan"]) == ("ERROR", "the anonymous plan")


def test_what_a_plan_in_shadow_would_refuse_is_a_metric_and_goes_through(
    gate: FakeGate, capsys: pytest.CaptureFixture[str]
) -> None:
    gate.plans["anonymous"] = replace(gate.plans["anonymous"], shadow=True)
    gate.rows["ip#203.0.113.7"] = (published(200),)
    answer = module.handler(authorizer_event(), None)
    decision = verdict_of(answer["context"]["tallygate"]).decision
    assert (decision.allowed, decision.would) == (True, "quota")
    assert lines(capsys) == [], "whoever answers the call prints its line"
    module.handler(authorizer_event(at_ms=NOW + 20_000), None)
    [metrics] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert (sum(metrics["Admitted"]), sum(metrics["WouldRefuse"])) == (2, 2)


def test_decisions_are_gathered_into_one_line_of_metrics(gate: FakeGate, capsys: pytest.CaptureFixture[str]) -> None:
    module.telemetry.count("Flushed", urgent=True)
    module.telemetry.flush(NOW)
    capsys.readouterr()
    gate.rows["ip#203.0.113.9"] = (published(200),)
    for number, source_ip in enumerate(("203.0.113.7", "203.0.113.7", "203.0.113.9")):
        module.handler(authorizer_event({}, source_ip=source_ip, at_ms=NOW + number), None)
    assert "_aws" not in capsys.readouterr().out
    module.handler(authorizer_event({}, source_ip="203.0.113.9", at_ms=NOW + 10_000), None)
    [metrics] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert (sum(metrics["Admitted"]), sum(metrics["RefusedQuota"])) == (2, 2)
    assert metrics["ReadLatency"] == [7, 7, 7]
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Tallygate"


@pytest.mark.parametrize("text", ["x" * 4096, "\ud800", "٣", "tg_prod_" + "é" * 36, "'\";--", "\r\nx-admin: 1"])
def test_odd_text_in_any_header_is_survived(gate: FakeGate, capsys: pytest.CaptureFixture[str], text: str) -> None:
    for name in ("x-api-key", "authorization", "origin", "referer", "x-forwarded-for", "user-agent"):
        answer = module.handler(authorizer_event({name: text}), None)
        assert verdict_of(answer["context"]["tallygate"]).ip == "203.0.113.7"
    for line in lines(capsys):
        parse_line(line)
        assert text not in json.dumps(line, ensure_ascii=False)


def test_without_its_settings_the_function_fails_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYGATE_STAGE", "")
    module.build.cache_clear()
    with pytest.raises(SettingsError, match="TALLYGATE_STAGE is not set"):
        module.handler(authorizer_event(), None)


def test_a_container_is_put_together_without_asking_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "TALLYGATE_STAGE": "prod",
        "TALLYGATE_GATE_TABLE": "gate",
        "TALLYGATE_HOME": HOME,
        "TALLYGATE_HOMES": HOME,
        "TALLYGATE_IPV6_PREFIX": "64",
        "TALLYGATE_ANONYMOUS_ON_UNAVAILABLE": "allow",
        "TALLYGATE_KEYED_ON_UNAVAILABLE": "deny",
    }.items():
        monkeypatch.setenv(name, value)
    module.build.cache_clear()
    judge = module.build()
    module.build.cache_clear()
    judgement = judge.judge(call_of(authorizer_event(), NOW))  # nobody listens there
    assert judgement.reading is not None
    assert len(judgement.reading.failures) == 3
    assert judgement.verdict.decision.allowed
