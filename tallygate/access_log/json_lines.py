"""JSON lines: nginx with `escape=json`, API Gateway, load balancers, Caddy, and whatever `--field` describes.

A field is named by its path, `request.headers.Referer`; a name with dots in it is tried as it stands first. Of a list,
the first entry counts.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar, get_args

import orjson

from tallygate.access_log.entry import Entry, UnreadableError, is_address
from tallygate.access_log.times import time_ms
from tallygate.core.keys import key_id, stage_of

Field = Literal["ip", "time", "referer", "origin", "key", "status"]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)

KNOWN: Final[Mapping[Field, tuple[str, ...]]] = {
    "ip": (
        "client_ip",
        "clientIp",
        "remote_addr",
        "remote_ip",
        "remoteIp",
        "sourceIp",
        "source_ip",
        "clientip",
        "client",
        "ip",
        "client:port",
        "client.ip",
        "source.ip",
        "request.client_ip",
        "request.remote_ip",
        "identity.sourceIp",
        "requestContext.identity.sourceIp",
        "requestContext.http.sourceIp",
        "httpRequest.clientIp",
        "httpRequest.remoteIp",
        "ClientHost",
    ),
    "time": (
        "time_iso8601",
        "time",
        "timestamp",
        "@timestamp",
        "ts",
        "msec",
        "requestTimeEpoch",
        "requestTime",
        "time_local",
        "datetime",
        "date",
        "StartUTC",
    ),
    "referer": (
        "http_referer",
        "referer",
        "referrer",
        "http_referrer",
        "headers.referer",
        "headers.Referer",
        "request.headers.Referer",
        "http.request.referrer",
        "httpRequest.referer",
        "request_Referer",
    ),
    "origin": ("http_origin", "origin", "headers.origin", "headers.Origin", "request.headers.Origin", "request_Origin"),
    "key": (
        "api_key_id",
        "apiKeyId",
        "key_id",
        "identity.apiKeyId",
        "requestContext.identity.apiKeyId",
        "authorizer.principalId",
        "principalId",
        "user",
        "remote_user",
        "user_id",
    ),
    "status": ("status", "statusCode", "status_code", "response.status", "elb_status_code", "DownstreamStatus"),
}
"""Names under which servers log a field, tried in this order."""

MOST_KEY_CHARS: Final = 128
SHOWN_NAMES: Final = 30
_ABSENT: Final = ("", "-")

Parsed = TypeVar("Parsed")


class JsonLines:
    """Reads lines of one log. `named` says where a field is; what it does not name is looked for under KNOWN."""

    def __init__(self, named: Mapping[Field, str] | None = None) -> None:
        paths: dict[Field, tuple[str, ...]] = {**KNOWN, **{field: (path,) for field, path in (named or {}).items()}}
        self._steps: dict[Field, list[tuple[str, list[str] | None]]] = {
            field: [(path, path.split(".") if "." in path else None) for path in tried]
            for field, tried in paths.items()
        }

    def parse(self, number: int, line: bytes) -> Entry:
        """One line. UnreadableError when it is no object, or has no client or time that can be read."""
        document = _loaded(line)
        client = self._first(document, "ip", _address)
        if client is None:
            raise self._missing(document, "ip", "client's IP address")
        at_ms = self._first(document, "time", time_ms)
        if at_ms is None:
            raise self._missing(document, "time", "time")
        return Entry(
            number,
            at_ms,
            client,
            self._first(document, "referer", _header),
            self._first(document, "origin", _header),
            self._first(document, "key", _key),
            self._first(document, "status", _status) or 0,
        )

    def _first(self, document: dict[str, Any], field: Field, parse: Callable[[Any], Parsed | None]) -> Parsed | None:
        """The first value of `field` that can be parsed."""
        for path, steps in self._steps[field]:
            value = document.get(path)
            if value is None and steps is not None:
                value = document
                for step in steps:
                    value = value.get(step) if isinstance(value, dict) else None
                    if value is None:
                        break
            if isinstance(value, list):
                value = value[0] if value else None
            if value is None or value in _ABSENT:
                continue
            parsed = parse(value)
            if parsed is not None:
                return parsed
        return None

    def _missing(self, document: dict[str, Any], field: Field, what: str) -> UnreadableError:
        found = self._first(document, field, repr)
        names = _names(document)
        shown = ", ".join(names[:SHOWN_NAMES]) + (", …" if len(names) > SHOWN_NAMES else "") or "nothing"
        why = f"{found[:60]} is no {what}" if found else f"none of its fields is known to hold the {what}"
        return UnreadableError(f"{why}; name one with --field {field}=…; it has {shown}")


def _loaded(line: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:  # nginx passes bytes above ASCII as they came
            document = orjson.loads(line.decode("latin-1"))
        except orjson.JSONDecodeError as error:
            raise UnreadableError(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise UnreadableError("not a JSON object")
    return document


def _names(document: Mapping[str, Any], under: str = "", depth: int = 3) -> list[str]:
    names: list[str] = []
    for name, value in document.items():
        path = f"{under}{name}"
        names += _names(value, f"{path}.", depth - 1) if isinstance(value, dict) and value and depth else [path]
    return names


def _address(value: object) -> str | None:
    """The address in `value`: some log it with its port, or with the proxies that it came through."""
    if not isinstance(value, str):
        return None
    text = value.partition(",")[0].strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return text if is_address(text) else None


def _header(value: object) -> bytes | None:
    return value.strip(" \t").encode("utf-8", "surrogatepass") if isinstance(value, str) else None


def _key(value: object) -> str | None:
    """What names a key. A secret of ours becomes its id: no report repeats one."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()[:MOST_KEY_CHARS]
    return key_id(text) if stage_of(text) is not None else text


def _status(value: object) -> int | None:
    number = int(value) if isinstance(value, str) and re.fullmatch(r"[1-5]\d\d", value, re.ASCII) else value
    return number if isinstance(number, int) and 100 <= number <= 599 else None
