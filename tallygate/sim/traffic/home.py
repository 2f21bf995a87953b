"""A home: its stream's shards, the consumer's batches, the exact counts. The real Fold and Counting; records hold lines
instead of their compressed text."""

import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

from tallygate.core.counting import Counting, CountingSettings, Flush, collected_ms
from tallygate.core.fold import Fold
from tallygate.core.lines import UsageLine
from tallygate.core.periods import DAY_MS, SECOND_MS
from tallygate.core.publish import PublishMode
from tallygate.core.tally import ItemKey, Update, Written
from tallygate.sim.memory import MemoryTally
from tallygate.sim.traffic.containers import Payload
from tallygate.sim.traffic.hottest import Hottest
from tallygate.sim.traffic.replicas import HomeGate, Replicas
from tallygate.sim.traffic.setup import Replayed, Setup

BATCH_RECORDS: Final = 300
"""Most records of a batch (`stacks/home.py`)."""
KEEP_ITEMS_SECONDS: Final = 9 * DAY_MS // 1000


class Record(NamedTuple):
    """A payload as the stream holds it."""

    sequence: int
    arrived_ms: int
    lines: Sequence[UsageLine]
    refused: Sequence[tuple[UsageLine, int]]


class CountedTally(MemoryTally):
    """A tally that knows how often it was written. `now_ms` is set by whoever lets its home flush."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.repeats = 0
        self.now_ms = 0
        self.hottest = Hottest(SECOND_MS)

    def add(self, update: Update) -> Written:
        written = super().add(update)
        self.writes += 1
        self.repeats += not written.applied
        self.hottest.add(update.key.pk, self.now_ms)
        return written

    def set_rank(self, key: ItemKey, partition: str, rank: int) -> None:
        self.writes += 1
        super().set_rank(key, partition, rank)


@dataclass(slots=True)
class Shard:
    """One shard and its writer. `due_ms`: when the waiting records are flushed, None while there are none. `history`:
    what may be read again."""

    writer: str
    waiting: deque[Record] = field(default_factory=deque)
    due_ms: int | None = None
    flushed_ms: int | None = None
    history: deque[Record] = field(default_factory=deque)


class Home:
    """The stream, the consumer and the stores of one home. `wake` asks to be called at a time with a shard."""

    def __init__(
        self,
        name: str,
        setup: Setup,
        replicas: Replicas,
        rng: Random,
        wake: Callable[[int, "Home", Shard], None],
    ) -> None:
        self.name = name
        self.tally = CountedTally()
        self.gate = HomeGate(replicas, rates=not setup.naive)
        self.shards = [Shard(f"{number}.6740f1a0") for number in range(setup.shards)]
        self.lines = 0
        self._flush_ms = setup.delays.flush_ms
        self._rng = rng
        self._wake = wake
        self._sequence = 0
        self._remember_ms = max(
            (fault.back_ms for fault in setup.faults if isinstance(fault, Replayed) and fault.home == name), default=0
        )
        mode: PublishMode = "every" if setup.naive else setup.publish
        settings = CountingSettings(name, len(setup.homes), mode, KEEP_ITEMS_SECONDS)
        self._counting = Counting(settings, self.tally, self.gate, lambda: [shard.writer for shard in self.shards])

    def arrive(self, payload: Payload, now_ms: int) -> None:
        """A payload reaches the stream: the shard of its log stream, whichever that is."""
        shard = self.shards[zlib.crc32(payload.log_stream.encode()) % len(self.shards)]
        self._sequence += 1
        shard.waiting.append(Record(self._sequence, now_ms, payload.lines, payload.refused))
        if len(shard.waiting) >= BATCH_RECORDS:
            self.flush(shard, now_ms)
        elif shard.due_ms is None:
            shard.due_ms = now_ms + self._flush_ms
            self._wake(shard.due_ms, self, shard)

    def flush(self, shard: Shard, now_ms: int) -> None:
        """Count what waits, at most BATCH_RECORDS at a time."""
        shard.due_ms = None
        while shard.waiting:
            batch = [shard.waiting.popleft() for _ in range(min(BATCH_RECORDS, len(shard.waiting)))]
            self._count(shard, batch, now_ms)
            if self._remember_ms:
                shard.history.extend(batch)
                while shard.history[0].arrived_ms < now_ms - self._remember_ms:
                    shard.history.popleft()

    def replay(self, back_ms: int, times: int, now_ms: int) -> None:
        """Read every shard again from `back_ms` before: what was counted comes again, in other batches."""
        for shard in self.shards:
            again = [record for record in shard.history if record.arrived_ms >= now_ms - back_ms]
            for _ in range(times):
                start = 0
                while start < len(again):
                    size = self._rng.randint(1, BATCH_RECORDS)
                    self._count(shard, again[start : start + size], now_ms)
                    start += size

    def forget(self, pks: frozenset[str]) -> None:
        """Let go of these identifiers' counts, ranks and publications."""
        for key in [key for key in self.tally.items if key.pk in pks]:
            del self.tally.items[key]
            self.tally.ranks.pop(key, None)
        for place in [place for place in self.gate.rows if place[0] in pks]:
            del self.gate.rows[place]

    def _count(self, shard: Shard, batch: Sequence[Record], now_ms: int) -> None:
        fold = Fold()
        for record in batch:
            fold.add(record.sequence, record.arrived_ms, record.lines, KEEP_ITEMS_SECONDS)
            for line, calls in record.refused:
                fold.add(record.sequence, record.arrived_ms, (line,), KEEP_ITEMS_SECONDS, calls)
        oldest_ms, newest_ms = batch[0].arrived_ms, max(record.arrived_ms for record in batch)
        is_next = shard.flushed_ms is not None and shard.flushed_ms <= oldest_ms
        span_ms = collected_ms(shard.flushed_ms if is_next else None, oldest_ms, newest_ms)
        self.tally.now_ms = self.gate.now_ms = now_ms
        self.lines += fold.lines
        self._counting.count(fold, Flush(shard.writer, batch[-1].sequence, newest_ms, span_ms, fold.mean_delay_ms))
        shard.flushed_ms = max(newest_ms, shard.flushed_ms or 0)
