"""Calls of the API function as the gateway makes them, once the authorizer has judged them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from gateway import EVENTS, HOME

from functions.api import handler as module
from tallygate.core.decide import Checked, Decision
from tallygate.core.plans import Limit
from tallygate.core.verdict import Verdict

DAY = 86_400_000
MIDNIGHT = 1_795_219_200_000
DAILY = Checked(Limit("ip", 200, "day"), 13, DAY, MIDNIGHT)
ADMITTED = Verdict(
    ip="203.0.113.7",
    ref="shop.example",
    plan="anonymous",
    charge=("ip", "ref"),
    caps={"ip": {"day": 200}, "ref": {"day": 2000}},
    home=HOME,
    region="eu-west-1",
    units=1,
    decision=Decision((DAILY,)),
)


def call(
    verdict: Verdict | str | None,
    path: str = "/v1/whoami",
    method: str = "GET",
    query: Mapping[str, str] | None = None,
    body: object = None,
) -> dict[str, Any]:
    event = json.loads((EVENTS / "proxy_v2.json").read_text())
    event["rawPath"] = path
    if query is not None:
        event["queryStringParameters"] = dict(query)
    if body is not None:
        event["body"] = json.dumps(body)
    event["requestContext"]["http"] |= {"path": path, "method": method}
    if verdict is None:
        del event["requestContext"]["authorizer"]
    else:
        text = verdict.to_json() if isinstance(verdict, Verdict) else verdict
        event["requestContext"]["authorizer"]["lambda"]["tallygate"] = text
    answer: dict[str, Any] = module.handler(event, None)  # type: ignore[arg-type]  # nothing asks for the context
    answer["headers"] = {name.lower(): value for name, value in answer["headers"].items()}
    return answer


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in printed if line.get("type") == "usage"]
