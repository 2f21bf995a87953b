"""What a decision knows of an identifier: the counts that homes published, what this container admitted since, and how
the quota was adjusted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tallygate.core.adjustments import UNADJUSTED, Adjustments, Allowance
from tallygate.core.names import HOUR_SK, MONTH_SK
from tallygate.core.periods import MINUTE_MS, SECOND_MS, day_of, hour_of, window_bounds_ms
from tallygate.core.plans import Window


class Admission(NamedTuple):
    """Units that this container let through, and the time of that call."""

    at_ms: int
    units: int


class Pace(NamedTuple):
    """Units that this container let through in the second and in the minute of the last that it did."""

    second: int = 0
    in_second: int = 0
    minute: int = 0
    in_minute: int = 0

    def units_in(self, window: Window, at_ms: int) -> int:
        """Units let through in the second or minute that holds `at_ms`."""
        if window == "second":
            return self.in_second if self.second == at_ms // SECOND_MS else 0
        return self.in_minute if self.minute == at_ms // MINUTE_MS else 0

    def after(self, admission: Admission) -> "Pace":
        at_ms, units = admission
        return Pace(
            at_ms // SECOND_MS,
            self.units_in("second", at_ms) + units,
            at_ms // MINUTE_MS,
            self.units_in("minute", at_ms) + units,
        )


NO_PACE: Final = Pace()


class Minute(NamedTuple):
    """The minute up to which a home has counted (its number since 1970), and the units charged in the month when it
    began."""

    number: int
    begun_with: int


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

    @classmethod
    def nothing(cls, home: str, period: str) -> "HomeUsage":
        """The empty row of `home` for a period: `month#2026-11`, `hour#2026-11-20T14`."""
        if period.startswith(HOUR_SK):
            return cls(home, "", hour=period.removeprefix(HOUR_SK))
        return cls(home, period.removeprefix(MONTH_SK))

    def is_of(self, window: Window, at_ms: int) -> bool:
        """Whether this row tells of the window that holds `at_ms`."""
        if self.hour:
            return window == "hour" and self.hour == hour_of(at_ms)
        return window in ("day", "month") and self.month == day_of(at_ms).month

    def charged_in(self, window: Window, at_ms: int) -> int:
        """Units charged in the window that holds `at_ms`, as far as this row tells: an hour is told by its own row
        only, a day and a month by that of the month, a minute by none."""
        if not self.is_of(window, at_ms):
            return 0
        return self.days.get(day_of(at_ms).number, 0) if window == "day" else self.charged

    def charged_before(self, window: Window, at_ms: int) -> int:
        """Units charged in the window before the one that holds `at_ms`, as far as this row tells."""
        return self.charged_in(window, window_bounds_ms(window, at_ms)[0] - 1)


@dataclass(frozen=True, slots=True)
class Usage:
    """Rows of all homes, of this month and hour and the ones before; the admissions of this container that may be in
    none of them; `share`, the part of what its home counts that this container admitted, 0 when that is not known; its
    pace; and the last minute of each home."""

    homes: tuple[HomeUsage, ...] = ()
    admitted: tuple[Admission, ...] = ()
    adjustments: Adjustments = UNADJUSTED
    share: float = 0.0
    pace: Pace = NO_PACE
    minutes: Mapping[str, Minute] = field(default_factory=dict)

    def newest(self, window: Window) -> dict[str, HomeUsage]:
        """The last word of each home on limits of `window`: the row that tells the rate and how far it is counted,
        whatever hour or month it is of. Rows of hours speak of hours, those of months of all other windows."""
        newest: dict[str, HomeUsage] = {}
        for row in self.homes:
            if (window == "hour") != bool(row.hour):
                continue
            if row.home not in newest or newest[row.home].at_ms < row.at_ms:
                newest[row.home] = row
        return newest

    def charged_in(self, window: Window, at_ms: int) -> int:
        """Units that use up a limit in the window that holds `at_ms`, as far as homes told: beyond the baselines of
        it, and of a minute, those charged since it began."""
        if window == "minute":
            return sum(
                max(0, row.charged - minute.begun_with)
                for row in self.newest(window).values()
                if (minute := self.minutes.get(row.home)) is not None and minute.number == at_ms // MINUTE_MS
            )
        allowance = self.adjustments.allowance(window, at_ms)
        return sum(allowance.used(row.home, row.charged_in(window, at_ms)) for row in self.homes)

    def weighs_before(self, window: Window, at_ms: int) -> int:
        """Units of the window before the one that holds `at_ms` that still use up a rolling limit."""
        start_ms, _ = window_bounds_ms(window, at_ms)
        return weighs_before(self.homes, window, at_ms, self.adjustments.allowance(window, start_ms - 1))


def weighs_before(rows: Iterable[HomeUsage], window: Window, at_ms: int, allowance: Allowance) -> int:
    """Units of the window before the one that holds `at_ms` that still use up a rolling limit: what was charged beyond
    the baselines and top-ups of that window (`allowance`), times the share of this one that is still to come; rounded
    down."""
    start_ms, end_ms = window_bounds_ms(window, at_ms)
    charged = sum(allowance.used(row.home, row.charged_before(window, at_ms)) for row in rows)
    return max(0, charged - allowance.extra) * (end_ms - at_ms) // (end_ms - start_ms)
