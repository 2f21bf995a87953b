"""The tally: exact counts, each event once. An update of an item is applied if nothing of it was before (the writer's
watermark is below its first record), not at all if everything was, and in its missing part otherwise.

What an item knows of a writer is one number: the highest sequence number applied. *Everything at or below it is
applied.*
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

from tallygate.core.lines import UsageLine
from tallygate.core.periods import HOUR_MS
from tallygate.core.plans import POLICIES, Policy


class ItemKey(NamedTuple):
    """Where a count is kept: `("ip#203.0.113.7", "month#2026-11")`."""

    pk: str
    sk: str


@dataclass(slots=True)
class Delta:
    """What one or more records add to an item: units of admitted calls, units charged to the identifier, refused
    calls, and what was offered for the rate (units, and one for each refused call). By day of the month: `days` of
    units charged, `free_days` of units admitted but not charged, `denied_days` of refused calls."""

    units: int = 0
    charged: int = 0
    denied: int = 0
    days: dict[int, int] = field(default_factory=dict)
    free_days: dict[int, int] = field(default_factory=dict)
    denied_days: dict[int, int] = field(default_factory=dict)

    @property
    def offered(self) -> int:
        return self.units + self.denied

    def add(self, other: "Delta") -> None:
        self.units += other.units
        self.charged += other.charged
        self.denied += other.denied
        for days, more in (
            (self.days, other.days),
            (self.free_days, other.free_days),
            (self.denied_days, other.denied_days),
        ):
            for day, count in more.items():
                days[day] = days.get(day, 0) + count


@dataclass(frozen=True, slots=True)
class TallyItem:
    """An item of the tally. `watermarks` maps a writer to the highest sequence number applied; `last_flush_ms` is the
    arrival time of the newest record applied, from whichever writer; `epoch` grows only with a repair; `shares` is
    what each writer counted, kept for named counters. Days are those of Delta, of the month of the item."""

    units: int = 0
    charged: int = 0
    denied: int = 0
    days: Mapping[int, int] = field(default_factory=dict)
    watermarks: Mapping[str, int] = field(default_factory=dict)
    last_flush_ms: int | None = None
    epoch: int = 0
    shares: Mapping[str, int] = field(default_factory=dict)
    free_days: Mapping[int, int] = field(default_factory=dict)
    denied_days: Mapping[int, int] = field(default_factory=dict)

    def charged_in(self, policies: Iterable[Policy], day: int) -> dict[Policy, int]:
        """Units charged in the window of each of `policies`, of which an item of a month knows days and the month, and
        an item of an hour that hour; `day` picks the day of the month."""
        return {policy: self.days.get(day, 0) if POLICIES[policy] == "day" else self.charged for policy in policies}


@dataclass(frozen=True, slots=True)
class Update:
    """One conditional write: add `delta`, set the writer's watermark to `last`, on condition that it is missing or
    below `first` (the first record that contributes to this item). `last` is the last record of the batch,
    contributing or not."""

    key: ItemKey
    writer: str
    first: int
    last: int
    delta: Delta
    flushed_ms: int
    expires_seconds: int | None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Addition:
    """What a line with an idempotency key adds to one item, whatever that item's watermarks say. `flushed_ms` is told
    of named counters only, whose readers are told when the newest arrived: other items date their rate by it, which
    this is no part of."""

    key: ItemKey
    writer: str
    delta: Delta
    expires_seconds: int | None
    shared: bool = False
    flushed_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """That the line `by`, of a call at `at_ms`, is counted for the idempotency key `idem`. It stands for 24 hours of
    calls, and is kept for longer than the stream keeps the line."""

    idem: str
    by: str
    at_ms: int
    expires_seconds: int


CLAIM_MS: Final = 24 * HOUR_MS
"""A call with the idempotency key of one that is counted, and less than this after it, is the same call."""

CLAIM_KEEP_SECONDS: Final = 16 * 24 * 3600
"""How long a claim is kept after its line arrived: longer than a stream's day and a late week, and than the 14 days
for which a reject can be given again."""
RETRY_PREFIX: Final = "reject/"
"""Begins the idempotency key of a reject that is given again; it is the line's own, whoever the caller."""

Claimed = Literal["added", "again", "taken"]
"""`added`: counted now. `again`: this very line had been. `taken`: another line with its key had been."""


@dataclass(frozen=True, slots=True)
class Written:
    """Answer to an Update. `before` is the item as it was: when not `applied`, it is as it still is, unchanged."""

    applied: bool
    before: TallyItem


class TallyStore(Protocol):
    """Where the tally is kept. Every method raises StoreError when the answer is not known; trying again is safe."""

    def add(self, update: Update) -> Written:
        """Apply `update` if its condition holds; atomic for the item."""
        ...

    def add_once(self, claim: Claim, additions: Sequence[Addition]) -> Claimed:
        """All of `additions` and the claim, or nothing when the key is taken; atomic for all of them."""
        ...

    def get(self, key: ItemKey) -> TallyItem:
        """The item as it is, strongly consistent; the empty item when there is none."""
        ...

    def set_rank(self, key: ItemKey, partition: str, rank: int) -> None:
        """Put the item into the index of the largest, unless it stands there with this rank or a higher one."""
        ...

    def forget_writers(self, key: ItemKey, writers: Iterable[str]) -> None:
        """Remove the watermarks of writers whose stream no longer holds any of their records."""
        ...


class StoreError(Exception):
    """A store did not answer, or refused for a reason that may pass (throttled, unavailable). The write may or may
    not have been applied; the same write again is safe."""


@dataclass(slots=True)
class Contribution:
    """What one record adds to one item."""

    sequence: int
    delta: Delta


def applied_to(before: TallyItem, update: Update) -> TallyItem:
    """`before` with `update` applied: what the store holds after a write that it accepted."""
    return _sum(before, update, {**before.watermarks, update.writer: update.last}, update.flushed_ms)


def added_to(before: TallyItem, addition: Addition) -> TallyItem:
    """`before` with the counts of an addition, and nothing else changed but when it arrived, where it says so."""
    flushed_ms = before.last_flush_ms if addition.flushed_ms is None else addition.flushed_ms
    return _sum(before, addition, before.watermarks, flushed_ms)


def _sum(
    before: TallyItem, added: Update | Addition, watermarks: Mapping[str, int], last_flush_ms: int | None
) -> TallyItem:
    delta, shares = added.delta, before.shares
    if added.shared:
        shares = {**shares, added.writer: shares.get(added.writer, 0) + delta.units}
    return TallyItem(
        before.units + delta.units,
        before.charged + delta.charged,
        before.denied + delta.denied,
        _with(before.days, delta.days),
        watermarks,
        last_flush_ms,
        before.epoch,
        shares,
        _with(before.free_days, delta.free_days),
        _with(before.denied_days, delta.denied_days),
    )


def _with(days: Mapping[int, int], more: Mapping[int, int]) -> Mapping[int, int]:
    if not more:
        return days
    days = dict(days)
    for day, count in more.items():
        days[day] = days.get(day, 0) + count
    return days


def of_day(item: TallyItem, day: int) -> TallyItem:
    """What an item of a month tells of one of its days."""
    charged = item.days.get(day, 0)
    return TallyItem(charged + item.free_days.get(day, 0), charged, item.denied_days.get(day, 0))


def claimed(stored: Claim | None, claim: Claim) -> Claimed:
    """What becomes of `claim` where `stored` is: the same line is counted, whatever its time; a call from less than
    24 hours after the stored one is the same call, and so is an older one, which comes late."""
    if stored is not None and stored.by == claim.by:
        return "again"
    return "added" if stored is None or stored.at_ms <= claim.at_ms - CLAIM_MS else "taken"


def claim_key(line: UsageLine) -> str:
    """What is claimed for a line: its idempotency key is its caller's own, so no caller's key can take another's."""
    idem = line.idem or ""
    return idem if idem.startswith(RETRY_PREFIX) else f"{line.key or line.ip}/{idem}"


def missing_part(contributions: Iterable[Contribution], watermark: int | None) -> tuple[int, Delta] | None:
    """The first sequence number and the sum of the contributions above `watermark`, or None when there is none."""
    first, total = None, Delta()
    for contribution in contributions:
        if watermark is None or contribution.sequence > watermark:
            first = contribution.sequence if first is None else min(first, contribution.sequence)
            total.add(contribution.delta)
    return None if first is None else (first, total)
