"""The consumer: a batch of records of one writer, in order, into the tally, the gate and the rejects. decode → fold →
tally → publish, and last the digests that say that the batch is counted.

A pure function of the record sequence and of what the stores answer: no clock decides. A failure raises, whatever was
written by then: the batch comes again, perhaps with other boundaries, and is applied in its missing parts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tallygate.core.counting import Counting, CountingSettings, Flush, ForEach, collected_ms, one_by_one
from tallygate.core.fold import Fold
from tallygate.core.lines import UsageLine
from tallygate.core.payload import Loads, Payload, Record, Reject, decode, lines_of
from tallygate.core.publish import GateWriter
from tallygate.core.seen import BatchStatistics, SeenBatch, SeenPayloads
from tallygate.core.tally import TallyStore


class Rejects(Protocol):
    """The mailbox for what can never be counted."""

    def send(self, writer: str, rejects: Sequence[Reject]) -> None:
        """Keep every one of `rejects`; raises StoreError when that is not certain. A repeated batch sends them
        again."""
        ...


@dataclass(slots=True)
class Outcome:
    """What one batch came to, for metrics and logs."""

    lines: int = 0
    duplicates: int = 0
    items: int = 0
    repeated_items: int = 0
    repeated_calls: int = 0
    oldest_repeat_ms: int = 0
    published: int = 0
    mean_delay_ms: int = 0
    rejects: list[Reject] = field(default_factory=list)


class Consumer:
    """The consumer of one container: everything that lives from batch to batch is in `seen` and in `_flushed`."""

    def __init__(
        self,
        settings: CountingSettings,
        tally: TallyStore,
        gate: GateWriter,
        rejects: Rejects,
        seen: SeenPayloads,
        loads: Loads,
        for_each: ForEach = one_by_one,
    ) -> None:
        self._settings = settings
        self._counting = Counting(settings, tally, gate, seen.writers, for_each)
        self._rejects = rejects
        self._seen = seen
        self._loads = loads
        self._flushed: dict[str, tuple[int, int]] = {}

    def consume(self, writer: str, records: Sequence[Record]) -> Outcome:
        """Count one batch. `records` are in the order of their sequence numbers. Raises StoreError when a part may
        not have been counted; the same records, in whatever batches, may then be given again to this or any other
        consumer."""
        if not records:
            return Outcome()
        outcome = Outcome()
        payloads = [decode(record, self._loads) for record in records]
        batch = SeenBatch(tuple(payload.sighting for payload in payloads))
        dropped = self._seen.duplicates(writer, batch)
        outcome.duplicates = len(dropped)
        fold, once = self._fold((payload for payload in payloads if payload.record.sequence not in dropped), outcome)

        flushed_ms = batch.newest_ms
        flush = Flush(writer, batch.last, flushed_ms, self._span_ms(writer, batch), fold.mean_delay_ms)
        for counted in self._counting.count(fold, flush):
            outcome.published += counted.published
            outcome.repeated_items += counted.repeated
        outcome.repeated_calls = self._counting.count_once(once, flush)
        outcome.oldest_repeat_ms = self._seen.oldest_repeat_ms
        if outcome.rejects:
            self._rejects.send(writer, outcome.rejects)
        self._seen.remember(writer, batch, _statistics(batch, outcome, len(once)))
        self._flushed[writer] = (batch.last, flushed_ms)
        return outcome

    def _fold(self, payloads: Iterable[Payload], outcome: Outcome) -> tuple[Fold, list[UsageLine]]:
        """The lines of the batch folded, and apart from them those that have an idempotency key."""
        fold, once = Fold(), []
        for payload in payloads:
            lines, rejects = lines_of(payload, self._settings.home, self._loads)
            outcome.rejects += rejects
            record = payload.record
            # A call that was refused, or that weighs nothing, leaves its key to the one that counts.
            claims = [line.idem is not None and line.verdict is None and bool(line.units or line.ctr) for line in lines]
            once += [line for line, has_claim in zip(lines, claims, strict=True) if has_claim]
            plain = [line for line, has_claim in zip(lines, claims, strict=True) if not has_claim]
            kept, keys_kept = self._settings.keep_items_seconds, self._settings.keep_keys_seconds
            fold.add(record.sequence, record.arrived_ms, plain, kept, keys_expire_seconds=keys_kept)
        outcome.lines, outcome.items, outcome.mean_delay_ms = fold.lines, len(fold.items), fold.mean_delay_ms
        return fold, once

    def _span_ms(self, writer: str, batch: SeenBatch) -> int:
        """Time over which the batch was collected."""
        last, flushed_ms = self._flushed.get(writer, (batch.first, 0))
        return collected_ms(flushed_ms if last < batch.first else None, batch.oldest_ms, batch.newest_ms)


def _statistics(batch: SeenBatch, outcome: Outcome, once: int) -> BatchStatistics:
    """`once`: lines that were claimed, which are in no fold."""
    arrived_ms = sum(sighting.arrived_ms for sighting in batch.sightings) // len(batch.sightings)
    lines, delay_ms = outcome.lines + once, outcome.mean_delay_ms
    return BatchStatistics(lines, arrived_ms - delay_ms, delay_ms, outcome.published)
