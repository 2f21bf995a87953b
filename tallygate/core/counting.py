"""Counting a fold: each item into the tally, once, and what follows from its step: published when it passed a mark,
ranked when it grew by a half. The consumer counts a batch of records this way; whoever has lines from elsewhere (the
simulator) counts them by the same code.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol, TypeVar

from tallygate.core.fold import Fold, ItemFold
from tallygate.core.lines import UsageLine
from tallygate.core.names import MONTH_SK, SUBSCRIBED_KINDS, Kind
from tallygate.core.publish import GateWriter, PublishMode, publication_of, rate_milli, should_publish, should_tell_rate
from tallygate.core.ranks import rank_of, rank_partition
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

BATCH_WINDOW_MS: Final = 5_000
"""How long a record may wait for others in a batch; `stacks/home.py` sets the event source mapping to it."""

Given = TypeVar("Given")
Came = TypeVar("Came")


class ForEach(Protocol):
    """Runs a function for each entry, perhaps several at a time, and returns, or raises, when all have ended."""

    def __call__(self, function: Callable[[Given], Came], entries: Sequence[Given], /) -> list[Came]: ...


def one_by_one(function: Callable[[Given], Came], entries: Sequence[Given], /) -> list[Came]:
    """The plain ForEach."""
    return [function(entry) for entry in entries]


@dataclass(frozen=True, slots=True)
class CountingSettings:
    """`keep_items_seconds`: how long an item of the tally outlives its month or hour: longer than the stream's
    retention and a week, so that no replay meets an item whose watermark is gone. `keep_keys_seconds`: how long those
    of the months of keys do, if that is longer."""

    home: str
    homes: int
    publish: PublishMode
    keep_items_seconds: int
    keep_keys_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Flush:
    """What the items of one batch share: its writer, the sequence number of its last record, when that arrived, over
    what time it was collected, and the mean delay of its calls."""

    writer: str
    last: int
    flushed_ms: int
    span_ms: int
    lag_ms: int


def collected_ms(flushed_ms: int | None, oldest_ms: int, newest_ms: int) -> int:
    """Over what time a batch was collected, whose records arrived from `oldest_ms` to `newest_ms`: since the flush
    before it, at `flushed_ms`, when this container made that; but of a quiet shard's time only what a batch may wait
    for."""
    since_ms = newest_ms - oldest_ms if flushed_ms is None else newest_ms - flushed_ms
    return max(0, min(since_ms, max(newest_ms - oldest_ms, BATCH_WINDOW_MS)))


class Counted(NamedTuple):
    """What counting one item came to. `repeated`: a part of it had been applied before."""

    published: bool
    repeated: bool


@dataclass(frozen=True, slots=True)
class _Step:
    """What an item went through in one batch; equal ends when it was there already."""

    before: TallyItem
    after: TallyItem
    delta: Delta
    repeated: bool


class Counting:
    """Counts the folds of one container. `writers` names those whose records the stream may still hold."""

    def __init__(
        self,
        settings: CountingSettings,
        tally: TallyStore,
        gate: GateWriter,
        writers: Callable[[], Collection[str]],
        for_each: ForEach = one_by_one,
    ) -> None:
        self._settings = settings
        self._tally = tally
        self._gate = gate
        self._read_writers = writers
        self._for_each = for_each
        self._writers: frozenset[str] | None = None

    def count(self, fold: Fold, flush: Flush) -> list[Counted]:
        """Count every item of `fold`, keys first. Raises StoreError when a part may not have been counted; the same
        records again are then applied in their missing parts."""
        self._writers = None
        entries = fold.in_writing_order()
        keys = sum(1 for _, item in entries if item.kind in SUBSCRIBED_KINDS)
        counted: list[Counted] = []
        for part in (entries[:keys], entries[keys:]):
            counted += self._for_each(lambda entry: self._count(*entry, flush), part)
        return counted

    def _count(self, key: ItemKey, item: ItemFold, flush: Flush) -> Counted:
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

    def count_once(self, lines: Sequence[UsageLine], flush: Flush) -> int:
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

    def _claim(self, line: UsageLine, flush: Flush) -> Fold | None:
        """What `line` added now, or had added already; None when another line had its key."""
        fold = Fold()
        kept, keys_kept = self._settings.keep_items_seconds, self._settings.keep_keys_seconds
        fold.add(flush.last, flush.flushed_ms, [line], kept, keys_expire_seconds=keys_kept)
        kept_until = flush.flushed_ms // 1000 + CLAIM_KEEP_SECONDS
        claim = Claim(claim_key(line), line.id, line.timestamp_ms, kept_until)
        additions = [
            Addition(
                key,
                flush.writer,
                item.contributions[0].delta,
                item.expires_seconds,
                item.shared,
                flush.flushed_ms if item.shared else None,
            )
            for key, item in fold.items.items()
        ]
        return None if self._tally.add_once(claim, additions) == "taken" else fold

    def _follow_up(self, key: ItemKey, item: ItemFold, flush: Flush) -> None:
        now = self._tally.get(key)
        step = _Step(replace(now, last_flush_ms=None), now, item.contributions[0].delta, repeated=True)
        self._publish(key, item, step, flush)
        if item.kind is not None:
            self._rank(key, item.kind, step)

    def _publish(self, key: ItemKey, item: ItemFold, step: _Step, flush: Flush) -> bool:
        """After a repeat nobody knows what was published before: so it is done for every count that has a mark behind
        it, and a crash between a count and its publication heals. The count is as of its own last flush, which a repeat
        may be older than: whoever reads it would estimate once more what is in it."""
        settings = self._settings
        flushed_ms = max(flush.flushed_ms, step.after.last_flush_ms or 0)
        before, days = (TallyItem(), step.after.days) if step.repeated else (step.before, step.delta.days)
        rate = rate_milli(step.before, step.delta.offered, flush.flushed_ms, flush.span_ms)
        due = should_publish(before, step.after, item.caps, days, settings.homes, settings.publish)
        if not due and step.before.units != step.after.units:  # a row with the same units would not replace the last
            due = should_tell_rate(rate, item.caps, settings.homes)
        return due and self._gate.publish(
            publication_of(key, settings.home, step.after, rate, flushed_ms, flush.lag_ms, item.row_expires_seconds)
        )

    def _rank(self, key: ItemKey, kind: Kind, step: _Step) -> None:
        """Months are ranked, hours are not."""
        if not key.sk.startswith(MONTH_SK):
            return
        rank = rank_of(step.after.units + step.after.denied)
        if rank and (step.repeated or rank != rank_of(step.before.units + step.before.denied)):
            self._tally.set_rank(key, rank_partition(kind, key.sk.removeprefix(MONTH_SK), key.pk), rank)

    def _forget_writers(self, key: ItemKey, step: _Step, flush: Flush) -> None:
        if len(step.after.watermarks) > MAX_WATERMARKS:
            if self._writers is None:  # once for a batch: it is the same for all items
                self._writers = frozenset(self._read_writers())
            forgotten = step.after.watermarks.keys() - self._writers - {flush.writer}
            if forgotten:
                self._tally.forget_writers(key, sorted(forgotten))
