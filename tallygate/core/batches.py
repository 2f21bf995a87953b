"""What writers left behind of the batches that they counted: how late calls were, for people who look."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tallygate.core.periods import MINUTE_MS, SECOND_MS

MAX_BATCHES: Final = 60
"""Of a writer that are looked at: five minutes of flushes of 5 s."""
RATE_OVER_MS: Final = MINUTE_MS


class CountedBatch(NamedTuple):
    """One batch of a writer, up to the record `last`: lines, the mean time of their calls, their mean delay until they
    arrived, when they were counted, and rows that were published."""

    last: int
    counted_ms: int
    lines: int
    called_ms: int
    arrival_ms: int
    published: int

    @property
    def delay_ms(self) -> int:
        """Mean time from a call to the end of counting it."""
        return max(0, self.counted_ms - self.called_ms)


def lines_per_second(batches: Sequence[CountedBatch], now_ms: int) -> float:
    """Lines counted in the last minute; where all of `batches`, the last MAX_BATCHES of a writer in order, were, since
    the first of them."""
    recent = [batch for batch in batches if batch.counted_ms > now_ms - RATE_OVER_MS]
    if len(recent) < MAX_BATCHES:
        return sum(batch.lines for batch in recent) * SECOND_MS / RATE_OVER_MS
    return sum(batch.lines for batch in recent[1:]) * SECOND_MS / max(SECOND_MS, now_ms - recent[0].counted_ms)
