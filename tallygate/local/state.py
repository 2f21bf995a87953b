"""The file in which a running world can be found: `.tallygate/world.json`."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tallygate.local.errors import WorldError

FILE: Final = "world.json"


@dataclass(frozen=True, slots=True)
class State:
    """`api_ids` is empty while the world is being built. `notes` are the callers' own, e.g. the demo keys."""

    pid: int
    port: int
    instance: str
    log_path: str
    scratch: str
    config_path: str
    api_ids: Mapping[str, str] = field(default_factory=dict)
    ops_api_id: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def only_start_in(directory: Path) -> Iterator[None]:
    """Nobody else starts a world in `directory` meanwhile; WorldError when somebody does. The lock is on the directory
    itself and ends with the process, so nothing stays of one that was killed."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorldError(f"another process is starting a local world in {directory}") from None
        yield
    finally:
        os.close(descriptor)


def read_state(directory: Path) -> State | None:
    """The state in `directory`, of a world that may have died since; None when there is none."""
    try:
        return State(**json.loads((directory / FILE).read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise WorldError(f"{directory / FILE} cannot be read ({error}): remove it") from None


def write_state(directory: Path, state: State) -> None:
    """Replaces the file in one step; only its owner may read it, since notes hold keys."""
    unfinished = directory / f"{FILE}.{os.getpid()}"
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(state), file, indent=2)
        unfinished.replace(directory / FILE)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def forget_state(directory: Path, instance: str) -> None:
    """Removes the file, unless it is of another world by now."""
    with suppress(FileNotFoundError):
        state = read_state(directory)
        if state is not None and state.instance == instance:
            (directory / FILE).unlink()
