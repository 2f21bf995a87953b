"""The gateway's event as a call: HTTP API, REQUEST authorizer, payload format 2.0.

Source: API Gateway developer guide, "Control access to HTTP APIs with AWS Lambda authorizers".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

UNKNOWN_ID: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came in. `at_ms` is the gateway's request time, which is also the usage line's. Headers, in lower
    case, and query hold secrets."""

    id: str
    at_ms: int
    method: str
    path: str
    source_ip: str
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)


def call_of(event: Mapping[str, Any], now_ms: int) -> Call:
    """The call of an event. `now_ms` stands in for the request time where the gateway does not tell it."""
    context = event.get("requestContext") or {}
    http = context.get("http") or {}
    stage = context.get("stage") or "$default"
    # What the functions behind it route by: were the two decoded differently, a call could be weighed as another.
    path = str(event.get("rawPath") or http.get("path") or "/")
    return Call(
        id=str(context.get("requestId") or UNKNOWN_ID),
        at_ms=int(context.get("timeEpoch") or now_ms),
        method=str(http.get("method") or ""),
        path=path.removeprefix(f"/{stage}") or "/",
        source_ip=str(http.get("sourceIp") or ""),
        headers={name.lower(): str(value) for name, value in (event.get("headers") or {}).items()},
        query=event.get("queryStringParameters") or {},
    )
