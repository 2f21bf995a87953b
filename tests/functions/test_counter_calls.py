"""Counters as the functions answer: what the authorizer tells of them, what is printed, and who may."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from answers import ADMITTED, EVENTS, call, lines
from gateway import NOW, FakeGate
from judging import GOOD, KEY, OTHER, PK, Caller, keyed

from functions.api import counter_routes
from functions.api import handler as api
from functions.counters import handler as writer
from functions.counters import routes as writing
from tallygate.aws.counter_epochs import CounterEpochs
from tallygate.aws.counter_reader import CounterReader
from tallygate.aws.dynamodb_http import Answer, Operation, Round
from tallygate.aws.sequences import Sequences
from tallygate.core import keys
from tallygate.core.decide import Decision
from tallygate.core.gate import ReadFailure
from tallygate.core.lines import parse_line
from tallygate.core.verdict import Verdict

KEYED = replace(ADMITTED, key="9f2c", plan="pro", charge=("key",), caps={"key": {"day": 1000}}, epochs={"orders": 3})
SLOW = ReadFailure("no answer in time", may_pass=True)


@dataclass
class Client:
    """Gives the same answer to everything, and remembers what was asked."""

    answer: Answer
    asked: list[Operation] = field(default_factory=list)

    def send(self, operations: Sequence[Operation], deadline_ms: int) -> Round:
        self.asked += operations
        return Round([self.answer for _ in operations], 1)


def write(verdict: Verdict, path: str, body: object = None) -> dict[str, Any]:
    """The answer of the counters' function."""
    event = json.loads((EVENTS / "proxy_v2.json").read_text())
    event["rawPath"] = path
    event["requestContext"]["http"] |= {"path": path, "method": "POST"}
    event["requestContext"]["authorizer"]["lambda"]["tallygate"] = verdict.to_json()
    if body is not None:
        event["body"] = json.dumps(body)
    answer: dict[str, Any] = writer.handler(event, None)  # type: ignore[arg-type]  # nothing asks for the context
    return answer


def test_calls_to_counters_are_told_the_epochs_of_their_key_and_no_others_are() -> None:
    gate = FakeGate(keys={PK: GOOD}, epochs={PK: {"orders": 3}})
    for path in ("/v1/counters", "/v1/counters/orders/increment"):
        assert Caller(gate)(keyed(), path=path).epochs == {"orders": 3}
    for path in ("/v1/whoami", "/v1/countersX", "/"):
        assert Caller(gate)(keyed(), path=path).epochs == {}
    assert Caller(gate)(path="/v1/counters").epochs == {}


def test_a_line_of_rotations_has_the_epochs_of_its_first_key() -> None:
    other = f"key#{keys.key_id(OTHER)}"
    rotated = replace(GOOD, hash=keys.secret_hash(OTHER), counted_as=KEY)
    gate = FakeGate(keys={PK: GOOD, other: rotated}, epochs={PK: {"orders": 3}, other: {"orders": 9}})
    assert Caller(gate)(keyed(OTHER), path="/v1/counters").epochs == {"orders": 3}


def test_while_the_epochs_of_a_line_cannot_be_read_nothing_is_added_to_an_old_one() -> None:
    other = f"key#{keys.key_id(OTHER)}"
    gate = FakeGate(keys={PK: replace(GOOD, counted_as="0" * 16), other: GOOD}, unreadable={f"key#{'0' * 16}"})
    caller = Caller(gate)
    assert caller(keyed(), path="/v1/counters/orders/increment").decision.refusal == "unavailable"
    assert caller(keyed(), path="/v1/whoami").decision.allowed
    gate.unreadable = set()
    assert caller(keyed(), path="/v1/counters/orders/increment", at_ms=NOW + 60_000).decision.allowed
    gate.is_down = True  # they were read before
    assert caller(keyed(), path="/v1/counters/orders/increment", at_ms=NOW + 120_000).decision.allowed


def test_an_increment_is_accepted_and_printed_with_its_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(KEYED, "/v1/counters/orders/increment", "POST", body={"add": 5})
    assert (answer["statusCode"], json.loads(answer["body"])) == (
        202,
        {"accepted": {"orders": {"add": 5, "epoch": 3}}},
    )
    assert "ratelimit" in answer["headers"]
    [line] = lines(capsys)
    assert (line["ctr"], line["units"], line["status"], line["charge"]) == ([["orders", 5, 3]], 1, 202, ["key"])
    parse_line(line)


def test_the_next_call_of_a_container_counts_nothing_of_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    call(KEYED, "/v1/counters/increments", "POST", body={"increments": {"orders": 5, "a": 1}})
    call(KEYED)
    call(KEYED, "/v1/counters/orders/increment", "POST", body={"add": "5"})
    assert [line.get("ctr") for line in lines(capsys)] == [[["orders", 5, 3], ["a", 1, 0]], None, None]


def test_a_refused_call_counts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    spent = replace(KEYED, decision=Decision(refusal="quota", retry_after_seconds=5))
    assert call(spent, "/v1/counters/orders/increment", "POST")["statusCode"] == 429
    assert lines(capsys) == []


@pytest.mark.parametrize(
    ("key", "status", "problem"), [(None, 401, "key-required"), ("invalid", 503, "temporary-reduced-capacity")]
)
def test_counters_belong_to_a_key_that_was_verified(
    key: str | None, status: int, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = replace(KEYED, key=key, charge=(), caps={}, epochs={})
    answers = [
        call(verdict, path, method)
        for method, path in (("GET", "/v1/counters"), ("GET", "/v1/counters/a"), ("POST", "/v1/counters/a/increment"))
    ]
    answers += [write(verdict, f"/v1/counters/a/{what}") for what in ("next", "reset")]
    for answer in answers:
        assert answer["statusCode"] == status
        assert json.loads(answer["body"])["type"].endswith(f"#{problem}")
    printed = lines(capsys)
    assert [(line["status"], line["units"]) for line in printed] == [(status, 1)] * 5
    assert not any("ctr" in line for line in printed)


def test_counters_that_no_home_tells_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter_routes, "counters", lambda: CounterReader({"us-east-1": Client(SLOW)}, "tally"))
    for path in ("/v1/counters", "/v1/counters/orders"):
        answer = call(KEYED, path)
        assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "5")
        assert json.loads(answer["body"])["type"].endswith("#counters-unavailable")


def test_where_one_home_is_silent_the_others_are_told_and_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"pk": {"S": "ctr#9f2c"}, "sk": {"S": "orders#00000003"}, "n": {"N": "7"}, "s0.a": {"N": "7"}}
    clients = {"us-east-1": Client({"Items": [row]}), "eu-central-1": Client(SLOW)}
    monkeypatch.setattr(counter_routes, "counters", lambda: CounterReader(clients, "tally"))
    monkeypatch.setattr(counter_routes, "homes", lambda: clients)
    told = json.loads(call(KEYED, "/v1/counters/orders")["body"])
    assert (told["total"], told["unread"], told["homes"]["us-east-1"]["writers"]) == (7, ["eu-central-1"], {"0.a": 7})
    listed = json.loads(call(KEYED, "/v1/counters")["body"])
    assert listed == {
        "counters": [{"name": "orders", "epoch": 3, "total": 7, "as_of": None}],
        "unread": ["eu-central-1"],
        "next": None,
    }


def test_what_the_administrative_region_does_not_answer_can_be_asked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(writing, "sequences", lambda: Sequences(Client(SLOW), "tally"))
    monkeypatch.setattr(writing, "epochs", lambda: CounterEpochs(Client(SLOW), "gate"))
    for what in ("next", "reset"):
        answer = write(KEYED, f"/v1/counters/orders/{what}")
        assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "5")
    assert [line["status"] for line in lines(capsys)] == [503, 503]


def test_a_reset_tells_what_the_epoch_before_stood_at(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"pk": {"S": "ctr#9f2c"}, "sk": {"S": "orders#00000003"}, "n": {"N": "7"}, "t": {"N": "1795176000000"}}
    profile = {"Item": {"ctr": {"M": {"orders": {"N": "3"}}}}}
    monkeypatch.setattr(writing, "epochs", lambda: CounterEpochs(Client(profile), "gate"))
    monkeypatch.setattr(writing, "counters", lambda: CounterReader({"us-east-1": Client({"Items": [row]})}, "tally"))
    told = json.loads(write(KEYED, "/v1/counters/orders/reset")["body"])
    assert (told["name"], told["epoch"], told["ended"]["epoch"], told["ended"]["total"]) == ("orders", 4, 3, 7)
    early = write(KEYED, "/v1/counters/orders/reset", {"epoch": 9})
    assert (early["statusCode"], json.loads(early["body"])["type"].rpartition("#")[2]) == (409, "other-epoch")


def test_a_sequence_takes_nothing_from_its_caller_but_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client({"Attributes": {"n": {"N": "8"}}})
    monkeypatch.setattr(writing, "sequences", lambda: Sequences(client, "tally"))
    assert json.loads(write(KEYED, "/v1/counters/invoice/next")["body"]) == {"name": "invoice", "number": 8}
    assert client.asked[0].parameters["Key"] == {"pk": {"S": "seq#9f2c"}, "sk": {"S": "invoice"}}
    for path, body in (("/v1/counters/a b/next", None), ("/v1/counters/invoice/next", {"count": 7})):
        assert write(KEYED, path, body)["statusCode"] == 400
    assert len(client.asked) == 1


@pytest.mark.parametrize("body", ["/w==", "nonsense!"])
def test_a_body_that_is_no_text_is_the_callers_fault(body: str, capsys: pytest.CaptureFixture[str]) -> None:
    event = json.loads((EVENTS / "proxy_v2.json").read_text())
    event |= {"rawPath": "/v1/counters/a/increment", "body": body, "isBase64Encoded": True}
    event["requestContext"]["http"] |= {"path": event["rawPath"], "method": "POST"}
    event["requestContext"]["authorizer"]["lambda"]["tallygate"] = KEYED.to_json()
    answer = api.handler(event, None)  # type: ignore[arg-type]
    assert (answer["statusCode"], json.loads(answer["body"])["parameter"]) == (400, "body")
    assert [line.get("ctr") for line in lines(capsys)] == [None]
