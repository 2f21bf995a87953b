"""What a child made by fork may do with its parent's client and buffer."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BEFORE = """
import os, sys
from tallygate.client import TallygateClient

client = TallygateClient(sys.argv[1], "tg_prod_x")
"""
AFTER = """
sys.stdout.flush()
_, status = os.waitpid(child, 0)
assert status == 0
"""


class Service(ThreadingHTTPServer):
    """Remembers increments, and answers with the port that a call came from: one for each connection."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.increments: list[dict[str, int]] = []


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, Service)
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        if "increments" in asked:
            self.server.increments.append(asked["increments"])
        body = json.dumps({"number": self.client_address[1]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(service: Service, program: str) -> list[str]:
    url = f"http://127.0.0.1:{service.server_port}"
    command = [sys.executable, "-c", BEFORE + program + AFTER, url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_what_was_added_before_a_fork_counts_once(service: Service) -> None:
    told = run(
        service,
        """
buffer = client.counters.buffer(seconds=3600)
buffer.add("orders", 7)
child = os.fork()
if child == 0:
    for use in (lambda: buffer.add("orders"), buffer.flush):
        try:
            use()
        except RuntimeError as error:
            print("refused")
    sys.exit(0)  # which closes what is registered to be closed
""",
    )
    assert service.increments == [{"orders": 7}]
    assert told == ["refused", "refused"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_shares_no_connection_with_its_parent(service: Service) -> None:
    before, child, after = run(
        service,
        """
print(client.counters.next("invoice"), flush=True)
child = os.fork()
if child == 0:
    print(client.counters.next("invoice"), flush=True)
    os._exit(0)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
print(client.counters.next("invoice"))
""",
    )
    assert before == after
    assert child != before
