"""The command itself, in processes of its own: a world comes up, is worked against and goes; the demo ends as it
should."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tallygate.core.keys import key_id
from tallygate.local.world import World

TALLYGATE = Path(sys.executable).with_name("tallygate")


class Command:
    """Runs `tallygate` with a world of its own in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TALLYGATE_"))}
        self.environment = ours | {"TALLYGATE_WORLD": str(directory), "COLUMNS": "120"}

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [TALLYGATE, *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )

    def json(self, *arguments: str) -> Any:
        completed = self.run(*arguments, "--json")
        assert completed.returncode == 0, completed.stderr
        return json.loads(completed.stdout)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """It hears a hang-up although whoever runs the tests may not (nohup), which children inherit."""
        hang_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        try:
            return subprocess.Popen(
                [TALLYGATE, *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        finally:
            signal.signal(signal.SIGHUP, hang_up)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path)
    yield command
    command.run("down")


def call(url: str, **headers: str) -> tuple[int, Any]:
    """The status and document that an API answers."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=30)
    try:
        connection.request("GET", parts.path, headers={"host": parts.netloc} | headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_a_world_comes_up_is_worked_against_and_goes(command: Command) -> None:
    up = command.run("up")
    assert up.returncode == 0, up.stderr
    assert "Ready after" in up.stdout

    again = command.run("up")
    assert again.returncode == 1
    assert "a local world is up already" in again.stderr

    endpoints = command.json("endpoints")
    assert list(endpoints["regions"]) == ["us-east-1", "eu-west-1", "ap-southeast-2"]
    assert endpoints["aws"].startswith("http://127.0.0.1:")

    made = command.json("keys", "create", "--owner", "me", "--plan", "trial")
    for url in endpoints["regions"].values():
        status, seen = call(f"{url}/v1/whoami", **{"x-api-key": made["secret"], "x-forwarded-for": "2001:db8::7"})
        assert (status, seen["key"], seen["ip"]) == (200, key_id(made["secret"]), "2001:db8::/64")
    World.attach(command.directory).wait_until_caught_up()
    assert command.json("usage", "show", "key", made["secret"])["charged"] == 3
    by_address = command.json("usage", "show", "ip", "2001:db8::1")
    assert (by_address["admitted"], by_address["charged"], by_address["denied"]) == (3, 0, 0)

    year = ("--from", f"{time.gmtime().tm_year}-01-01")
    history = command.json("usage", "history", "key", made["secret"], *year, "--granularity", "month", "--no-fill")
    assert (history["value"], history["total"]["admitted"]) == (made["id"], 3)
    exported = [
        json.loads(line) for line in command.run("usage", "export", *year, "--format", "json").stdout.splitlines()
    ]
    of_key = [row for row in exported if row["kind"] == "key" and row["value"] == made["id"]]
    assert [(row["owner"], row["plan"], row["charged"]) for row in of_key] == [("me", "trial", 3)]
    assert sum(row["admitted"] for row in exported if row["kind"] == "all") == 3
    assert [writer["home"] for writer in command.json("pipeline")["writers"]] == ["us-east-1"]
    assert command.json("usage", "standing", "key", made["id"])["decision"]["allowed"]

    against_aws = Command(command.directory)
    against_aws.environment |= endpoints["environment"] | {"TALLYGATE_WORLD": "/nowhere"}
    assert against_aws.json("usage", "show", "key", made["id"])["charged"] == 3

    port = World.attach(command.directory).port
    assert is_listening(port)
    assert command.run("down").returncode == 0
    assert not is_listening(port)
    assert command.run("endpoints").returncode == 1


def test_the_demo_counts_what_it_sent(command: Command) -> None:
    demo = command.run("demo", "--limit", "120", "--json")
    document = json.loads(demo.stdout)
    assert (demo.returncode, document["matches"], document["sent"]) == (0, True, 120), demo.stderr
    assert [claim for claim in document["quotas"] if not claim["holds"]] == []
    assert command.run("endpoints").returncode == 1  # nothing stays up without a terminal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_interrupted_takes_everything_with_it(command: Command, number: signal.Signals) -> None:
    demo = command.start("demo", "--json")
    assert demo.stderr is not None
    for line in demo.stderr:
        if line.startswith("Ready"):
            break
    port = World.attach(command.directory).port
    demo.send_signal(number)
    demo.communicate(timeout=60)
    assert demo.returncode == 128 + number
    assert not is_listening(port)
    assert [path.name for path in command.directory.iterdir()] == ["emulator.log"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_start_that_is_interrupted_leaves_nothing_running(command: Command, number: signal.Signals) -> None:
    port = free_port()
    up = command.start("up", "--port", str(port))
    assert up.stdout is not None
    assert next(line for line in up.stdout if "emulator" in line)
    assert is_listening(port)
    up.send_signal(number)
    up.communicate(timeout=60)
    assert up.returncode == 128 + number
    assert not is_listening(port)
    assert [path.name for path in command.directory.iterdir()] == ["emulator.log"]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_port_that_is_taken_is_named_and_nothing_is_left(command: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        up = command.run("up", "--port", str(port))
    assert up.returncode == 1
    assert up.stderr.splitlines() == [
        f"Error: the emulator does not start: port {port} of 127.0.0.1 cannot be opened: Address already in use"
    ]
    assert [path.name for path in command.directory.iterdir()] == ["emulator.log"]
