"""A judge before a gate that answers as told, and a caller of it."""

import random
from collections.abc import Mapping

from gateway import HOME, NOW, FakeGate, authorizer_event

from functions.authorizer.call import call_of
from functions.authorizer.judge import Judge, Judgement
from tallygate.aws.settings import AuthorizerSettings
from tallygate.core import keys
from tallygate.core.credentials import StoredKey
from tallygate.core.gate_view import GateView
from tallygate.core.identity import parse_networks
from tallygate.core.snapshots import Snapshots
from tallygate.core.verdict import Verdict

SETTINGS = AuthorizerSettings(
    "prod", "eu-west-1", "gate", HOME, (HOME,), parse_networks("10.0.0.0/8"), 64, 150, "allow", "allow"
)
SECRET = keys.mint("prod", random.Random(1).choice)
OTHER = keys.mint("prod", random.Random(2).choice)
KEY = keys.key_id(SECRET)
PK = f"key#{KEY}"
GOOD = StoredKey(keys.secret_hash(SECRET), "starter", "active")
MINUTE = 60_000


def judge_of(gate: FakeGate, settings: AuthorizerSettings = SETTINGS) -> Judge:
    return Judge(settings, GateView(gate, HOME, Snapshots()))


class Caller:
    """Calls one judge, at times of its own."""

    def __init__(self, gate: FakeGate, settings: AuthorizerSettings = SETTINGS) -> None:
        self._judge = judge_of(gate, settings)

    def judge(
        self, headers: Mapping[str, str] | None = None, *, at_ms: int = NOW, path: str = "/v1/whoami", **event: str
    ) -> Judgement:
        made = authorizer_event(headers, at_ms=at_ms, path=path, **event)  # type: ignore[arg-type]
        return self._judge.judge(call_of(made, at_ms))

    def __call__(self, headers: Mapping[str, str] | None = None, *, at_ms: int = NOW, **event: str) -> Verdict:
        return self.judge(headers, at_ms=at_ms, **event).verdict


def keyed(secret: str = SECRET) -> dict[str, str]:
    return {"x-api-key": secret}
