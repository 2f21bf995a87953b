"""The server of the page: who may ask, what is answered, and that many tabs are one reader."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from tallygate.cli.failures import in_words
from tallygate.dashboard import answers as answering
from tallygate.dashboard import serving as serving_module
from tallygate.dashboard.answers import KEPT_SECONDS, Answers, SlowAnswerError
from tallygate.dashboard.app import About, dashboard
from tallygate.dashboard.serving import PortTakenError, listen, serving
from tallygate.operations.errors import UnreachableError
from tests.dashboard.conftest import served
from tests.dashboard.fake import HOMES, REGIONS, FakeOperations

PIPELINE = "/api/pipeline"


class Client:
    """Asks as somebody who may send whatever headers."""

    def __init__(self, url: str) -> None:
        self.host = urlsplit(url).netloc

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=10)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def document(self, path: str) -> Any:
        status, _, body = self.ask(path)
        assert status == 200, body
        return json.loads(body)

    def problem(self, path: str, method: str = "GET", **headers: str) -> Any:
        status, sent, body = self.ask(path, method, **headers)
        document = json.loads(body)
        assert (sent["Content-Type"], document["status"]) == ("application/problem+json", status)
        return document


CLOCK = [0.0]


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[FakeOperations, Client]]:
    operations = FakeOperations()
    about = About("tallygate", "local", REGIONS, HOMES)
    with serving(dashboard(operations, about, in_words, clock=lambda: CLOCK[0]), listen(None)) as url:
        yield operations, Client(url)


@pytest.fixture
def operations(shared: tuple[FakeOperations, Client]) -> FakeOperations:
    """As if nobody had asked it before: whatever was answered in another test is too old."""
    CLOCK[0] += 1_000
    shared[0].before = lambda _name: None
    shared[0].asked.clear()
    return shared[0]


@pytest.fixture
def client(shared: tuple[FakeOperations, Client], operations: FakeOperations) -> Client:
    return shared[1]


def test_it_answers_what_the_reading_layer_answers(client: Client) -> None:
    assert client.document("/api/service")["regions"] == ["us-east-1", "eu-west-1", "ap-southeast-2"]
    top = client.document("/api/top?kind=ip&period=2026-11")
    assert (top["kind"], top["period"], top["top"][0]["value"]) == ("ip", "2026-11", "203.0.113.10")
    assert client.document("/api/standing?kind=ref&value=b%C3%BCcher.example")["value"] == "bücher.example"
    assert [owner["owner"] for owner in client.document("/api/owners?q=bra")["owners"]] == ["bravo"]
    assert client.document("/api/owner?name=..")["owner"] == ".."
    assert client.document("/api/owner?name=a%2Fb%20%26%20c")["owner"] == "a/b & c"
    assert len(client.document(PIPELINE)["writers"]) == 2
    assert client.document("/api/usage?kind=all&granularity=day&from=2026-11-20")["rows"][0]["start"].startswith(
        "2026-11-20"
    )


def test_only_the_names_of_this_machine_lead_here(client: Client) -> None:
    port = client.host.rpartition(":")[2]
    for name in (f"localhost:{port}", "127.0.0.1", f"[::1]:{port}", "LOCALHOST:9000"):
        assert client.ask(PIPELINE, Host=name)[0] == 200, name
    for name in (
        "rebound.example",
        f"rebound.example:{port}",
        "127.0.0.1.rebound.example",
        "localhost.",
        "127.0.0.1:x",
    ):
        for path in ("/", PIPELINE, "/static/js/main.js"):
            assert client.problem(path, Host=name)["status"] == 421, name


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://other.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_pages_of_other_sites_read_nothing(client: Client, operations: FakeOperations, headers: dict[str, str]) -> None:
    assert client.problem(PIPELINE, **headers)["status"] == 403
    assert not operations.asked


def test_its_own_page_reads(client: Client) -> None:
    status, sent, _ = client.ask(PIPELINE, Origin=f"http://{client.host}", Sec_Fetch_Site="same-origin")
    assert (status, sent["Access-Control-Allow-Origin"]) == (200, None)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_written(client: Client, operations: FakeOperations, method: str) -> None:
    status, sent, _ = client.ask(PIPELINE, method)
    assert (status, sent["Allow"]) == (405, "GET, HEAD")
    assert not operations.asked


@pytest.mark.parametrize("path", ["/", "/static/js/main.js", PIPELINE, "/nowhere", "/api/nothing", "/api/standing"])
def test_every_answer_keeps_scripts_of_others_out(client: Client, path: str) -> None:
    status, sent, _ = client.ask(path)
    assert (status == 500) == (path == "/api/standing"), "the stand-in fails without a kind, as by a fault of ours"
    policy = dict(part.strip().split(" ", 1) for part in sent["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert (sent["X-Content-Type-Options"], sent["Cross-Origin-Resource-Policy"]) == ("nosniff", "same-origin")


def test_files_are_asked_for_again_and_sent_once(client: Client) -> None:
    status, sent, page = client.ask("/")
    assert (status, sent["Content-Type"], sent["Cache-Control"]) == (200, "text/html; charset=utf-8", "no-cache")
    assert b"{" not in page, "every placeholder is filled"
    assert client.ask("/", If_None_Match=sent["ETag"])[::2] == (304, b"")
    assert client.ask("/", If_None_Match='"another"')[0] == 200


def test_the_script_of_the_charts_is_kept_under_its_version(client: Client) -> None:
    address = client.ask("/")[2].decode().split('name="charts" content="')[1].split('"')[0]
    _, sent, script = client.ask(address)
    assert (sent["Cache-Control"], sent["Content-Type"]) == (
        "public, max-age=31536000, immutable",
        "text/javascript; charset=utf-8",
    )
    assert b"plotly.js v" in script[:60]
    assert address.endswith(f"?v={version('plotly')}")


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/static/nothing.js",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/api/nothing",
        "/api/owner",
        "/api/",
    ],
)
def test_what_is_not_there_is_a_problem_too(client: Client, path: str) -> None:
    assert client.problem(path)["status"] == 404


def test_an_invalid_parameter_is_named(client: Client) -> None:
    problem = client.problem("/api/standing?kind=ip&value=nonsense")
    assert (problem["status"], problem["parameter"], problem["detail"]) == (400, "value", "value: an IP address")
    assert client.problem("/api/owner?name=nobody")["status"] == 404


REFUSED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Query")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UnreachableError("the tally", "eu-west-1", "slow", may_pass=True), 503, "eu-west-1 cannot be read: slow"),
        (
            UnreachableError("the tally", "eu-west-1", "refused", may_pass=False),
            502,
            "eu-west-1 cannot be read: refused",
        ),
        (NoCredentialsError(), 502, "set AWS_PROFILE"),
        (REFUSED, 502, "give others with --profile"),
        (ZeroDivisionError("ours"), 500, "the terminal"),
    ],
)
def test_what_fails_says_what_to_do(
    client: Client, operations: FakeOperations, error: Exception, status: int, said: str
) -> None:
    def fail(_name: str) -> None:
        raise error

    operations.before = fail
    problem = client.problem(PIPELINE)
    assert problem["status"] == status
    assert said in problem["detail"]
    assert "ours" not in problem["detail"]


def test_several_tabs_are_one_reader(client: Client, operations: FakeOperations) -> None:
    for _ in range(3):
        client.document("/api/top?kind=ip&period=2026-11")
        client.document("/api/top?period=2026-11&kind=ip")
    assert operations.asked["top"] == 1
    client.document("/api/top?kind=ref&period=2026-11")
    assert operations.asked["top"] == 2
    CLOCK[0] += KEPT_SECONDS
    client.document("/api/top?kind=ip&period=2026-11")
    assert operations.asked["top"] == 3


def test_a_slow_table_keeps_only_those_waiting_who_asked_it(client: Client, operations: FakeOperations) -> None:
    slow, found = threading.Event(), []
    operations.before = lambda name: assert_set(slow) if name == "top" else None
    ask = lambda: found.append(client.document("/api/top?kind=ip&period=2026-11"))  # noqa: E731 - it is a thread's
    tabs = [threading.Thread(target=ask) for _ in range(3)]
    for tab in tabs:
        tab.start()
    assert client.document(PIPELINE)["writers"]
    assert client.ask("/")[0] == 200
    assert not found
    slow.set()
    for tab in tabs:
        tab.join(10)
    assert (len(found), operations.asked["top"]) == (3, 1), "they wait for one reading"


def assert_set(event: threading.Event) -> None:
    assert event.wait(10)


def test_who_waits_too_long_is_told_and_finds_the_answer_later(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = threading.Event()
    read = 0

    def slowly() -> str:
        nonlocal read
        read += 1
        assert_set(ready)
        return "at last"

    async def ask() -> str:
        answers = Answers(lambda: 0.0)
        monkeypatch.setattr(answering, "ANSWER_SECONDS", 0.01)
        with pytest.raises(SlowAnswerError):
            await answers.get("slow", slowly)
        monkeypatch.setattr(answering, "ANSWER_SECONDS", 10)
        ready.set()
        found: str = await answers.get("slow", slowly)
        return found

    assert asyncio.run(ask()) == "at last"
    assert read == 1


def test_what_nobody_asks_for_any_more_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "MOST_KEPT", 10)

    async def ask() -> int:
        at = 0.0
        answers = Answers(lambda: at)
        for number in range(100):
            at += KEPT_SECONDS / 4
            await answers.get(number, lambda: None)
        return len(answers._answers)

    assert asyncio.run(ask()) <= 10


def test_it_listens_on_this_machine_only_and_says_when_a_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} is taken"):
            listen(port)
        monkeypatch.setattr(serving_module, "DEFAULT_PORT", port)
        with listen(None) as other:
            assert other.getsockname()[0] == "127.0.0.1"
            assert other.getsockname()[1] != port, "a bookmark is less than a page"
    with listen(None) as usual:
        assert usual.getsockname()[1] == port


def test_it_ends_while_a_table_does_not_answer() -> None:
    operations, never, before = FakeOperations(), threading.Event(), threading.active_count()
    operations.before = lambda _name: assert_set(never)
    with served(operations) as url:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        waiting = socket.create_connection((host, port or 0), timeout=10)
        waiting.sendall(f"GET {PIPELINE} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert Client(url).ask("/")[0] == 200
    waiting.close()
    assert threading.active_count() == before + 1, "only what waits for the table is left, and holds nobody up"
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "reading"] == [True]
    never.set()
