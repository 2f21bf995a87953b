"""A caller's own past: which periods a query asks for, and page by page what was charged in them."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
    one identifier."""

    kind: Kind
    value: str
    granularity: Granularity
    start_ms: int
    end_ms: int
    at_ms: int
    until_ms: int

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

    @property
    def next(self) -> dict[str, str] | None:
        """The query of the page that follows; None after the last."""
        if self.until_ms >= self.end_ms:
            return None
        return {
            "from": format_timestamp(self.start_ms),
            "to": format_timestamp(self.end_ms),
            "granularity": self.granularity,
            "cursor": self._cursor(self.until_ms),
        }

    def _cursor(self, at_ms: int) -> str:
        """`at_ms`, and a digest that binds it to this query and this caller. It is no secret: who makes one up sees no
        more than what `from` would have shown them."""
        position = at_ms.to_bytes(6, "big")
        asked = json.dumps([self.kind, self.value, self.granularity, self.start_ms, self.end_ms, at_ms])
        check = blake2b(asked.encode(), digest_size=_CHECK_BYTES).digest()
        return urlsafe_b64encode(position + check).decode()

    def at(self, cursor: str) -> "Page":
        """The page that `cursor` leads to. InvalidParameterError when it is none of this query's."""
        try:
            at_ms = int.from_bytes(urlsafe_b64decode(cursor.encode())[:6], "big")
        except ValueError:
            at_ms = -1
        if not self.start_ms < at_ms < self.end_ms or cursor != self._cursor(at_ms):
            raise InvalidParameterError("cursor", "that of the page before, with the same from, to and granularity")
        return page_at(self, at_ms)


def is_history(query: Mapping[str, str]) -> bool:
    """Whether the past is asked for, not what is used now."""
    return any(name in query for name in PARAMETERS)


def first_page(
    query: Mapping[str, str], kind: Kind, value: str, retention: Retention, now_ms: int, *, hours: bool
) -> Page:
    """The page that `query` asks for, of `value`; whole periods, those that have only begun included. `hours`: they are
    counted for this caller. InvalidParameterError says what is valid."""
    granularity = _granularity(query.get("granularity", "day"), hours=hours)
    if "from" not in query:
        raise InvalidParameterError("from", f"{TIMES}; it goes with to, granularity and cursor")
    from_ms = _time("from", query["from"])
    to_ms = _time("to", query["to"]) if "to" in query else now_ms + 1
    kept_from_ms = retention.kept_from_ms(kind, granularity, now_ms)
    if from_ms > now_ms or from_ms >= to_ms:
        raise InvalidParameterError("from", "a time that has come, before to")
    if from_ms < kept_from_ms:
        kept = format_timestamp(kept_from_ms)
        raise InvalidParameterError("from", f"{kept} or later; what was counted by the {granularity} is kept from then")
    start_ms = window_bounds_ms(granularity, from_ms)[0]
    end_ms = window_bounds_ms(granularity, min(to_ms - 1, now_ms))[1]
    if (end_ms - start_ms) // _LENGTHS_MS[granularity] > MAX_ROWS:
        raise InvalidParameterError("from", f"a range of at most {MAX_ROWS} {granularity}s; longer ones come coarser")
    page = page_at(Page(kind, value, granularity, start_ms, end_ms, start_ms, end_ms), start_ms)
    return page.at(query["cursor"]) if "cursor" in query else page


def page_at(page: Page, at_ms: int) -> Page:
    """The page of the same query that begins at `at_ms`, the start of a period."""
    until_ms = at_ms
    for _ in range(PAGE_ROWS[page.granularity]):
        if until_ms < page.end_ms:
            until_ms = window_bounds_ms(page.granularity, until_ms)[1]
    return Page(page.kind, page.value, page.granularity, page.start_ms, page.end_ms, at_ms, until_ms)


def starts_ms(granularity: Granularity, at_ms: int, until_ms: int) -> Iterable[int]:
    """The start of each period from `at_ms`, which is one, up to `until_ms`."""
    while at_ms < until_ms:
        yield at_ms
        at_ms = window_bounds_ms(granularity, at_ms)[1]


def _granularity(text: str, *, hours: bool) -> Granularity:
    for granularity in GRANULARITIES:
        if text == granularity:
            if granularity == "hour" and not hours:
                raise InvalidParameterError("granularity", "day or month; hours are counted where a plan limits them")
            return granularity
    raise InvalidParameterError("granularity", " or ".join(GRANULARITIES))


def _time(parameter: str, text: str) -> int:
    try:
        return time_ms(text.strip())
    except (ValueError, OverflowError):
        raise InvalidParameterError(parameter, TIMES) from None


_LENGTHS_MS: Final[Mapping[Granularity, int]] = {"hour": 3_600_000, "day": 86_400_000, "month": 28 * 86_400_000}
"""Of a month, the least."""
