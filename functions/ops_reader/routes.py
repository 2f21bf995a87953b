"""`/ops/usage`, `/ops/top` and the others that ask: each is a question to Operations, and its answer."""

import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

import boto3
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from botocore.config import Config

from tallygate.aws.ops_answers import Answer, answer
from tallygate.aws.settings import OpsReaderSettings
from tallygate.core.retention import Retention
from tallygate.operations.operations import Operations
from tallygate.operations.routes import routes_of, rule
from tallygate.operations.service import Service
from tallygate.resources import Names

OPENAPI: Final = Path(__file__).with_name("openapi.json")
PATIENCE: Final = Config(
    connect_timeout=1, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 2}, max_pool_connections=20
)
"""The gateway waits for 30 s: a home that does not answer is named before that."""

_OWNERS: Final = "/ops/owners/"

app = APIGatewayHttpResolver()


@cache
def operations() -> Operations:
    """Made at the first question: its clients keep their connections."""
    settings = OpsReaderSettings.from_env()
    clients: dict[tuple[str, str], Any] = {
        (service, region): boto3.client(service, region_name=region, config=PATIENCE)
        for service in ("dynamodb", "kinesis", "sqs")
        for region in dict.fromkeys((settings.region, *settings.homes))
    }
    return Operations(
        {home: clients["dynamodb", home] for home in settings.homes},
        clients["dynamodb", settings.region],
        {home: clients["kinesis", home] for home in settings.homes},
        {home: clients["sqs", home] for home in settings.homes},
        Service(
            Names(settings.service, settings.stage),
            settings.regions,
            Retention(settings.stream_retention_hours, settings.history_days),
            settings.ipv6_prefix,
        ),
    )


def _query() -> dict[str, str]:
    return dict(app.current_event.query_string_parameters or {})


def routable(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with the name of an owner escaped in its path: it may have characters that the resolver takes in no
    path (`?`, `"`, `/`)."""
    name = event["rawPath"].removeprefix(_OWNERS)
    return dict(event) if name == event["rawPath"] else {**event, "rawPath": _OWNERS + quote(name, safe="")}


def _owner(owner: str) -> Mapping[str, Any]:
    # An HTTP API decodes every escape of a path but that of the percent sign.
    return operations().owner(unquote(owner).replace("%25", "%"), _query(), _now_ms())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _openapi() -> Answer:
    return Response(200, "application/json", OPENAPI.read_text(), headers={"Cache-Control": "no-cache"})


ANSWERS: Final[dict[str, Callable[..., Mapping[str, Any] | Answer]]] = {
    "usage": lambda: operations().usage(_query(), _now_ms()),
    "top": lambda: operations().top(_query(), _now_ms()),
    "standing": lambda: operations().standing(_query(), _now_ms()),
    "owners": lambda: operations().owners(_query(), _now_ms()),
    "owner": _owner,
    "pipeline": lambda: operations().pipeline(_query(), _now_ms()),
    "openapi": _openapi,
}


def _answering(ask: Callable[..., Mapping[str, Any] | Answer]) -> Callable[..., Answer]:
    def answering(**path: str) -> Answer:
        found = ask(**path)
        return found if isinstance(found, Response) else answer(200, found)

    return answering


for route in routes_of("ops_reader"):
    app.route(rule(route), method=route.method)(_answering(ANSWERS[route.name]))
