"""What a decision knows of an identifier: the counts that homes published, what this container admitted since, and how
the quota was adjusted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tallygate.core.adjustments import UNADJUSTED, Adjustments
from tallygate.core.periods import Day
from tallygate.core.plans import Window


class Admission(NamedTuple):
    """Units that this container let through, and the time of that call."""

    at_ms: int
    units: int


@dataclass(frozen=True, slots=True)
class HomeUsage:
    """What one home published for one month (`2026-11`), complete up to `at_ms`. `units` and `denied` are of all calls,
    `charged` and `days` of those that use up a quota; `rate_milli` is what was offered, in thousandths of a unit per
    second; `lag_ms` the mean delay of counting."""

    home: str
    month: str
    units: int = 0
    charged: int = 0
    denied: int = 0
    days: Mapping[int, int] = field(default_factory=dict)
    rate_milli: int = 0
    at_ms: int = 0
    lag_ms: int = 0

    def charged_in(self, window: Window, day: Day) -> int:
        """Units charged in the window that holds `day`."""
        if self.month != day.month:
            return 0
        return self.charged if window == "month" else self.days.get(day.number, 0)


@dataclass(frozen=True, slots=True)
class Usage:
    """Rows of all homes, of this month and the one before, and the admissions of this container that may be in none of
    them."""

    homes: tuple[HomeUsage, ...] = ()
    admitted: tuple[Admission, ...] = ()
    adjustments: Adjustments = UNADJUSTED

    def newest(self) -> dict[str, HomeUsage]:
        """The last word of each home: the row that tells the rate, whatever month it counts."""
        newest: dict[str, HomeUsage] = {}
        for row in self.homes:
            if row.home not in newest or newest[row.home].at_ms < row.at_ms:
                newest[row.home] = row
        return newest
