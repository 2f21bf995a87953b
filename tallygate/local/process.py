"""Starting and ending the emulator's process."""

import http.client
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tallygate.local.errors import WorldError

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 8.0
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Nothing else of the user's environment reaches the emulator or the functions: settings of AWS or of ministack would
change what they do, a proxy would see their calls."""
STAY: Final = "stay\n"
"""What the emulator is told on its standard input to outlive its parent."""


@dataclass(slots=True)
class Emulator:
    """A running emulator, started here or found again through the state file."""

    pid: int
    port: int
    instance: str
    log_path: Path
    scratch: Path
    _child: "subprocess.Popen[str] | None" = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, timeout_seconds: float = 30, document: Any = None) -> Any:
        """The answer of one of the emulator's own routes (`/_tallygate/…`), to which `document` is sent as JSON;
        WorldError when it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)
        try:
            connection.request(method, path, None if document is None else json.dumps(document))
            return json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise WorldError(
                f"the emulator on port {self.port} does not answer ({error}); see {self.log_path}"
            ) from None
        finally:
            connection.close()

    def is_running(self) -> bool:
        """Whether the process lives and is the one that was started, not another with its pid."""
        if self._child is not None:
            return self._child.poll() is None
        return self.instance in _command_line(self.pid)

    def let_go(self) -> None:
        """It stays when this process ends, which it would not have done before."""
        if self._child is not None and self._child.stdin is not None:
            with suppress(BrokenPipeError):  # it has died; whoever needs it will see
                self._child.stdin.write(STAY)
                self._child.stdin.close()

    def stop(self) -> None:
        """Ends the emulator and its workers, whatever state they are in. Nothing happens when it has ended already."""
        if not self.is_running():
            return
        with suppress(ProcessLookupError):  # it ended this moment
            os.kill(self.pid, signal.SIGTERM)
        if not self._ends_within(STOP_SECONDS):
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # it leads a process group, which the workers are in
            self._ends_within(STOP_SECONDS)
        if self._child is not None:
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    pipe.close()

    def _ends_within(self, seconds: float) -> bool:
        if self._child is not None:
            try:
                self._child.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                return False
            return True
        deadline = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def start_emulator(port: int | None, log_path: Path, scratch: Path) -> Emulator:
    """Starts the emulator on 127.0.0.1 and waits until it serves. `port` None chooses a free one. It ends with this
    process, however that ends, until it is let go. Its output goes to `log_path`, its temporary files to `scratch`.
    WorldError says why it does not start."""
    instance = secrets.token_hex(8)
    scratch.mkdir(parents=True, exist_ok=True)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tallygate.local.emulator", "--port", str(port or 0), "--instance", instance]
    with log_path.open("w") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # its end is how the emulator knows that we are gone
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=_environment(scratch),
            start_new_session=True,  # Ctrl-C is ours to handle, and its workers can be ended as a group
        )
    emulator = Emulator(child.pid, port or 0, instance, log_path, scratch, child)
    try:
        told = _first_line(child)
        if "error" in told:
            raise WorldError(f"the emulator does not start: {told['error']}")
        if "ready" not in told:
            raise WorldError(f"the emulator does not start{_last_line(log_path)}; see {log_path}")
    except BaseException:
        emulator.stop()
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    emulator.port = int(told["ready"]["port"])
    return emulator


def _environment(scratch: Path) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        "TMPDIR": str(scratch.resolve()),
        "STATE_DIR": str(scratch.resolve() / "state"),  # ministack keeps a key there, by default outside
        "PYTHONSAFEPATH": "1",  # no module of the directory that the user is in stands in for one of ours
        "PYTHONUTF8": "1",
        "PYTHONNOUSERSITE": "1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _first_line(child: "subprocess.Popen[str]") -> dict[str, Any]:
    """The first line that the emulator prints, parsed; empty when it ends or is silent for too long."""
    assert child.stdout is not None
    if not select.select([child.stdout], [], [], START_SECONDS)[0]:
        return {}
    try:
        told = json.loads(child.stdout.readline())
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _last_line(log_path: Path) -> str:
    lines = log_path.read_text(errors="replace").strip().splitlines()
    return f": {lines[-1]}" if lines else ""


def _command_line(pid: int) -> str:
    """The command line of a process, or nothing when there is none."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False).stdout
