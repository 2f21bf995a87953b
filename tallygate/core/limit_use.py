"""What is used of the limits of one identifier that homes count, and where that is counted."""

from collections.abc import Iterable
from typing import NamedTuple

from tallygate.core.names import Kind
from tallygate.core.periods import period_of, window_bounds_ms
from tallygate.core.plans import COUNTED_WINDOWS, Limit, Plan, Window
from tallygate.core.usage import Usage


class LimitUse(NamedTuple):
    """`quota` is the limit's with top-ups. By `resets_ms` nothing used now counts any more."""

    limit: Limit
    quota: int
    used: int
    resets_ms: int


def counted_limits(plan: Plan, kind: Kind) -> list[Limit]:
    """The limits per `kind` whose use is counted: a minute's and a burst's are known to nobody for long enough."""
    return [limit for limit in plan.limits if limit.per == kind and limit.window in COUNTED_WINDOWS]


def limit_use(limit: Limit, usage: Usage, at_ms: int) -> LimitUse:
    """The use of a counted limit, by the rows and the adjustments in `usage`: since the last reset, with what the
    window before still weighs where the limit rolls."""
    end_ms = window_bounds_ms(limit.window, at_ms)[1]
    used = usage.charged_in(limit.window, at_ms)
    if limit.rolling:
        used += usage.weighs_before(limit.window, at_ms)
        end_ms = window_bounds_ms(limit.window, end_ms)[1]  # until then, what is used now weighs something
    return LimitUse(limit, limit.quota + usage.adjustments.allowance(limit.window, at_ms).extra, used, end_ms)


def limit_uses(plan: Plan, kind: Kind, usage: Usage, at_ms: int) -> list[LimitUse]:
    """The use of each counted limit of `plan`."""
    return [limit_use(limit, usage, at_ms) for limit in counted_limits(plan, kind)]


def counted_periods(limits: Iterable[Limit], at_ms: int) -> list[str]:
    """The items in which `limits` are counted, each once: days are in those of months."""
    periods = []
    for limit in limits:
        item: Window = "hour" if limit.window == "hour" else "month"
        periods.append(period_of(item, at_ms))
        if limit.rolling:
            periods.append(period_of(item, window_bounds_ms(limit.window, at_ms)[0] - 1))
    return list(dict.fromkeys(periods))
