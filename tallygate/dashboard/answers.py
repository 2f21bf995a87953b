"""Answers for many tabs from few reads: who asks the same at about the same time gets the same answer, and a slow table
keeps nobody waiting but those who asked it."""

import asyncio
import threading
from collections.abc import Callable, Hashable
from typing import Any, Final

KEPT_SECONDS: Final = 1.5
"""Shorter than the page's time between two refreshes, so that each of a tab's own brings something new."""
ANSWER_SECONDS: Final = 30.0
"""Whoever waits longer is told so. The reading goes on, for those who ask again."""
MOST_KEPT: Final = 256


class SlowAnswerError(Exception):
    """There is no answer yet."""


class _Answer:
    """One reading, under way or done."""

    def __init__(self, task: "asyncio.Task[Any]", clock: Callable[[], float]) -> None:
        self.task = task
        self._clock = clock
        self._done_at: float | None = None
        task.add_done_callback(self._done)

    def is_good(self) -> bool:
        """Whether who asks now may have this one."""
        return self._done_at is None or self._clock() - self._done_at < KEPT_SECONDS

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._done_at = self._clock()
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain where nobody waits any more


class Answers:
    """To be used on one event loop. `clock` gives seconds, from whenever."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answers: dict[Hashable, _Answer] = {}

    async def get(self, key: Hashable, read: Callable[[], Any]) -> Any:
        """What `read` gives, or gave a moment ago under this `key`. It runs in a thread of its own. Raises what it
        raises, and SlowAnswerError."""
        answer = self._answers.get(key)
        if answer is None or not answer.is_good():
            self._forget()
            answer = self._answers[key] = _Answer(asyncio.ensure_future(_in_thread(read)), self._clock)
        try:
            return await asyncio.wait_for(asyncio.shield(answer.task), ANSWER_SECONDS)
        except TimeoutError:
            if answer.task.done():
                raise  # not ours, but of what was read
            raise SlowAnswerError from None

    def _forget(self) -> None:
        if len(self._answers) >= MOST_KEPT:
            self._answers = {key: answer for key, answer in self._answers.items() if answer.is_good()}


async def _in_thread(read: Callable[[], Any]) -> Any:
    """What `read` gives, in a thread that does not keep the process from ending: boto3 waits a minute for a table that
    does not answer."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if result.done():
            return
        if error is None:
            result.set_result(value)
        else:
            result.set_exception(error)

    def run() -> None:
        value, error = None, None
        try:
            value = read()
        except BaseException as raised:  # noqa: BLE001 - it is raised again where it is waited for
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, name="reading", daemon=True).start()
    return await result
