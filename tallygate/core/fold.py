"""Folding: from lines, in whatever order and batches they come, to what each item of the tally gains from each record.

Kept per record, so that an item which already holds a part of a batch can be given the rest. Folding is independent
of the order of lines and of how they are batched: sums are sums, and of two sets of limits the one of the later call
stands.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tallygate.core.lines import UsageLine
from tallygate.core.names import (
    ALL_PREFIX,
    COUNTER_PREFIX,
    HOUR_SK,
    MONTH_SK,
    SUBSCRIBED_KINDS,
    Kind,
    counter_sk,
    pk_of,
)
from tallygate.core.periods import HOUR_MS, day_of, hour_of, window_bounds_ms
from tallygate.core.plans import HOUR_POLICIES, Policy
from tallygate.core.tally import Contribution, Delta, ItemKey


@dataclass(slots=True)
class ItemFold:
    """What a batch adds to one item. `caps` are those limits of the newest charged call that this item has marks for
    (hours in the hour's, all others in the month's), None when no call of the batch was charged to this identifier.
    `row_expires_seconds`: when its published row says nothing any more, a rolling limit counting the period before."""

    kind: Kind | None
    contributions: list[Contribution] = field(default_factory=list)
    caps: Mapping[Policy, int] | None = None
    caps_of: tuple[int, str] = (-1, "")
    expires_seconds: int | None = None
    row_expires_seconds: int = 0

    @property
    def shared(self) -> bool:
        """Whether each writer's share is kept: of named counters, which never expire."""
        return self.expires_seconds is None


class Fold:
    """Items touched by a batch. Records must be added in the order of their sequence numbers."""

    __slots__ = ("delay_ms_total", "items", "lines")

    def __init__(self) -> None:
        self.items: dict[ItemKey, ItemFold] = {}
        self.lines = 0
        self.delay_ms_total = 0

    @property
    def mean_delay_ms(self) -> int:
        """Mean delay from call to arrival; 0 for an empty batch. A caller's clock is not in it: both ends are the
        cloud's."""
        return self.delay_ms_total // self.lines if self.lines else 0

    def add(
        self,
        sequence: int,
        arrived_ms: int,
        lines: Iterable[UsageLine],
        expires_seconds: int,
        refused: int = 1,
        keys_expire_seconds: int = 0,
    ) -> None:
        """Fold the lines of one record. `expires_seconds`: how long, after the end of its period, an item is kept;
        `keys_expire_seconds`: that of a month of a key, if that is longer. A line of a refused call stands for
        `refused` of them: for one wherever each call prints its own."""
        for line in lines:
            at_ms = line.timestamp_ms
            self.lines += 1
            self.delay_ms_total += max(0, arrived_ms - at_ms)
            denied = refused if line.verdict is not None else 0
            for name, count, epoch in line.ctr:
                counter = ItemKey(f"{COUNTER_PREFIX}{line.key}", counter_sk(name, epoch))
                _add(self._item(counter, None, None), sequence, count, False, 0, None)
            if not denied and not line.units:
                continue  # free of charge: nothing to add to usage
            day = day_of(at_ms)
            month_sk, hour_sk = MONTH_SK + day.month, HOUR_SK + hour_of(at_ms)
            kept_until = day.month_end_ms // 1000 + expires_seconds
            for kind, value in line.identifiers():
                charged = kind in line.charge
                pk = pk_of(kind, value)
                more = max(0, keys_expire_seconds - expires_seconds) if kind == "key" else 0
                item = self._item(ItemKey(pk, month_sk), kind, kept_until + more, day.next_month_end_ms)
                _add(item, sequence, line.units, charged, denied, day.number)
                if not charged:
                    continue
                caps = line.caps.get(kind)
                if caps and not HOUR_POLICIES.isdisjoint(caps):
                    hour_end_ms = window_bounds_ms("hour", at_ms)[1]
                    hour_kept_until = hour_end_ms // 1000 + expires_seconds
                    hour = self._item(ItemKey(pk, hour_sk), kind, hour_kept_until, hour_end_ms + HOUR_MS)
                    _add(hour, sequence, line.units, True, denied, None)
                    _limit(hour, line, {policy: quota for policy, quota in caps.items() if policy in HOUR_POLICIES})
                    caps = {policy: quota for policy, quota in caps.items() if policy not in HOUR_POLICIES}
                _limit(item, line, caps)
            totals = self._item(ItemKey(ALL_PREFIX + line.region, hour_sk), None, kept_until)
            _add(totals, sequence, line.units, bool(line.charge), denied, None)

    def _item(self, key: ItemKey, kind: Kind | None, expires_seconds: int | None, row_expires_ms: int = 0) -> ItemFold:
        item = self.items.get(key)
        if item is None:
            item = ItemFold(kind, expires_seconds=expires_seconds, row_expires_seconds=row_expires_ms // 1000)
            self.items[key] = item
        return item

    def in_writing_order(self) -> list[tuple[ItemKey, ItemFold]]:
        """Keys and owners first: theirs are the quotas that somebody pays for, and the largest overshoot."""
        return sorted(self.items.items(), key=lambda entry: (entry[1].kind not in SUBSCRIBED_KINDS, entry[0]))


def _limit(item: ItemFold, line: UsageLine, caps: Mapping[Policy, int] | None) -> None:
    """Of two lines, the limits of the later call stand; of two at once, those of the larger id."""
    if (line.timestamp_ms, line.id) > item.caps_of:
        item.caps, item.caps_of = caps, (line.timestamp_ms, line.id)


def _add(item: ItemFold, sequence: int, units: int, charged: bool, denied: int, day: int | None) -> None:
    if not item.contributions or item.contributions[-1].sequence != sequence:
        item.contributions.append(Contribution(sequence, Delta()))
    delta = item.contributions[-1].delta
    if denied:
        delta.denied += denied
        if day is not None:
            delta.denied_days[day] = delta.denied_days.get(day, 0) + denied
        return
    delta.units += units
    if charged:
        delta.charged += units
    if day is not None:
        days = delta.days if charged else delta.free_days
        days[day] = days.get(day, 0) + units
