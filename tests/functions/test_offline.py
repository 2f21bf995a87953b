"""What never leaves the authorizer: no request is sent for a key that cannot be one, counted at its connections."""

import random
from collections.abc import Callable

import pytest
from gateway import HOME, NOW, authorizer_event
from judging import SETTINGS

from functions.authorizer.call import call_of
from functions.authorizer.judge import Judge
from tallygate.aws.dynamodb_http import DynamoDbReads
from tallygate.aws.gate_reader import GateReader
from tallygate.aws.sigv4 import Credentials, Signer
from tallygate.core import keys
from tallygate.core.gate_view import GateView
from tallygate.core.snapshots import Snapshots


class Connections:
    """Opens none, and counts how often one was wanted."""

    def __init__(self) -> None:
        self.wanted = 0

    def __call__(self, _timeout: float) -> None:
        self.wanted += 1
        raise ConnectionRefusedError


@pytest.fixture
def connections() -> Connections:
    return Connections()


@pytest.fixture
def judge(connections: Connections) -> Judge:
    signer = Signer(Credentials("AKIDEXAMPLE", "secret"), "eu-west-1", "dynamodb", "localhost")
    reads = DynamoDbReads(signer, connections)  # type: ignore[arg-type]
    return Judge(SETTINGS, GateView(GateReader(reads, "gate", 150), HOME, Snapshots()))


def _mistyped(seed: int) -> str:
    draw = random.Random(seed)
    secret = list(keys.mint("prod", draw.choice))
    position = draw.randrange(8, len(secret))
    secret[position] = draw.choice(keys.ALPHABET.replace(secret[position], ""))
    return "".join(secret)


@pytest.mark.parametrize(
    "garbage",
    [
        _mistyped,
        lambda seed: keys.mint("acceptance", random.Random(seed).choice),
        lambda seed: keys.mint("prod", random.Random(seed).choice)[: seed % 40],
        lambda seed: random.Random(seed).randbytes(40).decode("latin-1"),
        lambda seed: f"sk_live_{seed:024d}",
    ],
    ids=["mistyped", "another stage", "cut short", "bytes", "another system"],
)
def test_no_request_is_sent_for_what_can_be_no_key(
    judge: Judge, connections: Connections, garbage: Callable[[int], str]
) -> None:
    for seed in range(200):
        for headers in ({"x-api-key": garbage(seed)}, {"authorization": f"Bearer tg_{garbage(seed)}"}):
            verdict = judge.judge(call_of(authorizer_event(headers), NOW)).verdict
            assert (verdict.decision.refusal, verdict.key_fault) == ("key", "malformed")
    assert connections.wanted == 0


def test_what_may_be_a_key_is_asked_for(judge: Judge, connections: Connections) -> None:
    judge.judge(call_of(authorizer_event({"x-api-key": keys.mint("prod", random.Random(1).choice)}), NOW))
    assert connections.wanted > 0
