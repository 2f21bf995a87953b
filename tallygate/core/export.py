"""An export of the tallies: over which periods it goes, and the rows that the items of a home come to.

A row is one identifier in one period, as one home counted it: whoever reads items has to hold none of them back, and
the sum over homes is the total.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from tallygate.core.history import Granularity, InvalidParameterError
from tallygate.core.names import ALL_PREFIX, HOUR_SK, KINDS, MONTH_SK
from tallygate.core.payload import OLDEST_MS
from tallygate.core.periods import DAY_MS, hour_of, period_of, window_bounds_ms
from tallygate.core.tally import ItemKey, TallyItem, of_day
from tallygate.core.times import TIMES, time_ms

ALL: Final = ALL_PREFIX.removesuffix("#")
"""The kind of the totals of serving regions; their values are names of regions."""
EXPORT_KINDS: Final = (*KINDS, ALL)


class ExportRow(NamedTuple):
    """What one home counted of one identifier in the period of `granularity` that begins at `start_ms`. `admitted` and
    `charged` are in units, `denied` in calls. `owner` and `plan` are those of a key, and `owner` of an owner."""

    kind: str
    value: str
    owner: str | None
    plan: str | None
    start_ms: int
    granularity: Granularity
    home: str
    admitted: int
    charged: int
    denied: int


class Periods(NamedTuple):
    """Names of the first and the last item of a tally that a query asks for, both included."""

    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Span:
    """Whole periods of `granularity` from `start_ms` up to `end_ms`, those that have only begun included."""

    granularity: Granularity
    start_ms: int
    end_ms: int

    @property
    def hours(self) -> Periods:
        """The items of hours that it touches."""
        return Periods(HOUR_SK + hour_of(self.start_ms), HOUR_SK + hour_of(self.end_ms - 1))

    @property
    def months(self) -> Periods | None:
        """The items of months that tell of it; None where only hours do."""
        if self.granularity == "hour":
            return None
        return Periods(period_of("month", self.start_ms), period_of("month", self.end_ms - 1))

    @property
    def settles_ms(self) -> int:
        """From when no call of it is counted any more, but rejects that are given again: until then, some may come late
        (up to a week: payload.py)."""
        return self.end_ms + OLDEST_MS

    def holds(self, at_ms: int) -> bool:
        return self.start_ms <= at_ms < self.end_ms


def span_of(start: str, end: str | None, granularity: Granularity, now_ms: int) -> Span:
    """The whole periods from the time `start` up to `end`, which defaults to now. InvalidParameterError names `from` or
    `to`, and what is valid."""
    start_ms = _time("from", start)
    end_ms = now_ms + 1 if end is None else _time("to", end)
    if start_ms > now_ms:
        raise InvalidParameterError("from", "a time that has come")
    if end_ms <= start_ms:
        raise InvalidParameterError("to", "a time after from")
    first_ms, _ = window_bounds_ms(granularity, start_ms)
    _, last_ms = window_bounds_ms(granularity, min(end_ms - 1, now_ms))
    return Span(granularity, first_ms, last_ms)


def _time(parameter: str, text: str) -> int:
    try:
        return time_ms(text.strip())
    except (ValueError, OverflowError):
        raise InvalidParameterError(parameter, TIMES) from None


@dataclass(slots=True)
class HomeRows:
    """Makes rows of the items of one home, in whatever order they come. Only the totals of regions are held back, which
    are stored by the hour: they are as many as regions and periods, however many callers there are."""

    home: str
    span: Span
    _totals: dict[tuple[str, int], list[int]] = field(default_factory=dict)

    def of(self, key: ItemKey, item: TallyItem) -> Iterator[ExportRow]:
        """The rows of an item that are complete with it."""
        kind, _, value = key.pk.partition("#")
        start_ms = _start_ms(key.sk)
        if kind == ALL:
            if self.span.holds(start_ms):
                self._add_total(value, start_ms, item)
        elif key.sk.startswith(HOUR_SK):
            if self.span.granularity == "hour" and self.span.holds(start_ms):
                yield self._row(kind, value, start_ms, item.units, item.charged, item.denied)
        elif self.span.granularity == "month":
            if self.span.holds(start_ms):
                yield self._row(kind, value, start_ms, item.units, item.charged, item.denied)
        elif self.span.granularity == "day":
            for day in sorted({*item.days, *item.free_days, *item.denied_days}):
                day_ms = start_ms + (day - 1) * DAY_MS
                if self.span.holds(day_ms):
                    counted = of_day(item, day)
                    yield self._row(kind, value, day_ms, counted.units, counted.charged, counted.denied)

    def totals(self) -> Iterator[ExportRow]:
        """The rows of regions, once every item was given."""
        for (region, start_ms), (admitted, charged, denied) in sorted(self._totals.items()):
            yield self._row(ALL, region, start_ms, admitted, charged, denied)

    def _add_total(self, region: str, hour_ms: int, item: TallyItem) -> None:
        start_ms, _ = window_bounds_ms(self.span.granularity, hour_ms)
        total = self._totals.setdefault((region, start_ms), [0, 0, 0])
        for position, count in enumerate((item.units, item.charged, item.denied)):
            total[position] += count

    def _row(self, kind: str, value: str, start_ms: int, admitted: int, charged: int, denied: int) -> ExportRow:
        granularity = self.span.granularity
        return ExportRow(kind, value, None, None, start_ms, granularity, self.home, admitted, charged, denied)


@lru_cache(maxsize=1024)
def _start_ms(period: str) -> int:
    """When the period of an item begins: `month#2026-11`, `hour#2026-11-20T14`."""
    if period.startswith(HOUR_SK):
        return time_ms(period.removeprefix(HOUR_SK))
    return time_ms(period.removeprefix(MONTH_SK) + "-01")
