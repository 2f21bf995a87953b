"""The times that logs write, in milliseconds since 1970. A time without a zone is UTC. What lies before 1971 is a
duration, a counter, or a clock that was never set; what lies after 5138 is none of ours either."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_CLF: Final = re.compile(
    r"(\d{1,2})/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/(\d{4}):(\d\d):(\d\d):(\d\d)(?: ([+-])(\d\d)(\d\d))?",
    re.ASCII,
)
_MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_NUMBER: Final = re.compile(r"\d{1,19}(?:\.\d{1,9})?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]", re.ASCII)
_LONG_FRACTION: Final = re.compile(r"(\.\d{6})\d+", re.ASCII)

_FIRST_MS: Final = 31_536_000_000
"""1971-01-01T00:00:00Z."""
_END_MS: Final = 100_000_000_000_000
"""In the year 5138, where seconds become as large as milliseconds of 1973."""
_UNITS: Final = ((1e11, 1_000.0), (1e14, 1.0), (1e17, 1e-3), (1e20, 1e-6))
"""Below each bound, what one of the unit is in ms: seconds until the year 5138, then ms, µs and ns from 1973 on."""


@lru_cache(maxsize=4_096)
def clf_ms(text: str) -> int | None:
    """A time as Apache and nginx write it (`17/May/2026:10:05:03 +0000`); None when `text` is none, or out of
    range."""
    match = _CLF.fullmatch(text)
    if match is None:
        return None
    day, month, year, hour, minute, second = match.group(1, 2, 3, 4, 5, 6)
    east = 0
    if match[7]:
        east = (int(match[8]) * 60 + int(match[9])) * (60_000 if match[7] == "+" else -60_000)
    try:  # a leap second counts for the one before it
        at = datetime(
            int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), min(int(second), 59), tzinfo=UTC
        )
    except ValueError:
        return None
    return _in_range(int(at.timestamp()) * 1_000 - east)


def time_ms(value: object) -> int | None:
    """A time as JSON logs write it: ISO 8601, Unix seconds, ms, µs or ns by their size, or as Apache does. None when
    `value` is none of these, or out of range."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _unix_ms(float(value))
    if not isinstance(value, str) or len(value) > 64:
        return None
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return _unix_ms(float(text))
    return _iso_ms(text) if _DATE.match(text) else clf_ms(text.strip("[]"))


def _unix_ms(number: float) -> int | None:
    for bound, unit_ms in _UNITS:
        if number < bound:
            return _in_range(round(number * unit_ms))
    return None


def _iso_ms(text: str) -> int | None:
    try:
        at = datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", text).replace(",", "."))
    except ValueError:
        return None
    return _in_range(round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000))


def _in_range(at_ms: int) -> int | None:
    return at_ms if _FIRST_MS <= at_ms < _END_MS else None
