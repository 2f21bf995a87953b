"""What a decision knows of an identifier: the counts that homes published, what this container admitted since, and how
the quota was adjusted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tallygate.core.adjustments import UNADJUSTED, Adjustments
from tallygate.core.periods import day_of, hour_of, window_bounds_ms
from tallygate.core.plans import Window


class Admission(NamedTuple):
    """Units that this container let through, and the time of that call."""

    at_ms: int
    units: int


@dataclass(frozen=True, slots=True)
class HomeUsage:
    """What one home published for one month (`2026-11`) or one hour (`2026-11-20T14`; the other of the two is empty),
    complete up to `at_ms`. `units` and `denied` are of all calls, `charged` and the `days` of a month of those that use
    up a quota; `rate_milli` is what was offered, in thousandths of a unit per second; `lag_ms` the mean delay of
    counting."""

    home: str
    month: str
    units: int = 0
    charged: int = 0
    denied: int = 0
    days: Mapping[int, int] = field(default_factory=dict)
    rate_milli: int = 0
    at_ms: int = 0
    lag_ms: int = 0
    hour: str = ""

    def charged_in(self, window: Window, at_ms: int) -> int:
        """Units charged in the window that holds `at_ms`, as far as this row tells: an hour is told by its own row
        only, a day and a month by that of the month, a minute by none."""
        if self.hour:
            return self.charged if window == "hour" and self.hour == hour_of(at_ms) else 0
        day = day_of(at_ms)
        if self.month != day.month:
            return 0
        return self.charged if window == "month" else self.days.get(day.number, 0) if window == "day" else 0

    def charged_before(self, window: Window, at_ms: int) -> int:
        """Units charged in the window before the one that holds `at_ms`, as far as this row tells."""
        return self.charged_in(window, window_bounds_ms(window, at_ms)[0] - 1)


@dataclass(frozen=True, slots=True)
class Usage:
    """Rows of all homes, of this month and hour and the ones before, and the admissions of this container that may be
    in none of them."""

    homes: tuple[HomeUsage, ...] = ()
    admitted: tuple[Admission, ...] = ()
    adjustments: Adjustments = UNADJUSTED

    def newest(self, window: Window) -> dict[str, HomeUsage]:
        """The last word of each home on limits of `window`: the row that tells the rate and how far it is counted,
        whatever hour or month it is of. Rows of hours speak of hours, those of months of days and months. Of a minute,
        any row tells the rate."""
        newest: dict[str, HomeUsage] = {}
        for row in self.homes:
            if window != "minute" and (window == "hour") != bool(row.hour):
                continue
            if row.home not in newest or newest[row.home].at_ms < row.at_ms:
                newest[row.home] = row
        return newest

    def weighs_before(self, window: Window, at_ms: int) -> int:
        """Units of the window before the one that holds `at_ms` that still use up a rolling limit: what was charged
        beyond its own baselines and top-ups, times the share of this window that is still to come; rounded down."""
        start_ms, end_ms = window_bounds_ms(window, at_ms)
        allowance = self.adjustments.allowance(window, start_ms - 1)
        charged = sum(allowance.used(row.home, row.charged_before(window, at_ms)) for row in self.homes)
        return max(0, charged - allowance.extra) * (end_ms - at_ms) // (end_ms - start_ms)
