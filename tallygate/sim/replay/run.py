"""Reading logs once, and holding their calls to plans as they come."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tallygate.access_log.entry import Entry, Skipped
from tallygate.access_log.order import InOrder
from tallygate.access_log.reading import LogFile
from tallygate.sim.replay.charging import Charging, region_of
from tallygate.sim.replay.findings import Findings, LogFindings
from tallygate.sim.replay.replay import Replay

SHOWN_UNREADABLE: Final = 5
KEYLESS_CALLS: Final = 100_000
"""After so many calls without a key, a plan for keys is given up: nobody should read gigabytes to learn that."""


class UnusableLogError(ValueError):
    """The log says nothing about the plan; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Held:
    """A plan that the log is held to, and who pays."""

    charging: Charging
    replay: Replay


class LogRun:
    """Reads `files` in the order given. `step` is called for each line."""

    def __init__(
        self,
        files: Sequence[LogFile],
        held: Sequence[Held],
        regions: Sequence[str],
        order: InOrder,
        step: Callable[[], None] = lambda: None,
    ) -> None:
        self._files = files
        self._held = held
        self._regions = regions
        self._order = order
        self._step = step
        self._lines = self._calls = self._unreadable = self._was_429 = 0
        self._first_unreadable: list[tuple[str, Skipped]] = []
        self._first_ms: int | None = None
        self._last_ms: int | None = None

    def run(self) -> None:
        """Read to the end. OSError when a file cannot be read, UnusableLogError when there is nothing in it to
        decide on."""
        for entry in self._in_order():
            self._call(entry)
        if not self._calls:
            raise UnusableLogError(self._why_nothing())
        for held in self._held:
            self._check_keys(held, 1)

    def findings(self, delays: str, window_ms: int, most_shown: int, *, is_complete: bool) -> Findings:
        """What came out so far."""
        log = LogFindings(
            names=[file.name for file in self._files],
            lines=self._lines,
            calls=self._calls,
            unreadable=self._unreadable,
            first_unreadable=self._first_unreadable,
            first_ms=self._first_ms,
            last_ms=self._last_ms,
            window_ms=window_ms,
            late=self._order.late,
            latest_ms=self._order.latest_ms,
            was_429=self._was_429,
        )
        plans = [held.replay.findings(most_shown) for held in self._held]
        return Findings(log, delays, self._regions, plans, is_complete)

    def _in_order(self) -> Iterator[Entry]:
        for file in self._files:
            for entry in file:
                self._lines += 1
                self._step()
                if isinstance(entry, Skipped):
                    self._unreadable += 1
                    if len(self._first_unreadable) < SHOWN_UNREADABLE:
                        self._first_unreadable.append((file.name, entry))
                else:
                    yield from self._order.put(entry)
        yield from self._order.rest()

    def _call(self, entry: Entry) -> None:
        at_ms = entry.at_ms
        if self._first_ms is None:
            self._first_ms = at_ms
        self._last_ms = at_ms
        self._calls += 1
        self._was_429 += entry.status == 429
        region = self._regions[0] if len(self._regions) == 1 else region_of(entry.client, self._regions)
        for held in self._held:
            charge = held.charging.charge(entry)
            if charge is None:
                held.replay.left_out += 1
                self._check_keys(held, KEYLESS_CALLS)
            else:
                held.replay.call(at_ms, region, charge)

    def _check_keys(self, held: Held, calls: int) -> None:
        """UnusableLogError when `calls` or more came, and the plan governs none of them."""
        if held.replay.left_out != self._calls or self._calls < calls:
            return
        plan = held.replay.plan.name
        if held.charging.keyed:
            raise UnusableLogError(
                f"plan {plan} is for keys, and none of the {self._calls:,} calls read names one: --field key=… says "
                "where they are in JSON lines, --per ip lets each address stand for a key"
            )
        if calls == 1:
            raise UnusableLogError(f"every call of the log names a key or a user: plan {plan} governs none of them")

    def _why_nothing(self) -> str:
        names = ", ".join(file.name for file in self._files)
        if not self._lines:
            return f"{names}: there are no lines"
        reasons = [f"  line {line.number}: {line.reason}: {line.text}" for _, line in self._first_unreadable]
        if self._unreadable > len(reasons):
            reasons.append(f"  … and {self._unreadable - len(reasons):,} more")
        return "\n".join([f"{names}: none of {self._lines:,} lines can be read", *reasons])
