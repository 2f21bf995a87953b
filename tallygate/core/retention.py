"""How long counts are kept, and so how far back a caller's history goes."""

from dataclasses import dataclass
from typing import Final

from tallygate.core.names import Kind
from tallygate.core.periods import window_bounds_ms
from tallygate.core.plans import Window

HOUR_SECONDS: Final = 3600
DAY_SECONDS: Final = 24 * HOUR_SECONDS
BEYOND_STREAM_SECONDS: Final = 8 * DAY_SECONDS
"""How long an item of the tally outlives its period and the stream's retention: a call may arrive 7 days late."""


@dataclass(frozen=True, slots=True)
class Retention:
    """`stream_hours`: what the stream keeps; no replay of it may meet an item whose watermark is gone. `history_days`:
    how long the months of keys are kept. Those of addresses and sites are about people who signed up for nothing."""

    stream_hours: int
    history_days: int

    @property
    def items_seconds(self) -> int:
        """How long an item outlives its period."""
        return self.stream_hours * HOUR_SECONDS + BEYOND_STREAM_SECONDS

    @property
    def keys_seconds(self) -> int:
        """How long a key's item of a month outlives it."""
        return max(self.items_seconds, self.history_days * DAY_SECONDS)

    def kept_from_ms(self, kind: Kind, window: Window, now_ms: int) -> int:
        """Since when the counts of all windows of this length are kept. Days are those of their month."""
        seconds = self.keys_seconds if kind == "key" and window != "hour" else self.items_seconds
        return window_bounds_ms("hour" if window == "hour" else "month", now_ms - seconds * 1000)[0]
