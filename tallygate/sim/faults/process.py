"""A process in which faults happen: each call of a store may be refused, may be applied and not answered, may be the
last of the process, or may find it standing still."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from tallygate.core.tally import StoreError
from tallygate.sim.faults.schedule import Fault


class Died(BaseException):
    """The process is gone. Not an Exception: no code of a dead process runs on."""


class Process:
    """Runs work whose calls of stores go through `call`, where the faults of a turn happen."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.standing = False
        self._faults: dict[int, Fault] = {}
        self._calls = 0
        self._go_on = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._failed: BaseException | None = None

    def run(self, work: Callable[[], object], faults: Sequence[Fault]) -> bool:
        """Do some work; whether it said that all was done. While it stands still it has said nothing."""
        self._faults = {fault.call: fault for fault in faults}
        self._calls = 0
        if not any(fault.kind == "paused" for fault in faults):
            return self._done(work)
        answer: list[bool] = []

        def in_its_own_time() -> None:
            try:
                answer.append(self._done(work))
            except BaseException as error:  # noqa: BLE001 - brought to whoever waits
                self._failed = error
            self.standing = False
            self._stopped.release()

        threading.Thread(target=in_its_own_time, daemon=True).start()
        self._wait()
        return bool(answer) and answer[0]

    def wake(self) -> None:
        """Let a process that stands still go on, to its end or to its next stand."""
        self._go_on.release()
        self._wait()

    def call(self, method: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """A call of a store, with the fault that is due."""
        fault = self._faults.get(self._calls)
        self._calls += 1
        if fault is None:
            return method(*arguments)
        self.happened.append(fault.kind)
        match fault.kind:
            case "throttled":
                raise StoreError("throttled")
            case "crash before":
                raise Died
            case "answer lost":
                method(*arguments)
                raise StoreError("timed out")
            case "crash after":
                method(*arguments)
                raise Died
            case "paused":
                self.standing = True
                self._stopped.release()
                self._go_on.acquire()
                self.standing = False
                return method(*arguments)

    def _wait(self) -> None:
        self._stopped.acquire()
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed

    def _done(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except StoreError:
            return False
        return True


class Calls:
    """A store whose methods go through `call`."""

    def __init__(self, store: object, call: Callable[[Callable[..., Any], tuple[Any, ...]], Any]) -> None:
        self._store = store
        self._call = call

    def __getattr__(self, name: str) -> Any:
        method, call = getattr(self._store, name), self._call
        through = lambda *arguments: call(method, arguments)  # noqa: E731 - kept as the attribute, so made once
        setattr(self, name, through)
        return through
