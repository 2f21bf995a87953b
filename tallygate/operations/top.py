"""The largest of a month or a day, and how much of their limits they have used."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tallygate.aws.usage_reader import Top, Usage, UsageReader
from tallygate.core import usage as known
from tallygate.core.history import InvalidParameterError
from tallygate.core.limit_use import LimitUse, counted_limits, counted_periods, limit_uses
from tallygate.core.lines import format_timestamp
from tallygate.core.names import KINDS, Kind, pk_of
from tallygate.core.periods import day_of
from tallygate.core.tally import ItemKey
from tallygate.operations.callers import Callers
from tallygate.operations.parameters import Query, only, period_ms, whole_number, word
from tallygate.operations.service import Service
from tallygate.operations.sources import Sources
from tallygate.operations.usage import Tallied, by_name

if TYPE_CHECKING:
    from tallygate.operations.documents import LimitUse as LimitDocument
    from tallygate.operations.documents import TopDocument, TopRow

DEFAULT_ROWS: Final = 10
MAX_ROWS: Final = 100
MAX_READ: Final = 2_000
"""Identifiers that are read to find the largest of a day: 2,000 read units in each home, a fortieth of a cent."""


class TopCallers:
    """Answers `top`."""

    def __init__(self, sources: Sources, service: Service, callers: Callers) -> None:
        self._callers = callers
        self._retention = service.retention
        self._reader = UsageReader(sources.homes, service.names.tally_table, sources.in_homes)

    def answer(self, query: Query, now_ms: int) -> "TopDocument":
        """See Operations.top."""
        only(query, "kind", "period", "limit")
        kind, limit = word(query, "kind", KINDS), whole_number(query, "limit", DEFAULT_ROWS, MAX_ROWS)
        at_ms, is_day = period_ms(query, now_ms)
        day, today = day_of(at_ms), day_of(now_ms)
        kept = day_of(self._retention.kept_from_ms(kind, "month", now_ms)).month
        if day.month < kept:  # some items of it may be there for days yet: the largest of them are nobody's
            raise InvalidParameterError("period", f"{kept} or later; what was counted of each {kind} is kept from then")
        if is_day:
            found = self._reader.top_of_day(kind, day.month, day.number, limit, MAX_READ)
        else:
            found = Top(self._reader.top(kind, day.month, limit), True)
        is_current = day == today if is_day else day.month == today.month
        uses = self._limits(kind, [usage.value for usage in found.usages], now_ms) if is_current else {}
        return {
            "kind": kind,
            "period": f"{day.month}-{day.number:02d}" if is_day else day.month,
            "top": [_row(usage, uses.get(usage.value, ())) for usage in found.usages],
            "complete": found.complete,
        }

    def _limits(self, kind: Kind, values: Sequence[str], now_ms: int) -> Mapping[str, Sequence[LimitUse]]:
        if not values:
            return {}
        governed = self._callers.governed(kind, values, now_ms)
        plans = {value: found.plan for value, found in governed.items() if found.plan is not None}
        items = [
            ItemKey(pk_of(kind, value), period)
            for value, plan in plans.items()
            for period in counted_periods(counted_limits(plan, kind), now_ms)
        ]
        counted = self._reader.counted(items)
        uses = {}
        for value, plan in plans.items():
            rows = tuple(counted.get(pk_of(kind, value), ()))
            usage = known.Usage(rows, (), governed[value].adjustments)
            uses[value] = limit_uses(plan, kind, usage, now_ms)
        return uses


def limit_document(use: LimitUse) -> "LimitDocument":
    """A limit and its use, as JSON tells it."""
    return {
        "policy": use.limit.name,
        "window": use.limit.window,
        "limit": use.quota,
        "used": use.used,
        "resets": format_timestamp(use.resets_ms),
    }


def _row(usage: Usage, uses: Sequence[LimitUse]) -> "TopRow":
    homes = {home: Tallied.of(item) for home, item in usage.homes.items()}
    total = Tallied(usage.units, usage.charged, usage.denied)
    return {
        "value": usage.value,
        **total.document(),
        "by": by_name(homes),
        "limits": [limit_document(use) for use in uses],
    }
