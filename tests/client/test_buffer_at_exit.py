"""What a buffer sends when its program ends: everything, unless the process dies at once."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import signal, sys
from tallygate.client import TallygateClient

buffer = TallygateClient(sys.argv[1], "tg_prod_x").counters.buffer(seconds=3600)
for _ in range(7):
    buffer.add("orders")
"""


class Received(ThreadingHTTPServer):
    """Takes increments and remembers them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.increments: list[dict[str, int]] = []


class _Take(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Received)
        self.server.increments.append(json.loads(body)["increments"])
        self.send_response(202)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Received]:
    with Received() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("end", "code", "arrives"),
    [
        ("", 0, True),
        ("sys.exit(3)", 3, True),
        ("raise RuntimeError", 1, True),
        ("signal.raise_signal(signal.SIGINT)", -signal.SIGINT, True),
        (
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); signal.raise_signal(signal.SIGTERM)",
            0,
            True,
        ),
        ("signal.raise_signal(signal.SIGTERM)", -signal.SIGTERM, False),
        ("signal.raise_signal(signal.SIGKILL)", -signal.SIGKILL, False),
    ],
)
def test_what_is_left_is_sent_unless_the_process_dies_at_once(
    service: Received, end: str, code: int, arrives: bool
) -> None:
    url = f"http://127.0.0.1:{service.server_port}"
    done = subprocess.run(
        [sys.executable, "-c", f"{PROGRAM}\n{end}\n", url], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    assert service.increments == ([{"orders": 7}] if arrives else [])
