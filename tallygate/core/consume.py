"""The consumer: a batch of records of one writer, in order, into the tally, the gate and the rejects. decode → fold →
tally → publish, and last the digests that say that the batch is counted.

A pure function of the record sequence and of what the stores answer: no clock decides. A failure raises, whatever was
written by then: the batch comes again, perhaps with other boundaries, and is applied in its missing parts.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, Protocol, TypeVar

from tallygate.core.fold import Fold, ItemFold
from tallygate.core.lines import UsageLine
from tallygate.core.names import MONTH_SK, Kind
from tallygate.core.payload import Loads, Payload, Record, Reject, decode, lines_of
from tallygate.core.publish import GateWriter, PublishMode, publication_of, rate_milli, should_publish
from tallygate.core.ranks import rank_of, rank_partition
from tallygate.core.seen import SeenBatch, SeenPayloads
from tallygate.core.tally import (
    CLAIM_KEEP_SECONDS,
    Addition,
    Claim,
    Delta,
    ItemKey,
    TallyItem,
    TallyStore,
    Update,
    applied_to,
    claim_key,
    missing_part,
)

MAX_WATERMARKS: Final = 16
"""An item with more has writers to forget: they would take it past 1 KB, and so to two write units."""

Given = TypeVar("Given")
Came = TypeVar("Came")


class Rejects(Protocol):
    """The mailbox for what can never be counted."""

    def send(self, writer: str, rejects: Sequence[Reject]) -> None:
        """Keep every one of `rejects`; raises StoreError when that is not certain. A repeated batch sends them
        again."""
        ...


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """`keep_items_seconds`: how long an item of the tally outlives its month: longer than the stream's retention and
    a week, so that no replay meets an item whose watermark is gone."""

    home: str
    homes: int
    publish: PublishMode
    keep_items_seconds: int


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


class Counted(NamedTuple):
    """What counting one item came to. `repeated`: a part of it had been applied before."""

    published: bool
    repeated: bool


class ForEach(Protocol):
    """Runs a function for each entry, perhaps several at a time, and returns, or raises, when all have ended."""

    def __call__(self, function: Callable[[Given], Came], entries: Sequence[Given], /) -> list[Came]: ...


def one_by_one(function: Callable[[Given], Came], entries: Sequence[Given], /) -> list[Came]:
    """The plain ForEach."""
    return [function(entry) for entry in entries]


class Consumer:
    """The consumer of one container: everything that lives from batch to batch is in `seen` and in `_flushed`."""

    def __init__(
        self,
        settings: ConsumerSettings,
        tally: TallyStore,
        gate: GateWriter,
        rejects: Rejects,
        seen: SeenPayloads,
        loads: Loads,
        for_each: ForEach = one_by_one,
    ) -> None:
        self._settings = settings
        self._tally = tally
        self._gate = gate
        self._rejects = rejects
        self._seen = seen
        self._loads = loads
        self._for_each = for_each
        self._flushed: dict[str, tuple[int, int]] = {}
        self._writers: set[str] | None = None

    def consume(self, writer: str, records: Sequence[Record]) -> Outcome:
        """Count one batch. `records` are in the order of their sequence numbers. Raises StoreError when a part may
        not have been counted; the same records, in whatever batches, may then be given again to this or any other
        consumer."""
        if not records:
            return Outcome()
        outcome = Outcome()
        self._writers = None
        payloads = [decode(record, self._loads) for record in records]
        batch = SeenBatch(tuple(payload.sighting for payload in payloads))
        dropped = self._seen.duplicates(writer, batch)
        outcome.duplicates = len(dropped)
        fold, once = self._fold((payload for payload in payloads if payload.record.sequence not in dropped), outcome)

        flushed_ms = batch.newest_ms
        flush = _Flush(writer, batch.last, flushed_ms, self._span_ms(writer, batch), fold.mean_delay_ms)
        entries = fold.in_writing_order()
        keys = sum(1 for _, item in entries if item.kind == "key")
        for part in (entries[:keys], entries[keys:]):
            for counted in self._for_each(lambda entry: self._count(*entry, flush), part):
                outcome.published += counted.published
                outcome.repeated_items += counted.repeated
        outcome.repeated_calls, outcome.oldest_repeat_ms = self._count_once(once, flush), self._seen.oldest_repeat_ms
        if outcome.rejects:
            self._rejects.send(writer, outcome.rejects)
        self._seen.remember(writer, batch)
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
            fold.add(record.sequence, record.arrived_ms, plain, self._settings.keep_items_seconds)
        outcome.lines, outcome.items, outcome.mean_delay_ms = fold.lines, len(fold.items), fold.mean_delay_ms
        return fold, once

    def _span_ms(self, writer: str, batch: SeenBatch) -> int:
        """Time over which the batch was collected: since the last flush of its writer when this container made it."""
        last, flushed_ms = self._flushed.get(writer, (batch.first, 0))
        began_ms = flushed_ms if last < batch.first else batch.oldest_ms
        return max(0, batch.newest_ms - began_ms)

    def _count(self, key: ItemKey, item: ItemFold, flush: "_Flush") -> Counted:
        watermark: int | None = None
        while (missing := missing_part(item.contributions, watermark)) is not None:
            first, delta = missing
            update = Update(
                key, flush.writer, first, flush.last, delta, flush.flushed_ms, item.expires_seconds, item.shared
            )
            written = self._tally.add(update)
            if written.applied:
                step = _Step(written.before, applied_to(written.before, update), delta, repeated=watermark is not None)
                break
            stored = written.before.watermarks[flush.writer]
            if watermark is not None and stored <= watermark:
                raise RuntimeError(f"the tally refused an update of {key} above its watermark")
            watermark, before = stored, written.before
        else:
            # All of it had been applied. Whether it was published and ranked then, nobody knows.
            offered = Delta(denied=sum(contribution.delta.offered for contribution in item.contributions))
            step = _Step(replace(before, last_flush_ms=None), before, offered, repeated=True)
        self._forget_writers(key, step, flush)
        if item.kind is None:
            return Counted(False, step.repeated)
        published = self._publish(key, item, step, flush)
        self._rank(key, item.kind, step)
        return Counted(published, step.repeated)

    def _count_once(self, lines: Sequence[UsageLine], flush: "_Flush") -> int:
        """Count lines that have an idempotency key, each in one transaction with the claim of its key; how many of
        them were counted before. What the items call for follows once for all, and without asking: nobody knows what
        stood there before."""
        touched: dict[ItemKey, ItemFold] = {}
        repeated = 0
        for fold in self._for_each(lambda line: self._claim(line, flush), lines):
            repeated += fold is None
            for key, item in fold.items.items() if fold else ():
                if item.kind is not None and (key not in touched or touched[key].caps_of < item.caps_of):
                    touched[key] = item
        self._for_each(lambda entry: self._follow_up(*entry, flush), list(touched.items()))
        return repeated

    def _claim(self, line: UsageLine, flush: "_Flush") -> Fold | None:
        """What `line` added now, or had added already; None when another line had its key."""
        fold = Fold()
        fold.add(flush.last, flush.flushed_ms, [line], self._settings.keep_items_seconds)
        kept_until = flush.flushed_ms // 1000 + CLAIM_KEEP_SECONDS
        claim = Claim(claim_key(line), line.id, line.timestamp_ms, kept_until)
        additions = [
            Addition(key, flush.writer, item.contributions[0].delta, item.expires_seconds, item.shared)
            for key, item in fold.items.items()
        ]
        return None if self._tally.add_once(claim, additions) == "taken" else fold

    def _follow_up(self, key: ItemKey, item: ItemFold, flush: "_Flush") -> None:
        now = replace(self._tally.get(key), last_flush_ms=None)
        step = _Step(now, now, item.contributions[0].delta, repeated=True)
        self._publish(key, item, step, flush)
        if item.kind is not None:
            self._rank(key, item.kind, step)

    def _publish(self, key: ItemKey, item: ItemFold, step: "_Step", flush: "_Flush") -> bool:
        """After a repeat nobody knows what was published before: so it is done for every count that has a mark behind
        it, and a crash between a count and its publication heals."""
        settings = self._settings
        before, days = (TallyItem(), step.after.days) if step.repeated else (step.before, step.delta.days)
        due = should_publish(before, step.after, item.caps, days, settings.homes, settings.publish)
        kept_until = item.expires_seconds
        if not item.caps or kept_until is None or not due:
            return False
        rate = rate_milli(step.before, step.delta.offered, flush.flushed_ms, flush.span_ms)
        return self._gate.publish(
            publication_of(key, settings.home, step.after, rate, flush.flushed_ms, flush.lag_ms, kept_until)
        )

    def _rank(self, key: ItemKey, kind: Kind, step: "_Step") -> None:
        rank = rank_of(step.after.units + step.after.denied)
        if rank and (step.repeated or rank != rank_of(step.before.units + step.before.denied)):
            self._tally.set_rank(key, rank_partition(kind, key.sk.removeprefix(MONTH_SK), key.pk), rank)

    def _forget_writers(self, key: ItemKey, step: "_Step", flush: "_Flush") -> None:
        if len(step.after.watermarks) > MAX_WATERMARKS:
            if self._writers is None:  # once for a batch: it is the same for all items
                self._writers = self._seen.writers()
            forgotten = step.after.watermarks.keys() - self._writers - {flush.writer}
            if forgotten:
                self._tally.forget_writers(key, sorted(forgotten))


@dataclass(frozen=True, slots=True)
class _Step:
    """What an item went through in one batch; equal ends when it was there already."""

    before: TallyItem
    after: TallyItem
    delta: Delta
    repeated: bool


@dataclass(frozen=True, slots=True)
class _Flush:
    """What the items of one batch share."""

    writer: str
    last: int
    flushed_ms: int
    span_ms: int
    lag_ms: int
