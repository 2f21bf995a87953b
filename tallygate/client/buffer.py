"""Increments added up in the program, and sent when there are many or some seconds have passed."""

import atexit
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from operator import index
from types import TracebackType
from typing import Final

from tallygate.core.lines import COUNTER_NAME, MAX_INCREMENTS, MAX_UNITS

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
"""Between two tries, unless `Retry-After` asks for more; each is twice the one before."""

Send = Callable[[Mapping[str, int], str], None]
"""Sends what to add, by name, under an idempotency key; raises TallygateError."""

log = logging.getLogger("tallygate.client")


class CounterBuffer:
    """Adds up increments, and sends them when `most` were made or the first is `seconds` old, in a thread of its own:
    `add` never waits, and never fails for the network's sake. What cannot be sent stays, and is tried again under one
    idempotency key: so it counts once although an answer was lost, for 24 hours.

    **What is lost**: whatever is in the buffer when the process dies at once (SIGKILL, a crash of the interpreter, no
    power): at most `most` increments, or those of `seconds`, while the service answers, and all since it stopped
    answering otherwise. `close`, the end of a `with` and the normal end of the program (by an exception or Ctrl-C,
    too) send what is left; SIGTERM ends Python without that, unless the program handles it. A child made by fork has
    no thread, and what it inherits is its parent's to send: there, `add` and `flush` raise RuntimeError and `close`
    does nothing. Make it a buffer of its own."""

    def __init__(
        self,
        send: Send,
        *,
        most: int = 1_000,
        seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if most < 1 or seconds <= 0:
            raise ValueError("a buffer holds at least one increment, for some time")
        self._send = send
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._condition = threading.Condition()
        self._sending = threading.Lock()
        self._amounts: dict[str, int] = {}
        self._additions = 0
        self._due = 0.0
        self._sealed: tuple[str, dict[str, int]] | None = None
        self._is_closed = False
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name="tallygate-counters", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def add(self, name: str, add: int = 1) -> None:
        """Add to a counter. ValueError or TypeError for what the service would never take, since it would hold up all
        that comes after it; RuntimeError once it is closed."""
        self._check_process()
        if not COUNTER_NAME.fullmatch(name):
            raise ValueError(f"not the name of a counter: {name!r}")
        add = index(add)
        if abs(add) > MAX_UNITS:
            raise ValueError(f"at most {MAX_UNITS} at a time")
        with self._condition:
            if self._is_closed:
                raise RuntimeError("the buffer is closed")
            if not self._amounts:
                self._due = self._clock() + self._seconds
                self._condition.notify()
            self._amounts[name] = self._amounts.get(name, 0) + add
            self._additions += 1
            if self._additions == self._most:
                self._condition.notify()

    @property
    def unsent(self) -> dict[str, int]:
        """What was added and is not known to have arrived."""
        with self._condition:
            amounts = dict(self._amounts)
            for name, add in (self._sealed[1] if self._sealed else {}).items():
                amounts[name] = amounts.get(name, 0) + add
            return amounts

    def flush(self) -> None:
        """Send everything now. Raises the TallygateError of the first call that fails: what was not sent stays."""
        self._check_process()
        with self._sending:
            while (sealed := self._seal()) is not None:
                key, amounts = sealed
                self._send(amounts, key)
                with self._condition:
                    self._sealed = None

    def close(self) -> None:
        """Send what is left, and stop. Raises as `flush`; called again, it tries again."""
        if self._is_inherited:
            return  # also at the child's end: the parent sends it, and the locks may be held for ever
        with self._condition:
            self._is_closed = True
            self._condition.notify()
        self._thread.join()
        self.flush()
        atexit.unregister(self.close)

    def __enter__(self) -> "CounterBuffer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _is_inherited(self) -> bool:
        return os.getpid() != self._process

    def _check_process(self) -> None:
        if self._is_inherited:
            raise RuntimeError("a buffer that was made before a fork is its parent's: make one in the child")

    def _seal(self) -> tuple[str, dict[str, int]] | None:
        """What to send next, under its key: the same until it has arrived. A part of what was added, if that is for
        more counters, or more, than one call takes."""
        with self._condition:
            if self._sealed is None and self._amounts:
                part: dict[str, int] = {}
                for name in list(self._amounts)[:MAX_INCREMENTS]:
                    whole = self._amounts.pop(name)
                    part[name] = max(-MAX_UNITS, min(MAX_UNITS, whole))
                    if whole != part[name]:
                        self._amounts[name] = whole - part[name]
                if not self._amounts:
                    self._additions = 0
                self._sealed = uuid.uuid4().hex, part
            return self._sealed

    def _run(self) -> None:
        pause = 0.0
        while self._wait(pause):
            try:
                self.flush()
                pause = 0.0
            except Exception as error:  # noqa: BLE001  # whatever it is: what was not sent stays, and this thread too
                asked: int | None = getattr(error, "retry_after_seconds", None)
                pause = max(float(asked or 0), min(LONGEST_PAUSE_SECONDS, 2 * pause or FIRST_PAUSE_SECONDS))
                log.warning("increments were not sent, and wait for %.0f s: %s", pause, error)

    def _wait(self, pause: float) -> bool:
        """Waits until there is something to send, and at least `pause`; False when the buffer is closed."""
        until = self._clock() + pause
        with self._condition:
            while not self._is_closed:
                now = self._clock()
                left: float | None = until - now
                if now >= until:
                    if self._sealed is not None or self._additions >= self._most:
                        return True
                    left = self._due - now if self._amounts else None
                    if left is not None and left <= 0:
                        return True
                self._condition.wait(left)
            return False
