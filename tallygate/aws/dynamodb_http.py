"""Requests to DynamoDB within a deadline, over kept connections and nothing but the standard library: for functions
that a caller waits for. Requests that are made together travel together, one connection each.

There is one try, and a second only when a kept connection turns out to be closed: who waits 150 ms has no time for
more. So a write may be made twice, or made without an answer: whoever writes must bear both. Name resolution is the one
step that the deadline does not bound.
"""

import json
import os
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from tallygate.aws.sigv4 import Credentials, Signer
from tallygate.core.gate import ReadFailure

MAX_IDLE_SECONDS: Final = 20.0
"""A connection unused for longer is opened anew: a frozen container does not see it being closed, and a request into
the void takes the whole deadline."""
_MAY_PASS: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
    }
)
"""Error codes with status 400 after which the same request may succeed (Developer Guide, "Error handling with
DynamoDB")."""
_CHUNK: Final = 65_536
_TARGET = "DynamoDB_20120810."

Connect = Callable[[float], HTTPConnection]
"""Makes an unopened connection with a timeout in seconds."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A request: the name of an operation (`Query`) and its parameters."""

    name: str
    parameters: Mapping[str, object]


Answer = dict[str, Any] | ReadFailure


class Round(NamedTuple):
    """Answers in the order of what was asked, and how long they took."""

    answers: list[Answer]
    took_ms: int


class Sends(Protocol):
    """A client that answers several operations in one round."""

    def send(self, operations: Sequence[Operation], deadline_ms: int) -> Round:
        """The answer to each operation, or why there is none. Takes `deadline_ms` in all at most."""
        ...


@dataclass(slots=True)
class _Flight:
    """A request under way. `kept` when its connection was used before."""

    operation: Operation
    connection: HTTPConnection | None
    kept: bool = False
    failure: ReadFailure | None = None


class DynamoDbReads:
    """A client of one region's DynamoDB. Not for use by several threads at once."""

    def __init__(
        self,
        signer: Signer,
        connect: Connect,
        wall_clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._signer = signer
        self._connect = connect
        self._wall_clock = wall_clock
        self._monotonic = monotonic
        self._kept: list[tuple[float, HTTPConnection]] = []

    def send(self, operations: Sequence[Operation], deadline_ms: int) -> Round:
        """See Sends.send."""
        began = self._monotonic()
        until = began + deadline_ms / 1000
        flights = [self._start(operation, until) for operation in operations]
        answers = [self._finish(flight, until) for flight in flights]
        return Round(answers, round((self._monotonic() - began) * 1000))

    def _start(self, operation: Operation, until: float, *, afresh: bool = False) -> _Flight:
        connection = None if afresh else self._take()
        flight = _Flight(operation, connection, kept=connection is not None)
        body = json.dumps(operation.parameters).encode()
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": _TARGET + operation.name}
        try:
            if flight.connection is None:
                flight.connection = self._connect(self._left(until))
                flight.connection.connect()
            self._limit(flight.connection, until)
            signed = self._signer.headers(headers, body, self._wall_clock())
            flight.connection.request("POST", "/", body, signed)
        except (OSError, HTTPException) as error:
            self._fail(flight, error)
            if flight.kept and not isinstance(error, TimeoutError):
                return self._start(operation, until, afresh=True)
        return flight

    def _finish(self, flight: _Flight, until: float) -> Answer:
        if flight.failure is not None or flight.connection is None:
            return flight.failure or ReadFailure("not sent", may_pass=True)
        try:
            self._limit(flight.connection, until)
            response = flight.connection.getresponse()
            parts = []
            while True:
                self._limit(flight.connection, until)
                part = response.read1(_CHUNK)
                if not part:
                    break
                parts.append(part)
            response.close()  # read1 does not see that it is at the end, and nothing can be sent before that
        except (OSError, HTTPException) as error:
            failure = self._fail(flight, error)
            if flight.kept and not isinstance(error, TimeoutError):
                return self._finish(self._start(flight.operation, until, afresh=True), until)
            return failure
        if flight.connection.sock is not None:
            self._kept.append((self._monotonic(), flight.connection))
        return _answer(response.status, b"".join(parts))

    def _take(self) -> HTTPConnection | None:
        """A kept connection: the one used last, if that was not too long ago."""
        while self._kept:
            used, connection = self._kept.pop()
            if self._monotonic() - used <= MAX_IDLE_SECONDS:
                return connection
            connection.close()
        return None

    def _left(self, until: float) -> float:
        left = until - self._monotonic()
        if left <= 0:
            raise TimeoutError("no time is left")
        return left

    def _limit(self, connection: HTTPConnection, until: float) -> None:
        # None once the server has said that it closes after this answer: what is left of it is a short read.
        if connection.sock is not None:
            connection.sock.settimeout(self._left(until))

    def _fail(self, flight: _Flight, error: Exception) -> ReadFailure:
        if flight.connection is not None:
            flight.connection.close()
        reason = "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
        flight.failure = ReadFailure(reason, may_pass=True)
        return flight.failure


def client_for(
    region: str, credentials: Credentials | None = None, env: Mapping[str, str] = os.environ
) -> DynamoDbReads:
    """A client of `region`, at the endpoint that the usual AWS variables name, or the public one."""
    default = f"https://dynamodb.{region}.amazonaws.com"
    endpoint = urlsplit(env.get("AWS_ENDPOINT_URL_DYNAMODB") or env.get("AWS_ENDPOINT_URL") or default)
    signer = Signer(credentials or Credentials.from_env(env), region, "dynamodb", endpoint.netloc)
    return DynamoDbReads(signer, _connector(endpoint.scheme, endpoint.netloc))


def _connector(scheme: str, netloc: str) -> Connect:
    if scheme == "http":
        return lambda timeout: HTTPConnection(netloc, timeout=timeout)
    context = ssl.create_default_context()
    return lambda timeout: HTTPSConnection(netloc, timeout=timeout, context=context)


def _answer(status: int, body: bytes) -> Answer:
    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return ReadFailure(f"HTTP {status} without JSON", may_pass=True)
    if status == 200:
        return fields
    code = str(fields.get("__type", "")).rpartition("#")[2]
    message = fields.get("message") or fields.get("Message") or ""
    may_pass = status >= 500 or code in _MAY_PASS
    return ReadFailure(f"HTTP {status} {code}: {message}", may_pass)
