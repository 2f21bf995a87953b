"""The stores of the counting path in memory, with DynamoDB's semantics: conditional writes, atomic for an item. The
contract suite (tests/contracts) holds them to the real adapters."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from tallygate.core.notices import Notice
from tallygate.core.payload import Reject
from tallygate.core.publish import Publication
from tallygate.core.seen import BUCKET_MS, BatchStatistics, SeenBatch, Sighting, bucket_of
from tallygate.core.tally import (
    Addition,
    Claim,
    Claimed,
    ItemKey,
    TallyItem,
    Update,
    Written,
    added_to,
    applied_to,
    claimed,
)


@dataclass
class MemoryTally:
    """TallyStore of one home."""

    items: dict[ItemKey, TallyItem] = field(default_factory=dict)
    ranks: dict[ItemKey, tuple[str, int]] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)

    def add(self, update: Update) -> Written:
        before = self.items.get(update.key, TallyItem())
        watermark = before.watermarks.get(update.writer)
        if watermark is not None and watermark >= update.first:
            return Written(False, before)
        self.items[update.key] = applied_to(before, update)
        return Written(True, before)

    def add_once(self, claim: Claim, additions: Sequence[Addition]) -> Claimed:
        answer = claimed(self.claims.get(claim.idem), claim)
        if answer == "added":
            self.claims[claim.idem] = claim
            for addition in additions:
                self.items[addition.key] = added_to(self.get(addition.key), addition)
        return answer

    def get(self, key: ItemKey) -> TallyItem:
        return self.items.get(key, TallyItem())

    def set_rank(self, key: ItemKey, partition: str, rank: int) -> None:
        if key not in self.ranks or self.ranks[key][1] < rank:
            self.ranks[key] = (partition, rank)

    def forget_writers(self, key: ItemKey, writers: Iterable[str]) -> None:
        item = self.items.get(key)
        if item is not None:
            left = {writer: mark for writer, mark in item.watermarks.items() if writer not in set(writers)}
            self.items[key] = replace(item, watermarks=left)


@dataclass
class MemorySeen:
    """SeenStore of one home."""

    buckets: dict[tuple[str, int], dict[tuple[int, int], SeenBatch]] = field(default_factory=dict)
    registered: dict[str, int] = field(default_factory=dict)

    def writers(self) -> list[str]:
        return sorted(self.registered)

    def register(self, writer: str, expires_seconds: int) -> None:
        self.registered[writer] = expires_seconds

    def seen(self, writer: str, from_ms: int, to_ms: int) -> Iterator[Sighting]:
        for bucket_ms in range(bucket_of(from_ms), bucket_of(to_ms) + 1, BUCKET_MS):
            for batch in self.buckets.get((writer, bucket_ms), {}).values():
                yield from batch.sightings

    def keep(
        self, writer: str, batch: SeenBatch, expires_seconds: int, statistics: BatchStatistics | None = None
    ) -> None:
        for bucket_ms, part in batch.by_bucket():
            self.buckets.setdefault((writer, bucket_ms), {})[part.first, part.last] = part


@dataclass
class MemoryGate:
    """GateWriter of one home: its rows by (pk, period)."""

    rows: dict[tuple[str, str], Publication] = field(default_factory=dict)

    def publish(self, publication: Publication) -> bool:
        place = (publication.pk, publication.period)
        stored = self.rows.get(place)
        new = (publication.item.epoch, publication.item.units)
        if stored is not None and new <= (stored.item.epoch, stored.item.units):
            return False
        self.rows[place] = publication
        return True


@dataclass
class MemoryRejects:
    """Rejects of one home, as (writer, reject)."""

    sent: list[tuple[str, Reject]] = field(default_factory=list)

    def send(self, writer: str, rejects: Sequence[Reject]) -> None:
        self.sent += [(writer, reject) for reject in rejects]


@dataclass
class MemoryTold:
    """ToldStore: when each notice was told first, by its place."""

    at_ms: dict[str, int] = field(default_factory=dict)

    def told(self, notices: Sequence[Notice]) -> set[str]:
        return {notice.place for notice in notices} & self.at_ms.keys()

    def remember(self, notice: Notice, now_ms: int) -> None:
        self.at_ms.setdefault(notice.place, now_ms)
