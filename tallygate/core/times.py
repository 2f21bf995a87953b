"""Times as callers write them: ISO 8601, or Unix time in seconds, milliseconds or microseconds."""

import re
from datetime import UTC, datetime
from typing import Final

TIMES: Final = "a time in ISO 8601 (UTC unless it says otherwise), or Unix time in seconds, ms or µs"

_UNIX = re.compile(r"[0-9]{9,17}", re.ASCII)
_UNENCODED_OFFSET = re.compile(r"(T[0-9:.,]+) (\d\d:?\d\d)", re.ASCII | re.IGNORECASE)
MAX_CHARS: Final = 40


def time_ms(text: str) -> int:
    """Milliseconds since 1970, rounded down. ValueError when `text` is no time of the years 1970 to 9999. Numbers tell
    their unit by their length: seconds have 9 to 11 digits (1973 to 5138), milliseconds 12 to 14, microseconds 15 to
    17. A `+` that a query string turned into a blank is one again."""
    if len(text) > MAX_CHARS:
        raise ValueError("too long for a time")
    if _UNIX.fullmatch(text):
        number, digits = int(text), len(text)
        return number * 1000 if digits <= 11 else number if digits <= 14 else number // 1000
    at = datetime.fromisoformat(_UNENCODED_OFFSET.sub(r"\1+\2", text))
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    seconds, microseconds = divmod(at.astimezone(UTC).replace(tzinfo=None) - datetime(1970, 1, 1), _SECOND)
    if seconds < 0:
        raise ValueError("before 1970")
    return seconds * 1000 + microseconds // _MILLISECOND


_SECOND = datetime(1970, 1, 1, 0, 0, 1) - datetime(1970, 1, 1)
_MILLISECOND = _SECOND / 1000
