"""Time series of what was counted: of one identifier by home, of regions by the region that served the calls."""

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from tallygate.aws.tally_series import items_between
from tallygate.core.history import (
    NO_HOURS,
    Granularity,
    InvalidParameterError,
    Page,
    granularity_of,
    page_of,
    starts_ms,
)
from tallygate.core.lines import format_timestamp
from tallygate.core.names import ALL_PREFIX, KINDS, Kind, pk_of
from tallygate.core.periods import HOUR_MS, day_of, period_of, window_bounds_ms
from tallygate.core.tally import TallyItem, of_day
from tallygate.operations.callers import Callers
from tallygate.operations.parameters import Query, flag, only, value_of, whole_number, word
from tallygate.operations.service import Service
from tallygate.operations.sources import Sources

if TYPE_CHECKING:
    from tallygate.operations.documents import Counts, UsageDocument, UsageKind, UsageRow

ALL: Final = "all"
KINDS_AND_ALL: Final[tuple["UsageKind", ...]] = (*KINDS, ALL)
PAGE_PERIODS: Final[Mapping[Granularity, int]] = {"hour": 168, "day": 92, "month": 36}
MAX_PERIODS: Final = 1_000
"""Of one page."""
MAX_BYTES: Final = 900_000
"""Of the rows of a page: with many regions it ends before its last period, so that no answer reaches 1 MB."""
DEFAULT_HOURS: Final = 24


class Tallied(NamedTuple):
    """What one home or region counted in a period."""

    admitted: int = 0
    charged: int = 0
    denied: int = 0

    def __add__(self, other: object) -> "Tallied":
        if not isinstance(other, Tallied):
            return NotImplemented
        return Tallied(self.admitted + other.admitted, self.charged + other.charged, self.denied + other.denied)

    @classmethod
    def of(cls, item: TallyItem) -> "Tallied":
        return cls(item.units, item.charged, item.denied)

    def document(self) -> "Counts":
        return {"admitted": self.admitted, "charged": self.charged, "denied": self.denied}


def total_of(counts: Iterable[Tallied]) -> Tallied:
    """All of them together."""
    return sum(counts, Tallied())


def by_name(counts: Mapping[str, Tallied]) -> "dict[str, Counts]":
    """Those that counted anything."""
    return {name: tallied.document() for name, tallied in counts.items() if any(tallied)}


Series = dict[int, dict[str, Tallied]]
"""By start of the period in ms, and by home or region."""


class UsageSeries:
    """Answers `usage`."""

    def __init__(self, sources: Sources, service: Service, callers: Callers) -> None:
        self._sources = sources
        self._service = service
        self._callers = callers

    def answer(self, query: Query, now_ms: int) -> "UsageDocument":
        """See Operations.usage."""
        only(query, "kind", "value", "from", "to", "granularity", "fill", "limit", "cursor")
        kind = word(query, "kind", KINDS_AND_ALL)
        granularity = granularity_of(query)
        kept_from_ms = self._kept_from_ms(kind, granularity, now_ms)
        value = self._region(query) if kind == ALL else self._counted_value(kind, query)
        limit = whole_number(query, "limit", PAGE_PERIODS[granularity], MAX_PERIODS)
        default_ms = _default_from_ms(granularity, now_ms, kept_from_ms)
        page = page_of(query, kind, value or "", granularity, kept_from_ms, default_ms, limit, now_ms)
        series = self._regions(page) if kind == ALL else self._homes(kind, page, now_ms)
        rows, until_ms = _rows(page, series, fill=flag(query, "fill", True))
        return {
            "kind": kind,
            "value": value,
            "granularity": granularity,
            "from": format_timestamp(page.start_ms),
            "to": format_timestamp(page.end_ms),
            "kept_from": format_timestamp(kept_from_ms),
            "rows": rows,
            "total": total_of(Tallied(row["admitted"], row["charged"], row["denied"]) for row in rows).document(),
            "cursor": page.until(until_ms).cursor,
        }

    def _kept_from_ms(self, kind: "UsageKind", granularity: Granularity, now_ms: int) -> int:
        """The totals of regions have hours only, which are kept as long as those of their month."""
        retention = self._service.retention
        if kind == ALL:
            return retention.kept_from_ms("ip", "month", now_ms)
        return retention.kept_from_ms(kind, granularity, now_ms)

    def _region(self, query: Query) -> str | None:
        return word(query, "value", self._service.regions) if query.get("value") else None

    def _counted_value(self, kind: "UsageKind", query: Query) -> str:
        of = cast("Kind", kind)
        value = value_of(query, of, self._service.ipv6_prefix)
        return self._callers.counted_under(value) if kind == "key" else value

    def _homes(self, kind: Kind, page: Page, now_ms: int) -> Series:
        pk, (first, last) = pk_of(kind, page.value), page.items
        table = self._service.names.tally_table
        read = self._sources.in_homes(
            lambda _, client: items_between(client, table, pk, first, last), self._sources.homes
        )
        if page.granularity == "hour" and not any(read) and not self._callers.has_hours(kind, page.value, now_ms):
            raise InvalidParameterError("granularity", NO_HOURS)
        series: Series = {}
        for start_ms in starts_ms(page.granularity, page.at_ms, page.until_ms):
            period = period_of("hour" if page.granularity == "hour" else "month", start_ms)
            for home, items in zip(self._sources.homes, read, strict=True):
                item = items.get(period)
                if item is not None:
                    counted = of_day(item, day_of(start_ms).number) if page.granularity == "day" else item
                    series.setdefault(start_ms, {})[home] = Tallied.of(counted)
        return series

    def _regions(self, page: Page) -> Series:
        """Days and months are added up from hours."""
        regions = [page.value] if page.value else self._service.regions
        table = self._service.names.tally_table
        first, last = period_of("hour", page.at_ms), period_of("hour", page.until_ms - HOUR_MS)
        read = self._sources.all_of(
            "the tally",
            [
                (home, partial(items_between, client, table, ALL_PREFIX + region, first, last))
                for region in regions
                for home, client in self._sources.homes.items()
            ],
        )
        hours = {period_of("hour", at_ms): at_ms for at_ms in range(page.at_ms, page.until_ms, HOUR_MS)}
        of_region = [region for region in regions for _ in self._sources.homes]
        series: Series = {}
        for region, items in zip(of_region, read, strict=True):
            for period, item in items.items():
                by = series.setdefault(window_bounds_ms(page.granularity, hours[period])[0], {})
                by[region] = by.get(region, Tallied()) + Tallied.of(item)
        return series


def _default_from_ms(granularity: Granularity, now_ms: int, kept_from_ms: int) -> int:
    """The last day by the hour, this month by the day, all that is kept by the month."""
    match granularity:
        case "hour":
            return now_ms - (DEFAULT_HOURS - 1) * HOUR_MS
        case "day":
            return window_bounds_ms("month", now_ms)[0]
        case "month":
            return kept_from_ms


def _rows(page: Page, series: Series, *, fill: bool) -> "tuple[list[UsageRow], int]":
    """The rows of a page, and where it ends: at the latest where the next row would make it too large."""
    rows: list[UsageRow] = []
    size = 0
    for start_ms in starts_ms(page.granularity, page.at_ms, page.until_ms):
        by = series.get(start_ms, {})
        total = total_of(by.values())
        if not fill and not any(total):
            continue
        row: UsageRow = {"start": format_timestamp(start_ms), **total.document(), "by": by_name(by)}
        size += len(json.dumps(row))
        if size > MAX_BYTES and rows:
            return rows, start_ms
        rows.append(row)
    return rows, page.until_ms
