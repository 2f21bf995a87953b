"""Exact counts of a caller, by calendar window: what a limiter would know that counts at once and everywhere."""

from typing import Final

from tallygate.core.periods import window_bounds_ms
from tallygate.core.plans import WINDOWS, Limit
from tallygate.sim.replay.callers import Record

CALLS: Final = 0
REFUSED: Final = 1
"""Calls that this caller's own limits refused; those below are parts of the whole log, too."""
EXACTLY_REFUSED: Final = 2
"""The same, had counts been exact."""
FIRST_MS: Final = 3
"""When the first was refused; 0 while none was."""
OVER: Final = 4
"""Calls let through although the caller had used up a quota."""
EARLY: Final = 5
"""Calls refused although the caller had not."""
BURSTS: Final = 6
"""Calls refused since too many came within a second."""
HEAD_FIELDS: Final = 7

OFFERED_FIELDS: Final = 3
"""Of each window: its start, the calls in it, and those in the busiest. Calls are counted in every window, whatever the
plan says, to show what other quotas would do."""
GAUGE_FIELDS: Final = 6


class Calendar:
    """Where the current windows begin, in the order of WINDOWS. Time never goes back."""

    def __init__(self) -> None:
        self.starts_ms = [-1] * len(WINDOWS)
        self.ends_ms = [-1] * len(WINDOWS)
        self.before_ms = [-1] * len(WINDOWS)
        """Where the windows before them began."""

    def advance(self, at_ms: int) -> None:
        if at_ms >= self.ends_ms[0]:
            for place, window in enumerate(WINDOWS):
                self.starts_ms[place], self.ends_ms[place] = start_ms, _ = window_bounds_ms(window, at_ms)
                self.before_ms[place] = window_bounds_ms(window, start_ms - 1)[0]


class Gauge:
    """What a caller used of one limit: counted exactly, and as they were let through by delayed counts. Its numbers in
    a record are named by their places."""

    def __init__(self, limit: Limit, place: int, calendar: Calendar) -> None:
        self.limit = limit
        self.quota = limit.quota
        self.window = WINDOWS.index(limit.window)
        self.start = HEAD_FIELDS + OFFERED_FIELDS * len(WINDOWS) + GAUGE_FIELDS * place
        self.exact = self.start + 1
        self.delayed = self.start + 2
        self.exact_before = self.start + 3
        self.delayed_before = self.start + 4
        self.refused = self.start + 5
        self._calendar = calendar

    def turn(self, record: Record) -> None:
        """Begin at zero when another window has begun."""
        start_ms = self._calendar.starts_ms[self.window]
        if record[self.start] != start_ms:
            is_next = record[self.start] == self._calendar.before_ms[self.window]
            record[self.exact_before] = record[self.exact] if is_next else 0
            record[self.delayed_before] = record[self.delayed] if is_next else 0
            record[self.start] = start_ms
            record[self.exact] = record[self.delayed] = 0

    def used_exactly(self, record: Record, at_ms: int) -> int:
        """Units used by exact counts; of a rolling limit, with what the window before still weighs."""
        used = record[self.exact]
        return used + self._weight(record[self.exact_before], at_ms) if self.limit.rolling else used

    def used(self, record: Record, at_ms: int) -> int:
        """Units that were let through, in the same way."""
        used = record[self.delayed]
        return used + self._weight(record[self.delayed_before], at_ms) if self.limit.rolling else used

    def _weight(self, before: int, at_ms: int) -> int:
        start_ms, end_ms = self._calendar.starts_ms[self.window], self._calendar.ends_ms[self.window]
        return before * (end_ms - at_ms) // (end_ms - start_ms)


def fields(limits: int) -> int:
    """How many numbers the record of a caller with so many limits has."""
    return HEAD_FIELDS + OFFERED_FIELDS * len(WINDOWS) + GAUGE_FIELDS * limits
