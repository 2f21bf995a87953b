"""Reads within a deadline: against a server on the loopback for what a connection does, and with a transport and a
clock of our own for what time does."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, RemoteDisconnected
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest

from tallygate.aws.dynamodb_http import DynamoDbReads, Operation, client_for
from tallygate.aws.sigv4 import Credentials, Signer
from tallygate.core.gate import ReadFailure

CREDENTIALS = Credentials("AKIDEXAMPLE", "secret", "token")
ENOUGH_MS = 20_000


def query(name: str) -> Operation:
    return Operation("Query", {"TableName": name})


@dataclass
class Store:
    """A DynamoDB that answers each request with its own table name, or as told. `callers` are the client's ports."""

    port: int = 0
    status: int = 200
    body: bytes | None = None
    hangs_up: bool = False
    callers: list[int] = field(default_factory=list)
    requests: list[tuple[dict[str, str], Any]] = field(default_factory=list)


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
            store.callers.append(self.client_address[1])
            store.requests.append(({name.lower(): value for name, value in self.headers.items()}, sent))
            body = json.dumps({"Items": [sent["TableName"]]}).encode() if store.body is None else store.body
            self.send_response(store.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = store.hangs_up  # without a word, as a load balancer does with idle ones

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    store.port = server.server_port
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield store
    server.shutdown()
    server.server_close()


def client_of(store: Store) -> DynamoDbReads:
    return client_for("eu-west-1", CREDENTIALS, {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.port}"})


def test_each_operation_gets_its_answer(store: Store) -> None:
    answers = client_of(store).send([query("a"), query("b"), query("c")], ENOUGH_MS).answers
    assert answers == [{"Items": ["a"]}, {"Items": ["b"]}, {"Items": ["c"]}]


def test_a_request_is_what_dynamodb_expects(store: Store) -> None:
    client_of(store).send([query("gate")], ENOUGH_MS)
    [(headers, sent)] = store.requests
    assert sent == {"TableName": "gate"}
    assert headers["x-amz-target"] == "DynamoDB_20120810.Query"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert headers["host"] == f"127.0.0.1:{store.port}"
    assert headers["x-amz-security-token"] == "token"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")


def test_a_round_has_a_connection_for_each_request_and_the_next_round_has_the_same(store: Store) -> None:
    client = client_of(store)
    client.send([query("a"), query("b")], ENOUGH_MS)
    first = set(store.callers)
    store.callers.clear()
    client.send([query("c"), query("d")], ENOUGH_MS)
    assert len(first) == 2
    assert set(store.callers) == first


def test_a_kept_connection_that_was_closed_is_replaced(store: Store) -> None:
    client = client_of(store)
    store.hangs_up = True
    client.send([query("a")], ENOUGH_MS)
    assert client.send([query("b")], ENOUGH_MS).answers == [{"Items": ["b"]}]
    assert len(set(store.callers)) == 2


@pytest.mark.parametrize(
    ("status", "body", "reason", "may_pass"),
    [
        (400, {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}, "ThrottlingException", True),
        (400, {"__type": "x#AccessDeniedException", "Message": "not you"}, "AccessDeniedException: not you", False),
        (400, {"__type": "x#ResourceNotFoundException", "message": "gone"}, "ResourceNotFoundException: gone", False),
        (500, {"__type": "x#InternalServerError"}, "InternalServerError", True),
        (503, b"<html>", "HTTP 503 without JSON", True),
        (200, b"", "HTTP 200 without JSON", True),
        (200, [], "HTTP 200 without JSON", True),
    ],
)
def test_a_refusal_says_why_and_whether_it_may_pass(
    store: Store, status: int, body: object, reason: str, may_pass: bool
) -> None:
    store.status, store.body = status, body if isinstance(body, bytes) else json.dumps(body).encode()
    [answer] = client_of(store).send([query("gate")], ENOUGH_MS).answers
    assert isinstance(answer, ReadFailure)
    assert reason in answer.reason
    assert answer.may_pass is may_pass


def test_nobody_there_is_a_failure_and_no_exception() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]  # bound, and not listening
        client = client_for("eu-west-1", CREDENTIALS, {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})
        [answer] = client.send([query("gate")], ENOUGH_MS).answers
    assert isinstance(answer, ReadFailure)
    assert answer.may_pass


def test_without_an_endpoint_the_public_one_is_asked() -> None:
    client = client_for("eu-west-1", CREDENTIALS, {})
    assert client._signer.host == "dynamodb.eu-west-1.amazonaws.com"


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class FakeSocket:
    timeout = 0.0

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0
        self.timeout = seconds


class FakeResponse:
    status = 200

    def __init__(self, body: bytes) -> None:
        self._parts = [body, b""]

    def read1(self, _: int) -> bytes:
        return self._parts.pop(0)

    def close(self) -> None:
        pass


class FakeConnection:
    """A connection on which connecting and answering take time, or which is closed when it is used again."""

    def __init__(self, clock: Clock, *, connects: float = 0.0, answers: float = 0.0, lives: int = 1000) -> None:
        self.sock: FakeSocket | None = None
        self.is_closed = False
        self._clock, self._connects, self._answers, self._lives = clock, connects, answers, lives
        self.requested = 0

    def _take(self, seconds: float) -> None:
        assert self.sock is not None
        self._clock.seconds += min(seconds, self.sock.timeout)
        if seconds > self.sock.timeout:
            raise TimeoutError

    def connect(self) -> None:
        self.sock = FakeSocket()
        self.sock.timeout = 10.0
        self._take(self._connects)

    def request(self, *_: object) -> None:
        self.requested += 1
        self._lives -= 1

    def getresponse(self) -> FakeResponse:
        if self._lives < 0:
            raise RemoteDisconnected("gone")
        self._take(self._answers)
        return FakeResponse(b"{}")

    def close(self) -> None:
        self.sock, self.is_closed = None, True


def client_with(clock: Clock, *connections: FakeConnection) -> DynamoDbReads:
    waiting = iter(connections)
    return DynamoDbReads(
        Signer(CREDENTIALS, "eu-west-1", "dynamodb", "host"),
        lambda timeout: cast(HTTPConnection, next(waiting)),
        wall_clock=lambda: 1_795_176_000,
        monotonic=clock,
    )


def test_a_round_takes_the_deadline_and_no_longer() -> None:
    clock = Clock()
    client = client_with(clock, FakeConnection(clock, answers=0.1), FakeConnection(clock, answers=0.2))
    answers, took_ms = client.send([query("a"), query("b")], 150)
    assert answers[0] == {}
    assert answers[1] == ReadFailure("no answer in time", may_pass=True)
    assert took_ms == 150


def test_connecting_is_a_part_of_the_deadline() -> None:
    clock = Clock()
    slow = FakeConnection(clock, connects=0.2)
    answers, _ = client_with(clock, slow, FakeConnection(clock)).send([query("a"), query("b")], 150)
    assert answers == [ReadFailure("no answer in time", may_pass=True)] * 2


def test_a_connection_without_an_answer_is_not_used_again() -> None:
    clock = Clock()
    slow, quick = FakeConnection(clock, answers=0.2), FakeConnection(clock)
    client = client_with(clock, slow, quick)
    client.send([query("a")], 150)
    assert slow.is_closed
    assert client.send([query("b")], 150).answers == [{}]


def test_a_new_connection_that_breaks_is_not_tried_again() -> None:
    clock = Clock()
    broken, spare = FakeConnection(clock, lives=0), FakeConnection(clock)
    [answer] = client_with(clock, broken, spare).send([query("a")], 150).answers
    assert isinstance(answer, ReadFailure)
    assert "gone" in answer.reason
    assert spare.requested == 0


def test_a_connection_that_was_idle_for_long_is_not_trusted() -> None:
    clock = Clock()
    old, new = FakeConnection(clock), FakeConnection(clock)
    client = client_with(clock, old, new)
    client.send([query("a")], 150)
    clock.seconds += 20.1
    client.send([query("b")], 150)
    assert (old.requested, new.requested) == (1, 1)
    assert old.is_closed
