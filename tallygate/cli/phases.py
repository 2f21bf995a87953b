"""What is being done, and how long each part took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from tallygate.local.world import Phase


class Phases:
    """Reports phases line by line as they end, with a spinner for those under way when a terminal is looking."""

    def __init__(self, console: Console) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console
        self._running: list[str] = []
        self._status = console.status("") if console.is_terminal else None

    def __call__(self, phase: Phase) -> None:
        """A phase begins, or has ended: what World.start reports."""
        if phase.seconds is None:
            self._running.append(phase.name)
        else:
            self._running.remove(phase.name)
            self.seconds[phase.name] = round(phase.seconds, 2)
            self._console.print(f"  {phase.name:<12}{phase.seconds:6.1f} s")
        self._show()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """A phase of one's own."""
        begun = time.monotonic()
        self(Phase(name))
        try:
            yield
        except BaseException:
            self._running.remove(name)
            self._show()
            raise
        self(Phase(name, time.monotonic() - begun))

    @contextmanager
    def counted(self, name: str, total: int) -> Iterator[Callable[[], None]]:
        """A phase of `total` steps, with a bar on a terminal."""
        begun = time.monotonic()
        if not self._console.is_terminal:
            self._console.print(f"  {name} {total:,} …")
        columns = SpinnerColumn(), TextColumn(f"{name:<10}"), BarColumn(), MofNCompleteColumn()
        rate = TextColumn("{task.fields[rate]}"), TimeRemainingColumn()
        progress = Progress(
            *columns, *rate, console=self._console, transient=True, disable=not self._console.is_terminal
        )
        with progress:
            yield _Count(progress, total).step
        self.seconds[name] = round(time.monotonic() - begun, 2)
        self._console.print(f"  {name:<12}{self.seconds[name]:6.1f} s")

    def stop(self) -> None:
        """Take the spinner away, whatever is still under way."""
        self._running.clear()
        self._show()

    def _show(self) -> None:
        if self._status is None:
            return
        if self._running:
            self._status.update(f"{', '.join(self._running)} …")
            self._status.start()
        else:
            self._status.stop()


class _Count:
    """The steps of a phase."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._begun = time.monotonic()
        self._task = progress.add_task("", total=total, rate="")
        self._done = 0

    def step(self) -> None:
        self._done += 1
        rate = self._done / max(time.monotonic() - self._begun, 1e-9)
        self._progress.update(self._task, completed=self._done, rate=f"{rate:.0f}/s")
