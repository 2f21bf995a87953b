"""`tallygate dashboard`: it says where the page is, or what stands in the way, and ends when it is told to."""

import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from test_operators import CONFIG

from tallygate.cli import main
from tallygate.cli.exit_codes import DONE, FAILED
from tallygate.operations.errors import UnreachableError
from tests.dashboard.fake import FakeOperations, unreachable


@pytest.fixture
def operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeOperations:
    """What the page is answered by, in a directory with a configuration; Ctrl-C is pressed as soon as it waits."""
    fake = FakeOperations()
    (tmp_path / "tallygate.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("tallygate.cli.operations.operations_of", lambda _target: fake)
    monkeypatch.setattr("tallygate.cli.dashboard.until_ended", press_ctrl_c)
    return fake


def press_ctrl_c() -> None:
    raise KeyboardInterrupt


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["dashboard", "--stage", "prod", *arguments])


def test_it_names_its_url_and_ends(operations: FakeOperations) -> None:
    ran = run("--no-open")
    assert ran.exit_code == DONE
    said, how, ended = ran.stdout.splitlines()
    assert said.startswith("The page is at http://127.0.0.1:")
    assert (how, ended) == ("Ctrl-C ends it.", "Ended.")
    assert operations.asked == {"usage": 1}


def test_programs_are_told_in_one_document(operations: FakeOperations, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []

    def look() -> None:
        found.append(True)
        raise KeyboardInterrupt

    monkeypatch.setattr("tallygate.cli.dashboard.until_ended", look)
    ran = run("--json")
    document = json.loads(ran.stdout)
    assert (ran.exit_code, document["stage"], found) == (DONE, "prod", [True])
    assert urlsplit(document["url"]).hostname == "127.0.0.1"


def test_a_port_that_is_taken_is_named(operations: FakeOperations) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ran = run("--port", port)
    assert (ran.exit_code, ran.stderr) == (
        FAILED,
        f"Error: port {port} is taken: give another with --port, or leave it out for one that is free\n",
    )
    assert not operations.asked


def test_tables_that_may_not_be_read_are_said_at_once(operations: FakeOperations) -> None:
    def refuse(_name: str) -> None:
        raise UnreachableError("the tally", "us-east-1", "AccessDeniedException", may_pass=False)

    operations.before = refuse
    ran = run("--no-open")
    assert (ran.exit_code, ran.stdout) == (FAILED, "")
    assert "the tally in us-east-1 cannot be read: AccessDeniedException" in ran.stderr


def test_a_home_that_is_down_keeps_nobody_from_looking_at_the_others(operations: FakeOperations) -> None:
    operations.before = unreachable
    ran = run("--no-open")
    assert ran.exit_code == DONE
    assert "For now, the tally in eu-west-1 cannot be read" in ran.stdout
    assert "The page is at" in ran.stdout


@pytest.mark.parametrize(("wants", "opens"), [("--open", True), ("--no-open", False), (None, False)])
def test_a_browser_is_opened_where_one_is_wanted(
    operations: FakeOperations, monkeypatch: pytest.MonkeyPatch, wants: str | None, *, opens: bool
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)))
    ran = run(*([wants] if wants else []))
    assert bool(opened) == opens, "nobody looks at what is no terminal"
    assert ("No browser can be opened from here." in ran.stdout) == opens


def test_there_is_no_world() -> None:
    ran = CliRunner(env={"TALLYGATE_WORLD": "/nowhere"}).invoke(main, ["dashboard"])
    assert (ran.exit_code, ran.stderr) == (FAILED, "Error: no local world is up: `tallygate up` starts one\n")
