"""Calendar periods in UTC, from a time in milliseconds since 1970. Pure arithmetic: no clock, no time zone database."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tallygate.core.names import DAY_PERIOD, HOUR_SK, MINUTE_PERIOD, MONTH_SK
from tallygate.core.plans import Window

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Day:
    """A UTC day: `month` is `2026-11`, `number` 1 to 31."""

    month: str
    number: int
    start_ms: int
    month_start_ms: int
    month_end_ms: int
    next_month_end_ms: int


def _civil(days: int) -> tuple[int, int, int]:
    """Days since 1970-01-01 to (year, month, day), proleptic Gregorian.
    Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days."""
    z = days + 719_468
    era = z // 146_097
    doe = z - era * 146_097
    yoe = (doe - doe // 1_460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    return yoe + era * 400 + (month <= 2), month, doy - (153 * mp + 2) // 5 + 1


def _days(year: int, month: int, day: int) -> int:
    """(year, month, day) to days since 1970-01-01; the inverse of `_civil` (days_from_civil)."""
    year -= month <= 2
    era = year // 400
    yoe = year - era * 400
    doy = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146_097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719_468


@lru_cache(maxsize=64)
def _day(days: int) -> Day:
    year, month, number = _civil(days)
    first = days - number + 1
    following, next_following = (_days(year + (month + ahead) // 12, (month + ahead) % 12 + 1, 1) for ahead in (0, 1))
    return Day(
        f"{year:04d}-{month:02d}", number, days * DAY_MS, first * DAY_MS, following * DAY_MS, next_following * DAY_MS
    )


def day_of(at_ms: int) -> Day:
    """The UTC day that contains `at_ms`."""
    return _day(at_ms // DAY_MS)


def hour_of(at_ms: int) -> str:
    """The UTC hour that contains `at_ms`, as `2026-11-20T14`."""
    day = day_of(at_ms)
    return f"{day.month}-{day.number:02d}T{(at_ms - day.start_ms) // HOUR_MS:02d}"


def period_of(window: Window, at_ms: int) -> str:
    """Name of the period of `window` that contains `at_ms`: `minute#2026-11-20T14:05`, `hour#2026-11-20T14`,
    `day#2026-11-20`, `month#2026-11`."""
    if window == "hour":
        return HOUR_SK + hour_of(at_ms)
    if window == "minute":
        return f"{MINUTE_PERIOD}{hour_of(at_ms)}:{at_ms % HOUR_MS // MINUTE_MS:02d}"
    day = day_of(at_ms)
    return f"{DAY_PERIOD}{day.month}-{day.number:02d}" if window == "day" else f"{MONTH_SK}{day.month}"


def start_ms_of(period: str) -> int:
    """When a period begins whose name `period_of` gave, of an hour, a day or a month."""
    name = period.partition("#")[2]
    days = _days(int(name[:4]), int(name[5:7]), int(name[8:10] or 1))
    return days * DAY_MS + int(name[11:13] or 0) * HOUR_MS


def window_bounds_ms(window: Window, at_ms: int) -> tuple[int, int]:
    """Start (inclusive) and end (exclusive), in ms, of the calendar window that contains `at_ms`."""
    if window == "month":
        day = day_of(at_ms)
        return day.month_start_ms, day.month_end_ms
    length_ms = _LENGTHS_MS[window]
    start_ms = at_ms - at_ms % length_ms
    return start_ms, start_ms + length_ms


_LENGTHS_MS: Final[dict[Window, int]] = {"second": SECOND_MS, "minute": MINUTE_MS, "hour": HOUR_MS, "day": DAY_MS}
"""A UTC day has no leap second here: the clocks that are read here smear it or repeat it."""
