"""The past: which periods a query asks for, and the page of them that comes next. A caller asks for what was charged to
them; an operator for what was counted of anybody (`tallygate/operations`)."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final, Literal, NamedTuple, get_args

from tallygate.core.lines import format_timestamp
from tallygate.core.names import Kind
from tallygate.core.periods import period_of, window_bounds_ms
from tallygate.core.retention import Retention
from tallygate.core.times import TIMES, time_ms
from tallygate.core.usage import HomeUsage

Granularity = Literal["hour", "day", "month"]
GRANULARITIES: Final[tuple[Granularity, ...]] = get_args(Granularity)
PARAMETERS: Final = ("from", "to", "granularity", "cursor")
PAGE_ROWS: Final[Mapping[Granularity, int]] = {"hour": 168, "day": 92, "month": 36}
"""Rows of a page: a page is one Query of 168 small items at most in each home, some 25 KB."""
MAX_ROWS: Final = 1_000
"""Of all pages together."""
_CHECK_BYTES: Final = 9
_TIME_BYTES: Final = 6
NO_HOURS: Final = "day or month; hours are counted where a plan limits them"


class InvalidParameterError(ValueError):
    """A parameter is not what it must be; the message says what is valid."""

    def __init__(self, parameter: str, valid: str) -> None:
        super().__init__(f"{parameter}: {valid}")
        self.parameter = parameter


class Row(NamedTuple):
    """One period, and the units charged in it."""

    start_ms: int
    charged: int


@dataclass(frozen=True, slots=True)
class Page:
    """The whole periods of `granularity` from `at_ms` up to `until_ms`, of a query from `start_ms` up to `end_ms`, on
    one identifier, or whatever else `kind` and `value` name. `is_open`: `to` was yet to come when it was asked; every
    other `to` that was has the same end."""

    kind: str
    value: str
    granularity: Granularity
    start_ms: int
    end_ms: int
    at_ms: int
    until_ms: int
    is_open: bool = False

    @property
    def items(self) -> tuple[str, str]:
        """The first and the last item of a tally that tell of it: days are in those of months."""
        of: Granularity = "hour" if self.granularity == "hour" else "month"
        return period_of(of, self.at_ms), period_of(of, self.until_ms - 1)

    def rows(self, counted: Iterable[HomeUsage]) -> list[Row]:
        """What homes charged, added up; 0 where none counted anything."""
        found = list(counted)
        return [
            Row(start_ms, sum(row.charged_in(self.granularity, start_ms) for row in found))
            for start_ms in starts_ms(self.granularity, self.at_ms, self.until_ms)
        ]

    def until(self, until_ms: int) -> "Page":
        """The same page, ended at the start of a period before its end."""
        return replace(self, until_ms=until_ms)

    @property
    def next(self) -> dict[str, str] | None:
        """The query of the page that follows; None after the last."""
        cursor = self.cursor
        if cursor is None:
            return None
        return {
            "from": format_timestamp(self.start_ms),
            "to": format_timestamp(self.end_ms),
            "granularity": self.granularity,
            "cursor": cursor,
        }

    @property
    def cursor(self) -> str | None:
        """Leads to the page that follows; None after the last. It holds the range, which may have been said in terms of
        the present, and a digest that binds it to this query on this identifier. It is no secret: who makes one up sees
        no more than `from` would have shown them."""
        if self.until_ms >= self.end_ms:
            return None
        place = (self.start_ms, self.end_ms, self.until_ms)
        position = b"".join(at_ms.to_bytes(_TIME_BYTES, "big") for at_ms in place)
        asked = json.dumps([self.kind, self.value, self.granularity, *place, self.is_open])
        return urlsafe_b64encode(position + blake2b(asked.encode(), digest_size=_CHECK_BYTES).digest()).decode()


def is_history(query: Mapping[str, str]) -> bool:
    """Whether the past is asked for, not what is used now."""
    return any(name in query for name in PARAMETERS)


def first_page(
    query: Mapping[str, str], kind: Kind, value: str, retention: Retention, now_ms: int, *, hours: bool
) -> Page:
    """The page of a caller's past that `query` asks for; whole periods, those that have only begun included. `hours`:
    they are counted for this caller. InvalidParameterError says what is valid."""
    granularity = granularity_of(query)
    if granularity == "hour" and not hours:
        raise InvalidParameterError("granularity", NO_HOURS)
    if "from" not in query:
        raise InvalidParameterError("from", f"{TIMES}; it goes with to, granularity and cursor")
    kept_from_ms = retention.kept_from_ms(kind, granularity, now_ms)
    page = page_of(query, kind, value, granularity, kept_from_ms, kept_from_ms, PAGE_ROWS[granularity], now_ms)
    if (page.end_ms - page.start_ms) // _LENGTHS_MS[granularity] > MAX_ROWS:
        raise InvalidParameterError("from", f"a range of at most {MAX_ROWS} {granularity}s; longer ones come coarser")
    return page


def page_of(
    query: Mapping[str, str],
    kind: str,
    value: str,
    granularity: Granularity,
    kept_from_ms: int,
    default_from_ms: int,
    most: int,
    now_ms: int,
) -> Page:
    """The page of at most `most` periods that `query` asks for by `from`, `to` and `cursor`, of counts that are kept
    from `kept_from_ms`. InvalidParameterError says what is valid."""
    from_ms = _time("from", query["from"]) if "from" in query else max(default_from_ms, kept_from_ms)
    to_ms = _time("to", query["to"]) if "to" in query else now_ms + 1
    if "cursor" in query:
        asked = Page(kind, value, granularity, from_ms, to_ms, kept_from_ms, now_ms + 1)
        return _following(query, asked, most, now_ms)
    if from_ms > now_ms or from_ms >= to_ms:
        raise InvalidParameterError("from", "a time that has come, before to")
    if from_ms < kept_from_ms:
        kept = format_timestamp(kept_from_ms)
        raise InvalidParameterError("from", f"{kept} or later; what was counted by the {granularity} is kept from then")
    start_ms, end_ms = _whole(granularity, from_ms, to_ms, now_ms)
    return page_at(Page(kind, value, granularity, start_ms, end_ms, start_ms, start_ms, to_ms > now_ms), start_ms, most)


def _following(query: Mapping[str, str], asked: Page, most: int, now_ms: int) -> Page:
    """The page that the cursor of `query` leads to, within what `asked` says is kept; `from` and `to`, where they are
    given, are those of the page before."""
    cursor = query["cursor"]
    try:
        position = urlsafe_b64decode(cursor.encode())
    except ValueError:
        position = b""
    start_ms, end_ms, at_ms = (
        int.from_bytes(position[start : start + _TIME_BYTES], "big") for start in range(0, 3 * _TIME_BYTES, _TIME_BYTES)
    )
    closed = Page(asked.kind, asked.value, asked.granularity, start_ms, end_ms, start_ms, at_ms)
    before = next((page for page in (closed, replace(closed, is_open=True)) if page.cursor == cursor), None)
    starts_ms, ends_ms = _whole(asked.granularity, asked.start_ms, asked.end_ms, now_ms)
    is_kept = asked.at_ms <= start_ms < at_ms < end_ms <= window_bounds_ms(asked.granularity, now_ms)[1]
    if (
        before is None
        or not is_kept
        or ("from" in query and starts_ms != start_ms)
        or ("to" in query and end_ms not in (ends_ms, asked.end_ms) and not (before.is_open and asked.end_ms > end_ms))
    ):
        raise InvalidParameterError("cursor", "that of the page before, with the same from, to and granularity")
    return page_at(before, at_ms, most)


def _whole(granularity: Granularity, from_ms: int, to_ms: int, now_ms: int) -> tuple[int, int]:
    """Whole periods, and nothing of the future."""
    end_ms = window_bounds_ms(granularity, min(to_ms - 1, now_ms))[1]
    return window_bounds_ms(granularity, from_ms)[0], end_ms


def page_at(page: Page, at_ms: int, most: int) -> Page:
    """The page of the same query that begins at `at_ms`, the start of a period, and has at most so many."""
    until_ms = at_ms
    for _ in range(most):
        if until_ms < page.end_ms:
            until_ms = window_bounds_ms(page.granularity, until_ms)[1]
    return replace(page, at_ms=at_ms, until_ms=until_ms)


def starts_ms(granularity: Granularity, at_ms: int, until_ms: int) -> Iterable[int]:
    """The start of each period from `at_ms`, which is one, up to `until_ms`."""
    while at_ms < until_ms:
        yield at_ms
        at_ms = window_bounds_ms(granularity, at_ms)[1]


def granularity_of(query: Mapping[str, str]) -> Granularity:
    """The granularity that is asked for; days where nothing is said. InvalidParameterError."""
    text = query.get("granularity", "day")
    for granularity in GRANULARITIES:
        if text == granularity:
            return granularity
    raise InvalidParameterError("granularity", " or ".join(GRANULARITIES))


def _time(parameter: str, text: str) -> int:
    try:
        return time_ms(text.strip())
    except (ValueError, OverflowError):
        raise InvalidParameterError(parameter, TIMES) from None


_LENGTHS_MS: Final[Mapping[Granularity, int]] = {"hour": 3_600_000, "day": 86_400_000, "month": 28 * 86_400_000}
"""Of a month, the least."""
