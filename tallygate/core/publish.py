"""Publication: what a home writes into the gate, and when. A publication is a whole copy of an item's charged counts,
ordered by (epoch, units), so that repeats and races of shards are harmless and an older copy never replaces a newer
one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from tallygate.core.marks import is_significant
from tallygate.core.plans import POLICIES, Policy
from tallygate.core.tally import ItemKey, TallyItem
from tallygate.core.usage import HomeUsage

PublishMode = Literal["marks", "every"]

SECONDS_OF_A_MINUTE: Final = 60
TELL_RATE_FROM_PERCENT: Final = 50
"""Of a limit by the minute: who stays below half of it costs no write."""
LEAST_INTERVAL_MS: Final = 1_000
"""Calls that arrive together are taken to have come within a second: a rate over less is noise."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One gate row of one home: `item` as counted, `at_ms` the time up to which it is complete, the rate offered, and
    the mean delay of counting when this was written."""

    pk: str
    period: str
    home: str
    item: TallyItem
    rate_milli: int
    at_ms: int
    lag_ms: int
    expires_seconds: int


class GateWriter(Protocol):
    """Where publications go: the home's own replica of the gate."""

    def publish(self, publication: Publication) -> bool:
        """Write the row unless the stored one is as new or newer; whether it was written. Raises StoreError as
        TallyStore does."""
        ...


def should_publish(
    before: TallyItem,
    after: TallyItem,
    caps: Mapping[Policy, int] | None,
    days: Mapping[int, int],
    homes: int,
    mode: PublishMode,
) -> bool:
    """Whether the step from `before` to `after` is worth a replicated write; `days` are the days of the month that it
    touched, none of an hour. A caller without a limit is not published."""
    if not caps or before.charged == after.charged:
        return False
    marked = {policy: quota for policy, quota in caps.items() if POLICIES[policy] != "minute"}
    return mode == "every" or any(
        is_significant(before.charged_in(marked, day), after.charged_in(marked, day), marked, homes)
        for day in days or (0,)
    )


def should_tell_rate(rate_milli: int, caps: Mapping[Policy, int] | None, homes: int) -> bool:
    """Whether `rate_milli` is worth a replicated write for a limit by the minute, which has no marks: it would spend
    half of that quota, shared evenly among the homes, within a minute."""
    spent_milli = rate_milli * SECONDS_OF_A_MINUTE
    return any(
        POLICIES[policy] == "minute" and spent_milli * 100 * homes >= quota * 1000 * TELL_RATE_FROM_PERCENT
        for policy, quota in (caps or {}).items()
    )


def rate_milli(before: TallyItem, offered: int, flushed_ms: int, batch_span_ms: int) -> int:
    """Units offered per second, in thousandths: what this batch brought over its own span, so that a pause before a
    burst does not dilute it. Where another writer flushed the item within that span, each of those that the item knows
    is taken to bring as much."""
    since_ms = flushed_ms - before.last_flush_ms if before.last_flush_ms is not None else batch_span_ms
    writers = len(before.watermarks) if since_ms < batch_span_ms else 1
    return writers * offered * 1_000_000 // max(LEAST_INTERVAL_MS, batch_span_ms)


def publication_of(
    key: ItemKey, home: str, item: TallyItem, rate_milli: int, flushed_ms: int, lag_ms: int, expires_seconds: int
) -> Publication:
    """`at_ms` is the flush less the mean delay: older calls are still on their way when newer ones are counted."""
    return Publication(key.pk, key.sk, home, item, rate_milli, flushed_ms - lag_ms, lag_ms, expires_seconds)


def usage_of(publication: Publication) -> HomeUsage:
    """What a region reads of a publication: the same as from its row in the gate."""
    item = publication.item
    return replace(
        HomeUsage.nothing(publication.home, publication.period),
        units=item.units,
        charged=item.charged,
        denied=item.denied,
        days=item.days,
        rate_milli=publication.rate_milli,
        at_ms=publication.at_ms,
        lag_ms=publication.lag_ms,
    )
