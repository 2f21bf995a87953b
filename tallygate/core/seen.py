"""Payload deduplication. CloudWatch Logs may send a payload twice, under a new sequence number and, after a reshard,
through another shard; a watermark cannot tell. So each batch leaves a digest of its payloads behind, and a payload
that is known under a lower sequence number, within the window, is dropped.

The window is a span of arrival times, which belong to the records: a replay decides as the first run did. After a
repeat the cache of a writer is thrown away and read again, since it then holds sightings from after the records at
hand.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from tallygate.core.periods import HOUR_MS

DIGEST_BYTES: Final = 16
SLACK_MS: Final = 300_000
"""Arrival times are approximate and batches overlap: reading back goes this much further than the window."""
PRUNE_ABOVE: Final = 10_000
"""Digests of one writer held in memory before those past the window are let go; about 150 bytes each."""
REGISTER_EVERY_MS: Final = 6 * HOUR_MS
"""How often a writer says that it is still there: well within the day that a registration outlives the stream's
retention."""


class Sighting(NamedTuple):
    """One payload as it arrived."""

    sequence: int
    arrived_ms: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class SeenBatch:
    """The payloads of one batch of one writer, in order of their sequence numbers; stored under the last of them."""

    sightings: tuple[Sighting, ...]

    @property
    def first(self) -> int:
        return self.sightings[0].sequence

    @property
    def last(self) -> int:
        return self.sightings[-1].sequence

    @property
    def arrived_ms(self) -> int:
        return max(sighting.arrived_ms for sighting in self.sightings)


class SeenStore(Protocol):
    """Where digests are kept: strongly consistent, in the home. Raises StoreError as TallyStore does."""

    def writers(self) -> list[str]:
        """Every writer of this home whose records the stream may still hold."""
        ...

    def register(self, writer: str, expires_seconds: int) -> None:
        """Add `writer` to the writers, or keep it there until `expires_seconds`."""
        ...

    def below(self, writer: str, sequence: int) -> Iterable[SeenBatch]:
        """Batches that end below `sequence`, newest first."""
        ...

    def above(self, writer: str, sequence: int) -> Iterable[SeenBatch]:
        """Batches that end above `sequence`, oldest first."""
        ...

    def append(self, writer: str, batch: SeenBatch, expires_seconds: int) -> None:
        """Keep `batch`; one with the same last sequence number is replaced."""
        ...


def digest_of(event_ids: Iterable[str]) -> bytes:
    """What identifies a payload: the ids that CloudWatch Logs gave its events, in order."""
    return hashlib.blake2b("\n".join(event_ids).encode(), digest_size=DIGEST_BYTES).digest()


@dataclass(slots=True)
class _Shard:
    """What a container knows of one writer: the payloads up to `cursor`, the last record that it counted; for each
    digest the latest sighting as (sequence number, arrival)."""

    cursor: int
    registered_ms: int
    latest: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    prune_above: int = 0

    def see(self, sightings: Iterable[Sighting]) -> None:
        for sequence, arrived_ms, digest in sightings:
            known = self.latest.get(digest)
            if known is None or known[0] < sequence:
                self.latest[digest] = (sequence, arrived_ms)

    def prune(self, not_before_ms: int) -> None:
        if len(self.latest) > max(PRUNE_ABOVE, self.prune_above):
            self.latest = {digest: seen for digest, seen in self.latest.items() if seen[1] >= not_before_ms}
            self.prune_above = 2 * len(self.latest)


class SeenPayloads:
    """The deduplication of one container. It may take turns with others on a shard; it shares nothing with them but
    the store."""

    def __init__(self, store: SeenStore, window_ms: int, keep_seconds: int) -> None:
        """`window_ms`: how much later than a payload its repeat may arrive. `keep_seconds`: how long digests outlive
        their arrival, at least the stream's retention and a day, so that a replay finds those of the records before
        its start."""
        self._store = store
        self._window_ms = window_ms
        self._keep_seconds = keep_seconds
        self._shards: dict[str, _Shard] = {}
        self._pending: tuple[str, _Shard] | None = None

    def duplicates(self, writer: str, batch: SeenBatch) -> set[int]:
        """Sequence numbers of the payloads of `batch` to drop. Ask before a batch is counted; call `remember` when it
        is."""
        # Taken out until `remember` puts it back: after a failure in between, the store is asked anew.
        shard = self._shards.pop(writer, None)
        if shard is None or batch.first <= shard.cursor:
            shard = self._take_over(writer, batch)
        for other in self._store.above(
            writer, shard.cursor
        ):  # another container's turn, or batches with other boundaries
            if other.first >= batch.first:
                break
            shard.see(sighting for sighting in other.sightings if sighting.sequence < batch.first)
        dropped = set()
        for sighting in batch.sightings:
            known = shard.latest.get(sighting.digest)
            if known is not None and sighting.arrived_ms - known[1] <= self._window_ms:
                dropped.add(sighting.sequence)
            shard.see((sighting,))
        shard.cursor = batch.last
        self._pending = (writer, shard)
        return dropped

    def remember(self, writer: str, batch: SeenBatch) -> None:
        """Leave the digests of a batch behind, once its counts are written."""
        pending, self._pending = self._pending, None
        if pending is None or pending[0] != writer or pending[1].cursor != batch.last:
            raise ValueError("remember follows duplicates, with the same batch")
        shard = pending[1]
        newest_ms = batch.arrived_ms
        if newest_ms - shard.registered_ms > REGISTER_EVERY_MS:
            self._register(writer, shard, newest_ms)
        self._store.append(writer, batch, self._expiry(newest_ms))
        shard.prune(newest_ms - self._window_ms - SLACK_MS)
        self._shards[writer] = shard

    def writers(self) -> list[str]:
        """Every writer whose records the stream may still hold."""
        return self._store.writers()

    def _take_over(self, writer: str, batch: SeenBatch) -> _Shard:
        """What every writer of the home left within the window before `batch`: a reshard moves log streams between
        shards."""
        oldest_ms = min(sighting.arrived_ms for sighting in batch.sightings)
        shard = _Shard(cursor=batch.first - 1, registered_ms=0)
        self._register(writer, shard, oldest_ms)
        for other in self._store.writers():
            for before in self._store.below(other, batch.first):
                if before.arrived_ms < oldest_ms - self._window_ms - SLACK_MS:
                    break
                shard.see(before.sightings)
        return shard

    def _register(self, writer: str, shard: _Shard, now_ms: int) -> None:
        self._store.register(writer, self._expiry(now_ms))
        shard.registered_ms = now_ms

    def _expiry(self, arrived_ms: int) -> int:
        return arrived_ms // 1000 + self._keep_seconds
