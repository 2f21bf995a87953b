"""Payload deduplication. CloudWatch Logs may send a payload twice, under a new sequence number and, after a reshard,
through another shard; a watermark cannot tell. So each batch leaves digests of its payloads behind, and a payload
that is known under a lower sequence number, within the window, is dropped.

The window is a span of arrival times, which belong to the records: a replay decides as the first run did. A container
remembers what it counted; what lies between its last record and the batch at hand, another container's turn, it reads
from the store, and after a repeat or a failure the whole window.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, NamedTuple, Protocol

from tallygate.core.periods import HOUR_MS, MINUTE_MS

DIGEST_BYTES: Final = 16
BUCKET_MS: Final = MINUTE_MS
"""Digests are stored by minute of arrival, whatever the batches were: so a window is one range of keys."""
JITTER_MS: Final = MINUTE_MS
"""Arrival times are approximate, and need not rise with the sequence number (Kinesis,
Record.ApproximateArrivalTimestamp)."""
PRUNE_ABOVE: Final = 10_000
"""Digests of one writer held in memory before those past the window are let go; about 180 bytes each (a dict of 16
bytes to an int), so the payloads of a day at ten a second are 150 MB."""
REGISTER_EVERY_MS: Final = 6 * HOUR_MS
"""How often a writer says that it is there: well within the day by which a registration outlives the stream's
retention."""


class Sighting(NamedTuple):
    """One payload as it arrived."""

    sequence: int
    arrived_ms: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class SeenBatch:
    """Payloads of one writer, in order of their sequence numbers."""

    sightings: tuple[Sighting, ...]

    @property
    def first(self) -> int:
        return self.sightings[0].sequence

    @property
    def last(self) -> int:
        return self.sightings[-1].sequence

    @property
    def oldest_ms(self) -> int:
        return min(sighting.arrived_ms for sighting in self.sightings)

    @property
    def newest_ms(self) -> int:
        return max(sighting.arrived_ms for sighting in self.sightings)

    def by_bucket(self) -> "Iterator[tuple[int, SeenBatch]]":
        """The parts of the batch that are stored apart: (minute of arrival in ms, its payloads)."""
        in_buckets = sorted(self.sightings, key=lambda sighting: (bucket_of(sighting.arrived_ms), sighting.sequence))
        for bucket_ms, sightings in groupby(in_buckets, key=lambda sighting: bucket_of(sighting.arrived_ms)):
            yield bucket_ms, SeenBatch(tuple(sightings))


class BatchStatistics(NamedTuple):
    """What counting a batch came to: lines, the mean time of their calls, their mean delay from call to arrival, and
    rows published. Nothing goes by it but people who look."""

    lines: int
    called_ms: int
    mean_delay_ms: int
    published: int


class SeenStore(Protocol):
    """Where digests are kept: strongly consistent, in the home. Raises StoreError as TallyStore does."""

    def writers(self) -> Iterable[str]:
        """Every writer of this home whose records the stream may still hold."""
        ...

    def register(self, writer: str, expires_seconds: int) -> None:
        """Add `writer` to the writers, or keep it there until `expires_seconds`."""
        ...

    def seen(self, writer: str, from_ms: int, to_ms: int) -> Iterable[Sighting]:
        """Every sighting kept for `writer` whose minute of arrival lies between those of the two times, in any
        order."""
        ...

    def keep(
        self, writer: str, batch: SeenBatch, expires_seconds: int, statistics: BatchStatistics | None = None
    ) -> None:
        """Keep the sightings of `batch`, beside all that are there; with them, and in no further write, `statistics`
        and the time."""
        ...


def bucket_of(arrived_ms: int) -> int:
    """The minute of arrival, in ms, under which a sighting is stored."""
    return arrived_ms // BUCKET_MS * BUCKET_MS


def digest_of(event_ids: Iterable[str]) -> bytes:
    """What identifies a payload: the ids that CloudWatch Logs gave its events, in order."""
    return hashlib.blake2b("\n".join(event_ids).encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()


@dataclass(slots=True)
class _Shard:
    """What a container knows of one writer: the payloads up to `cursor`, the last record that it counted; for each
    digest its latest arrival."""

    registered_ms: int
    cursor: int = -1
    cursor_ms: int = 0
    latest: dict[bytes, int] = field(default_factory=dict)
    prune_above: int = 0

    def see(self, sighting: Sighting) -> None:
        known_ms = self.latest.get(sighting.digest)
        if known_ms is None or known_ms < sighting.arrived_ms:
            self.latest[sighting.digest] = sighting.arrived_ms

    def prune(self, not_before_ms: int) -> None:
        if len(self.latest) > max(PRUNE_ABOVE, self.prune_above):
            self.latest = {digest: seen_ms for digest, seen_ms in self.latest.items() if seen_ms >= not_before_ms}
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
        self.oldest_repeat_ms = 0
        """How long after its first sighting the latest repeat of the last batch came: how near the window's end they
        are."""

    def duplicates(self, writer: str, batch: SeenBatch) -> set[int]:
        """Sequence numbers of the payloads of `batch` to drop. Ask before a batch is counted; call `remember` when it
        is."""
        # Taken out until `remember` puts it back: after a failure in between, the store is asked anew.
        shard = self._shards.pop(writer, None)
        if shard is None or batch.first <= shard.cursor:
            shard = self._take_over(writer, batch)
        else:
            self._catch_up(writer, shard, batch)
        if batch.newest_ms - shard.registered_ms > REGISTER_EVERY_MS:
            # Before anything of the batch is counted: another must never take this writer's watermarks for forgotten.
            shard.registered_ms = self._register(writer, batch)
        dropped = set()
        self.oldest_repeat_ms = 0
        for sighting in batch.sightings:
            known_ms = shard.latest.get(sighting.digest)
            if known_ms is not None and sighting.arrived_ms - known_ms <= self._window_ms:
                dropped.add(sighting.sequence)
                self.oldest_repeat_ms = max(self.oldest_repeat_ms, sighting.arrived_ms - known_ms)
            shard.see(sighting)
        shard.cursor, shard.cursor_ms = batch.last, batch.sightings[-1].arrived_ms
        self._pending = (writer, shard)
        return dropped

    def remember(self, writer: str, batch: SeenBatch, statistics: BatchStatistics | None = None) -> None:
        """Leave the digests of a batch behind, once its counts are written."""
        pending, self._pending = self._pending, None
        if pending is None or pending[0] != writer or pending[1].cursor != batch.last:
            raise ValueError("remember follows duplicates, with the same batch")
        shard = pending[1]
        self._store.keep(writer, batch, self._expiry(batch), statistics)
        shard.prune(batch.newest_ms - self._window_ms - JITTER_MS)
        self._shards[writer] = shard

    def writers(self) -> set[str]:
        """Every writer whose records the stream may still hold."""
        return set(self._store.writers())

    def _take_over(self, writer: str, batch: SeenBatch) -> _Shard:
        """What every writer of the home left within the window before `batch`: a reshard moves log streams. The
        writer is registered before anything of it is counted, or another could take its watermarks for forgotten."""
        shard = _Shard(self._register(writer, batch))
        for other in self._store.writers():
            for sighting in self._store.seen(other, batch.oldest_ms - self._window_ms, batch.newest_ms + JITTER_MS):
                if sighting.sequence < batch.first:
                    shard.see(sighting)
        return shard

    def _catch_up(self, writer: str, shard: _Shard, batch: SeenBatch) -> None:
        """What other containers counted since this one had the shard: mostly nothing, in one or two small reads."""
        for sighting in self._store.seen(
            writer, shard.cursor_ms - JITTER_MS, batch.sightings[0].arrived_ms + JITTER_MS
        ):
            if shard.cursor < sighting.sequence < batch.first:
                shard.see(sighting)

    def _register(self, writer: str, batch: SeenBatch) -> int:
        # As long as the digests that it leads to, also when this is the last time for a while.
        self._store.register(writer, self._expiry(batch) + REGISTER_EVERY_MS // 1000)
        return batch.newest_ms

    def _expiry(self, batch: SeenBatch) -> int:
        return batch.newest_ms // 1000 + self._keep_seconds
