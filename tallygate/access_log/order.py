"""Putting a log into the order of its times, as it is read.

A server writes a line when the request has ended, several processes write at once, and files are joined: lines come
late by seconds to minutes. Entries are held back for a window of log time; what comes later than that keeps its place.
"""

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final

from tallygate.access_log.entry import Entry

WINDOW_MS: Final = 300_000
MOST_HELD: Final = 100_000
"""About 50 MB. A busier log has a shorter window."""
WITNESSES: Final = 3
"""Time moves on when so many lines in a row say so: one with a broken clock must not make all others late."""


class InOrder:
    """Hands entries on in the order of `at_ms`, which never goes back. An entry that comes too late for that is handed
    on at once with the time that it is by then, and counted."""

    def __init__(self, window_ms: int = WINDOW_MS, most_held: int = MOST_HELD) -> None:
        self.late = 0
        self.latest_ms = 0
        """By how much the latest one was late for its place."""
        self._window_ms = window_ms
        self._most_held = most_held
        self._held: list[tuple[int, int, Entry]] = []
        self._count = 0
        self._last_ms: deque[int] = deque(maxlen=WITNESSES)
        self._newest_ms = self._clock_ms = 0

    def put(self, entry: Entry) -> Iterator[Entry]:
        """Hold `entry` back, and hand on what is due."""
        self._count += 1
        if entry.at_ms < self._clock_ms:
            self.late += 1
            self.latest_ms = max(self.latest_ms, self._clock_ms - entry.at_ms)
            yield entry._replace(at_ms=self._clock_ms)
            return
        heappush(self._held, (entry.at_ms, self._count, entry))
        self._last_ms.append(entry.at_ms)
        if len(self._last_ms) == WITNESSES:
            self._newest_ms = max(self._newest_ms, min(self._last_ms))
        due_ms = self._newest_ms - self._window_ms
        while self._held and (self._held[0][0] <= due_ms or len(self._held) > self._most_held):
            yield self._take()

    def rest(self) -> Iterator[Entry]:
        """Hand on all that is still held."""
        while self._held:
            yield self._take()

    def _take(self) -> Entry:
        self._clock_ms, _, entry = heappop(self._held)
        return entry
