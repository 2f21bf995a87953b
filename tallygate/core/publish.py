"""Publication: what a home writes into the gate, and when. A publication is a whole copy of an item's charged counts,
ordered by (epoch, units), so that repeats and races of shards are harmless and an older copy never replaces a newer
one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from tallygate.core.marks import is_significant
from tallygate.core.names import MONTH_SK
from tallygate.core.plans import Policy
from tallygate.core.tally import ItemKey, TallyItem
from tallygate.core.usage import HomeUsage

PublishMode = Literal["marks", "every"]

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
    touched. A caller without a limit is not published."""
    if not caps or before.charged == after.charged:
        return False
    return mode == "every" or any(
        is_significant(before.charged_in(caps, day), after.charged_in(caps, day), caps, homes) for day in days
    )


def rate_milli(before: TallyItem, offered: int, flushed_ms: int, batch_span_ms: int) -> int:
    """Units offered per second, in thousandths: over the time since the item's last flush by whichever writer, which
    adds the writers up, but not over more than this batch's own span, so that a pause before a burst does not dilute
    it."""
    since_ms = flushed_ms - before.last_flush_ms if before.last_flush_ms is not None else batch_span_ms
    return offered * 1_000_000 // max(LEAST_INTERVAL_MS, min(since_ms, batch_span_ms))


def publication_of(
    key: ItemKey, home: str, item: TallyItem, rate_milli: int, flushed_ms: int, lag_ms: int, expires_seconds: int
) -> Publication:
    """`at_ms` is the flush less the mean delay: older calls are still on their way when newer ones are counted."""
    return Publication(key.pk, key.sk, home, item, rate_milli, flushed_ms - lag_ms, lag_ms, expires_seconds)


def usage_of(publication: Publication) -> HomeUsage:
    """What a region reads of a publication: the same as from its row in the gate."""
    item = publication.item
    return HomeUsage(
        home=publication.home,
        month=publication.period.removeprefix(MONTH_SK),
        units=item.units,
        charged=item.charged,
        denied=item.denied,
        days=item.days,
        rate_milli=publication.rate_milli,
        at_ms=publication.at_ms,
        lag_ms=publication.lag_ms,
    )
