import os
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tallygate.local.errors import WorldError
from tallygate.local.process import start_emulator
from tallygate.local.state import State, forget_state, only_start_in, read_state, write_state
from tallygate.local.world import PROJECT, World

STATE = State(1, 4566, "0123456789abcdef", "emulator.log", "scratch", "tallygate.toml", {"eu-west-1": "abc"}, {"k": 1})


def test_a_state_is_read_as_it_was_written_and_for_its_owner_alone(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    assert read_state(tmp_path) == STATE
    assert stat.S_IMODE((tmp_path / "world.json").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["world.json"]


def test_a_state_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    with pytest.raises(TypeError):
        write_state(tmp_path, replace(STATE, notes={"k": object()}))
    assert read_state(tmp_path) == STATE
    assert os.listdir(tmp_path) == ["world.json"]


def test_no_state_is_no_error_and_a_broken_one_is(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None
    (tmp_path / "world.json").write_text("{}")
    with pytest.raises(WorldError, match=r"world\.json cannot be read .*: remove it"):
        read_state(tmp_path)


def test_only_the_world_that_wrote_it_forgets_it(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    forget_state(tmp_path, "another")
    assert read_state(tmp_path) == STATE
    forget_state(tmp_path, STATE.instance)
    forget_state(tmp_path, STATE.instance)
    assert read_state(tmp_path) is None


def test_nothing_to_attach_to(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="no local world is up"):
        World.attach(tmp_path)
    write_state(tmp_path, STATE)
    with pytest.raises(WorldError, match="no local world is up"):
        World.attach(tmp_path)


def test_a_configuration_without_a_local_stage_starts_nothing(tmp_path: Path) -> None:
    config = tmp_path / "tallygate.toml"
    config.write_text((PROJECT / "tallygate.toml").read_text().replace('["local", "prod"]', '["prod"]'))
    with pytest.raises(WorldError, match=r'tallygate\.toml: service\.stages: without "local", there is no local world'):
        World.start(config, directory=tmp_path / "world")
    assert not (tmp_path / "world").exists()


def test_two_starts_at_once_are_one(tmp_path: Path) -> None:
    with (
        only_start_in(tmp_path),
        pytest.raises(WorldError, match=f"another process is starting a local world in {tmp_path}"),
    ):
        World.start(directory=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_start_that_was_killed_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "scratch-1" / "state").mkdir(parents=True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(WorldError, match="cannot be opened"):
            World.start(port=taken.getsockname()[1], directory=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["emulator.log"]


def test_a_second_world_in_one_directory_names_the_first(tmp_path: Path) -> None:
    emulator = start_emulator(None, tmp_path / "emulator.log", tmp_path / "scratch")
    try:
        write_state(
            tmp_path,
            State(emulator.pid, emulator.port, emulator.instance, str(emulator.log_path), "scratch", "tallygate.toml"),
        )
        with pytest.raises(WorldError, match=rf"up already \(process {emulator.pid}, port {emulator.port}\)"):
            World.start(directory=tmp_path)
    finally:
        emulator.stop()
