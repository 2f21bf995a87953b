"""The hottest key: how often the same one was met within one interval."""

from collections import defaultdict


class Hottest:
    """Counts by key and interval, of which only the largest is kept."""

    def __init__(self, interval_ms: int) -> None:
        self._interval_ms = interval_ms
        self._interval = -1
        self._times: defaultdict[str, int] = defaultdict(int)
        self.key = ""
        self.times = 0

    def add(self, key: str, at_ms: int, times: int = 1) -> None:
        """`key` was met so many times more. Time never goes back."""
        interval = at_ms // self._interval_ms
        if interval != self._interval:
            self._interval = interval
            self._times.clear()
        met = self._times[key] = self._times[key] + times
        if met > self.times:
            self.key, self.times = key, met
