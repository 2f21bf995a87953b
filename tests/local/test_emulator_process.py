"""The emulator's process: where it listens, how it says that it cannot start, and that nothing stays when it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tallygate.local.aws import LocalAws
from tallygate.local.errors import WorldError
from tallygate.local.process import Emulator, start_emulator

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc, which only Linux has")


def children_of(pid: int) -> set[int]:
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        found |= {int(child) for child in (task / "children").read_text().split()}
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not yet collected by its parent does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.fixture
def own_emulator(tmp_path: Path) -> Iterator[Emulator]:
    """An emulator that a test may end."""
    emulator = start_emulator(None, tmp_path / "emulator.log", tmp_path / "scratch")
    yield emulator
    emulator.stop()


@pytest.fixture
def with_worker(own_emulator: Emulator, function: Any) -> tuple[Emulator, set[int]]:
    """An emulator with a function's worker, and the worker's pid."""
    aws = LocalAws(own_emulator.endpoint)
    aws.client("cloudformation", "us-east-1").create_stack(
        StackName="one",
        TemplateBody=json.dumps({"Resources": {"F": function("one", "def handler(event, context): return 1")}}),
    )
    assert aws.client("lambda", "us-east-1").invoke(FunctionName="one")["Payload"].read() == b"1"
    return own_emulator, children_of(own_emulator.pid)


@needs_proc
def test_it_listens_on_loopback_and_nowhere_else(
    with_worker: tuple[Emulator, set[int]], listening: Callable[[int], set[str]]
) -> None:
    emulator, workers = with_worker
    assert listening(emulator.pid) == {f"127.0.0.1:{emulator.port}"}
    assert [listening(worker) for worker in workers] == [set()]


def test_a_taken_port_is_named_in_one_line(own_emulator: Emulator, tmp_path: Path) -> None:
    with pytest.raises(WorldError) as taken:
        start_emulator(own_emulator.port, tmp_path / "second.log", tmp_path / "second")
    assert str(taken.value) == (
        f"the emulator does not start: port {own_emulator.port} of 127.0.0.1 cannot be opened: Address already in use"
    )


def test_a_given_port_is_used(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    emulator = start_emulator(port, tmp_path / "emulator.log", tmp_path / "scratch")
    try:
        assert (emulator.port, emulator.endpoint) == (port, f"http://127.0.0.1:{port}")
        assert emulator.ask("GET", "/_tallygate/progress")["pid"] == emulator.pid
    finally:
        emulator.stop()


def test_a_port_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="port 70000 of"):
        start_emulator(70000, tmp_path / "emulator.log", tmp_path / "scratch")


def test_changed_internals_are_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child finds a ministack of another version, through a package of that name before the real one."""
    fake = tmp_path / "path" / "ministack-9.9.9.dist-info"
    fake.mkdir(parents=True)
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: ministack\nVersion: 9.9.9\n")
    monkeypatch.setattr("tallygate.local.process.PASSED_ON", ("PATH", "PYTHONPATH"))
    monkeypatch.setenv("PYTHONPATH", str(fake.parent))
    with pytest.raises(WorldError) as changed:
        start_emulator(None, tmp_path / "emulator.log", tmp_path / "scratch")
    assert str(changed.value) == (
        "the emulator does not start: the emulator's internals are not the expected ones: it is ministack 9.9.9, "
        "not 1.5.33; install the pinned version: ministack==1.5.33"
    )


def test_an_emulator_that_dies_at_its_start_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(WorldError, match=f"the emulator does not start; see {tmp_path}/emulator.log"):
        start_emulator(None, tmp_path / "emulator.log", tmp_path / "scratch")


def test_modules_where_the_user_happens_to_be_are_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "h2.py").write_text("raise RuntimeError('not the h2 that hypercorn wants')")
    monkeypatch.chdir(tmp_path)
    start_emulator(None, tmp_path / "emulator.log", tmp_path / "scratch").stop()


@needs_proc
def test_stopping_leaves_no_process(with_worker: tuple[Emulator, set[int]]) -> None:
    emulator, workers = with_worker
    emulator.stop()
    assert [pid for pid in {emulator.pid, *workers} if is_alive(pid)] == []
    emulator.stop()


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_emulator_that_is_killed_takes_its_workers_with_it(
    number: signal.Signals, with_worker: tuple[Emulator, set[int]], eventually: Any
) -> None:
    emulator, workers = with_worker
    os.kill(emulator.pid, number)
    eventually(lambda: not emulator.is_running() and not any(is_alive(worker) for worker in workers))


STARTS_AND_WAITS = """
import sys
from pathlib import Path
from tallygate.local.process import start_emulator
emulator = start_emulator(None, Path("emulator.log"), Path("scratch"))
if sys.argv[1] == "let go":
    emulator.let_go()
print(emulator.pid, emulator.port, emulator.instance, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Any]:
    """A process that starts an emulator and waits, and that emulator."""
    started: list[subprocess.Popen[str]] = []

    def start(how: str) -> tuple["subprocess.Popen[str]", Emulator]:
        command = [sys.executable, "-c", STARTS_AND_WAITS, how]
        process = subprocess.Popen(
            command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        assert process.stdout is not None
        pid, port, instance = process.stdout.readline().split()
        return process, Emulator(int(pid), int(port), instance, tmp_path / "emulator.log", tmp_path / "scratch")

    yield start
    for process in started:
        process.kill()
        process.communicate()


@needs_proc
def test_it_ends_with_a_parent_that_is_killed(parent: Any, eventually: Any) -> None:
    process, emulator = parent("attached")
    process.kill()
    eventually(lambda: not is_alive(emulator.pid))


def test_it_ends_with_a_parent_that_was_killed_before_it_was_up() -> None:
    command = [sys.executable, "-m", "tallygate.local.emulator", "--port", "0", "--instance", "orphan"]
    assert (
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False).returncode == 0
    )


@needs_proc
def test_ctrl_c_reaches_the_parent_alone(parent: Any) -> None:
    """Or the emulator would be gone before the parent could end it in order."""
    process, emulator = parent("attached")
    assert os.getpgid(emulator.pid) != os.getpgid(process.pid)


@needs_proc
def test_one_that_was_let_go_outlives_its_parent_and_can_be_stopped(parent: Any) -> None:
    process, emulator = parent("let go")
    process.kill()
    process.wait()
    assert emulator.is_running()
    assert emulator.ask("GET", "/_tallygate/progress")["pid"] == emulator.pid
    emulator.stop()
    assert not is_alive(emulator.pid)


def test_another_process_with_its_pid_is_left_alone(tmp_path: Path) -> None:
    other = Emulator(os.getpid(), 1, "0123456789abcdef", tmp_path / "emulator.log", tmp_path / "scratch")
    assert not other.is_running()
    other.stop()
