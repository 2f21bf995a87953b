"""What any quota would have done: how many calls callers make within one window, counted exactly, and from that the
quota that only so many of them would ever have met."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

SHARES_PERCENT: Final = (10.0, 1.0, 0.1, 0.0)
"""Shares of the callers that a quota may refuse; at 0 it refuses nobody."""

CURVE_POINTS: Final = 60


@dataclass(frozen=True, slots=True)
class Quota:
    """The least quota that refuses `most_percent` of the callers or fewer, and what it would have refused: callers, at
    least once in the log, and calls."""

    most_percent: float
    quota: int
    callers_refused: int
    calls_refused: int


@dataclass(slots=True)
class Spread:
    """How calls are spread over callers: `by_window` counts windows of one caller by the calls in them, `by_peak`
    callers by those in their busiest window. Both grow with the largest count, not with the callers."""

    by_window: Counter[int] = field(default_factory=Counter)
    by_peak: Counter[int] = field(default_factory=Counter)

    @property
    def callers(self) -> int:
        return self.by_peak.total()

    def callers_above(self, quota: int) -> int:
        return sum(callers for peak, callers in self.by_peak.items() if peak > quota)

    def calls_above(self, quota: int) -> int:
        return sum((calls - quota) * windows for calls, windows in self.by_window.items() if calls > quota)

    def quotas(self) -> list[Quota]:
        """One for each of SHARES_PERCENT."""
        return [self._quota(share) for share in SHARES_PERCENT] if self.by_peak else []

    def curve(self, points: int = CURVE_POINTS) -> list[tuple[int, int]]:
        """Quotas from 1 to the one that refuses nobody, evenly on a logarithmic scale, and the callers that each would
        have refused."""
        largest = max(self.by_peak, default=0)
        quotas = sorted({round(largest ** (step / points)) for step in range(points + 1)}) if largest else []
        peaks = sorted(self.by_peak.items())
        curve: list[tuple[int, int]] = []
        below, place = 0, 0
        for quota in quotas:
            while place < len(peaks) and peaks[place][0] <= quota:
                below += peaks[place][1]
                place += 1
            curve.append((quota, self.callers - below))
        return curve

    def _quota(self, most_percent: float) -> Quota:
        may_meet_it = int(self.callers * most_percent / 100)
        quota, above = 1, 0
        for peak in sorted(self.by_peak, reverse=True):
            above += self.by_peak[peak]
            if above > may_meet_it:
                quota = peak
                break
        return Quota(most_percent, quota, self.callers_above(quota), self.calls_above(quota))
