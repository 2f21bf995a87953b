"""What is shown to be tried while the demo stays up works from anywhere, for this world."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from tallygate.cli.demo import stay_up

ENDPOINT = SimpleNamespace(url="http://abc.execute-api.localhost:4566")
PAGE = "http://127.0.0.1:8460/"
KEY = {"secret": "tg_local_secret", "plan": "trial", "id": "0123456789abcdef"}


def tries(capsys: pytest.CaptureFixture[str], keys: list[dict[str, str]]) -> list[str]:
    """The commands, while a world that ends at once is up."""
    world = SimpleNamespace(
        endpoints={"us-east-1": ENDPOINT},
        ops_endpoint=ENDPOINT,
        notes={"demo_keys": keys},
        aws=SimpleNamespace(endpoint="http://127.0.0.1:4566"),
        is_running=lambda: False,
    )
    stay_up(cast("Any", world), Console(width=40), PAGE)
    shown = capsys.readouterr().out
    assert PAGE in shown
    return [line.strip() for line in shown.split("another terminal")[1].splitlines() if line.startswith("  ")]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Started as `venv/bin/tallygate`, which is not on PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["a venv/bin/tallygate"])
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("TALLYGATE_WORLD", raising=False)
    return tmp_path


def test_a_command_that_is_not_on_path_is_shown_with_its_whole_path(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"'{elsewhere}/a venv/bin/tallygate' usage top ip" in tries(capsys, [KEY])


def test_another_world_is_named_with_its_whole_path(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = elsewhere / "bin" / "tallygate"
    command.parent.mkdir()
    command.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(command)])
    monkeypatch.setenv("PATH", str(command.parent))
    assert "tallygate usage top ip" in tries(capsys, [KEY])
    monkeypatch.setenv("TALLYGATE_WORLD", "second")
    assert f"TALLYGATE_WORLD={elsewhere}/second tallygate usage show key tg_local_secret" in tries(capsys, [KEY])


def test_without_plans_for_keys_nothing_with_a_key_is_shown(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [line for line in tries(capsys, []) if KEY["secret"] in line or "keys create" in line] == []
