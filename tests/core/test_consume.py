"""The consumer on the stores in memory: what it counts, publishes, ranks and rejects; repeats change nothing."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from tallygate.core.consume import Consumer, Outcome
from tallygate.core.counting import MAX_WATERMARKS, CountingSettings, ForEach, collected_ms, one_by_one
from tallygate.core.lines import Increment, UsageLine
from tallygate.core.payload import Record, Reject
from tallygate.core.plans import Caps
from tallygate.core.publish import Publication, PublishMode
from tallygate.core.seen import BatchStatistics, SeenBatch, SeenPayloads
from tallygate.core.tally import ItemKey, StoreError, Update, Written
from tallygate.sim.logs import log_payload, usage_payload
from tallygate.sim.memory import MemoryGate, MemoryRejects, MemorySeen, MemoryTally

NOW_MS = 1_795_996_800_000  # 2026-11-30T00:00:00Z
IP = ItemKey("ip#192.0.2.1", "month#2026-11")


@dataclass
class Stores:
    tally: MemoryTally = field(default_factory=MemoryTally)
    seen: MemorySeen = field(default_factory=MemorySeen)
    gate: MemoryGate = field(default_factory=MemoryGate)
    rejects: MemoryRejects = field(default_factory=MemoryRejects)

    def consumer(
        self,
        publish: PublishMode = "marks",
        homes: int = 1,
        wrap: Callable[[Any], Any] = lambda store: store,
        for_each: ForEach = one_by_one,
    ) -> Consumer:
        return Consumer(
            CountingSettings("us-east-1", homes, publish, keep_items_seconds=86_400),
            wrap(self.tally),
            wrap(self.gate),
            wrap(self.rejects),
            SeenPayloads(wrap(self.seen), 3_600_000, 86_400),
            orjson.loads,
            for_each,
        )


def _line(number: int, at_ms: int = NOW_MS, quota: int = 100) -> UsageLine:
    return UsageLine(
        f"q{number}", at_ms, "us-east-1", "eu-west-1", "192.0.2.1", None, None, 1, 200, ("ip",), {"ip": {"day": quota}}
    )


def _record(sequence: int, *lines: UsageLine, delay_ms: int = 2_000) -> Record:
    return Record(sequence, NOW_MS + sequence * 1_000 + delay_ms, usage_payload(lines))


def test_a_batch_is_counted_published_and_reported() -> None:
    stores = Stores()
    outcome = stores.consumer().consume(
        "0.1", [_record(0, *map(_line, range(5))), _record(1, *map(_line, range(5, 10)))]
    )
    item = stores.tally.items[IP]
    assert (item.units, item.charged, item.days, item.watermarks) == (10, 10, {30: 10}, {"0.1": 1})
    row = stores.gate.rows["ip#192.0.2.1", "month#2026-11"]
    assert (row.item, row.home) == (item, "us-east-1")
    assert row.lag_ms == 2_500
    assert row.at_ms == NOW_MS + 3_000 - 2_500
    assert row.rate_milli == 10_000
    assert stores.tally.ranks == {IP: ("ip#2026-11#7", 8)}
    assert outcome == Outcome(lines=10, items=2, published=1, mean_delay_ms=2_500)


def test_what_a_batch_came_to_is_left_beside_its_digests() -> None:
    class Seen(MemorySeen):
        def keep(
            self, writer: str, batch: SeenBatch, expires_seconds: int, statistics: BatchStatistics | None = None
        ) -> None:
            kept.append(statistics)

    kept: list[BatchStatistics | None] = []
    stores = Stores()
    stores.seen = Seen()
    records = [_record(0, *map(_line, range(6))), _record(1, _line(6), _line(7), replace(_line(8), idem="once"))]
    stores.consumer().consume("0.1", records)
    assert kept == [BatchStatistics(lines=9, called_ms=NOW_MS + 250, mean_delay_ms=2_250, published=1)]


def test_nothing_is_published_between_marks() -> None:
    stores = Stores()
    consumer = stores.consumer()
    published = [consumer.consume("0.1", [_record(number, _line(number))]).published for number in range(11)]
    assert published == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]


def test_every_flush_is_published_when_asked_for() -> None:
    consumer = Stores().consumer(publish="every")
    assert [consumer.consume("0.1", [_record(number, _line(number))]).published for number in range(3)] == [1, 1, 1]


def test_the_month_counts_for_marks_as_well_as_the_day() -> None:
    stores = Stores()
    consumer = stores.consumer()
    caps = {"ip": {"day": 1_000_000, "month": 10}}
    line = replace(_line(0), caps=caps)
    assert consumer.consume("0.1", [_record(0, line)]).published == 1


HOUR = ItemKey("ip#192.0.2.1", "hour#2026-11-30T00")


def test_an_hour_and_its_month_are_each_published_by_their_own_marks() -> None:
    stores = Stores()
    consumer = stores.consumer()
    caps = {"ip": {"hour": 20, "day": 100}}
    for number in range(6):
        consumer.consume("0.1", [_record(number, replace(_line(number), caps=caps))])
    published = {period: row.item.charged for (_, period), row in stores.gate.rows.items()}
    assert published == {"hour#2026-11-30T00": 6, "month#2026-11": 5}
    assert stores.tally.items[HOUR].charged == stores.tally.items[IP].charged == 6
    assert stores.gate.rows["ip#192.0.2.1", HOUR.sk].expires_seconds == NOW_MS // 1000 + 2 * 3600


def test_an_hour_has_no_rank() -> None:
    stores = Stores()
    lines = [replace(_line(number), caps={"ip": {"hour": 20}}) for number in range(9)]
    for _ in range(2):
        stores.consumer().consume("0.1", [_record(0, *lines)])
    assert list(stores.tally.ranks) == [IP]


def test_a_rate_near_a_minutes_quota_is_told_at_each_flush_and_a_slower_one_never() -> None:
    def published(calls: int) -> list[int]:
        stores = Stores()
        consumer = stores.consumer()
        told = []
        for number in range(4):
            lines = [
                replace(_line(10 * number + each), caps={"ip": {"minute": 120, "day": 10**6}}) for each in range(calls)
            ]
            told.append(consumer.consume("0.1", [_record(number, *lines)]).published)
        if told[-1]:
            assert stores.gate.rows["ip#192.0.2.1", "month#2026-11"].rate_milli == 1_000 * calls
        return told

    assert published(1) == [1, 1, 1, 1]
    assert published(0) == [0, 0, 0, 0]
    stores = Stores()
    consumer = stores.consumer()
    for number in range(4):
        line = replace(_line(number), caps={"ip": {"minute": 121}})
        assert consumer.consume("0.1", [_record(number, line)]).published == 0
    refused = replace(_line(9), caps={"ip": {"minute": 1}}, units=0, status=429, verdict="quota")
    assert consumer.consume("0.1", [_record(9, refused)]).published == 0, "its row would not replace the last"


def test_keys_of_one_owner_spend_one_quota_which_is_published_by_its_own_marks() -> None:
    stores = Stores()
    caps: Caps = {"key": {"day": 1_000}, "owner": {"day": 4}}
    calls = [
        replace(_line(number), key=f"key{number % 2}", owner="acme", charge=("key", "owner"), caps=caps)
        for number in range(6)
    ]
    stores.consumer().consume("0.1", [_record(0, *calls[:3]), _record(1, *calls[3:])])
    owner = ItemKey("owner#acme", "month#2026-11")
    assert stores.tally.items[owner].charged == 6
    assert [stores.tally.items[ItemKey(f"key#key{each}", owner.sk)].charged for each in (0, 1)] == [3, 3]
    assert {pk: row.item.charged for (pk, _), row in stores.gate.rows.items()} == {"owner#acme": 6}


def test_a_call_charged_to_the_key_uses_up_no_colleagues_quota() -> None:
    stores = Stores()
    line = replace(_line(0), key="9f2c", charge=("key",), caps={"key": {"day": 10}})
    stores.consumer().consume("0.1", [_record(0, line)])
    assert (stores.tally.items[IP].units, stores.tally.items[IP].charged) == (1, 0)
    assert stores.tally.items[ItemKey("key#9f2c", "month#2026-11")].charged == 1
    assert list(stores.gate.rows) == [("key#9f2c", "month#2026-11")]


def test_refused_calls_count_apart_and_consume_nothing() -> None:
    stores = Stores()
    refused = replace(_line(0), units=0, status=429, verdict="quota")
    stores.consumer().consume("0.1", [_record(0, _line(1), refused, refused)])
    item = stores.tally.items[IP]
    assert (item.units, item.charged, item.denied) == (1, 1, 2)


def test_calls_free_of_charge_write_nothing() -> None:
    stores = Stores()
    outcome = stores.consumer().consume("0.1", [_record(0, replace(_line(0), units=0))])
    assert (stores.tally.items, outcome.lines) == ({}, 1)


def test_what_cannot_be_counted_is_kept_and_the_rest_is_counted() -> None:
    stores = Stores()
    outcome = stores.consumer().consume(
        "0.1",
        [
            Record(1, NOW_MS, b"garbage"),
            Record(2, NOW_MS, log_payload([("e1", "not a line")])),
            _record(3, _line(1)),
        ],
    )
    assert stores.tally.items[IP].units == 1
    assert [(writer, reject.sequence, reject.reason) for writer, reject in stores.rejects.sent] == [
        ("0.1", 1, "not gzip"),
        ("0.1", 2, "not JSON"),
    ]
    assert len(outcome.rejects) == 2


def test_a_payload_sent_twice_counts_once() -> None:
    stores = Stores()
    payload = usage_payload([_line(1)])
    stores.consumer().consume("0.1", [Record(1, NOW_MS, payload)])
    outcome = stores.consumer().consume("0.1", [Record(2, NOW_MS + 9, payload)])
    assert (stores.tally.items[IP].units, outcome.duplicates, outcome.oldest_repeat_ms) == (1, 1, 9)


RECORDS = [_record(number, _line(number, quota=10), _line(100 + number, quota=10)) for number in range(6)]


def test_what_comes_again_is_published_as_of_the_last_flush() -> None:
    stores = Stores()
    stores.consumer().consume("0.1", RECORDS)
    stores.gate.rows.clear()
    stores.consumer().consume("0.1", RECORDS[:2])
    row = stores.gate.rows["ip#192.0.2.1", "month#2026-11"]
    assert row.item.units == 12
    assert row.at_ms + row.lag_ms == RECORDS[-1].arrived_ms


@pytest.mark.parametrize("first_end", range(1, 7))
@pytest.mark.parametrize("start", range(6))
def test_batches_that_come_again_with_other_boundaries_change_nothing(first_end: int, start: int) -> None:
    stores = Stores()
    stores.consumer().consume("0.1", RECORDS[:first_end])
    start = min(start, first_end)
    stores.consumer().consume("0.1", RECORDS[start:])
    assert stores.tally.items[IP].units == 12
    assert stores.gate.rows["ip#192.0.2.1", "month#2026-11"].item.units == 12


class Dying:
    """A store whose every call fails from the `dies_after`-th on: before it is done, or after with the answer lost."""

    def __init__(self, stores: Stores, dies_after: int, applied: bool) -> None:
        self.stores, self.left, self.applied = stores, dies_after, applied

    def consumer(self) -> Consumer:
        return self.stores.consumer(wrap=lambda store: _Proxy(store, self))


class _Proxy:
    def __init__(self, store: object, dying: Dying) -> None:
        self._store, self._dying = store, dying

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        method = getattr(self._store, name)

        def call(*arguments: object) -> object:
            self._dying.left -= 1
            if self._dying.left >= 0:
                return method(*arguments)
            if self._dying.left == -1 and self._dying.applied:
                method(*arguments)
            raise StoreError("gone")

        return call


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("dies_after", range(12))
def test_dying_at_any_call_loses_and_repeats_nothing(dies_after: int, applied: bool) -> None:
    stores = Stores()
    batch = [*RECORDS[:3], Record(90, NOW_MS, b"garbage")]
    dying = Dying(stores, dies_after, applied)
    try:
        dying.consumer().consume("0.1", batch)
        died = False
    except StoreError:
        died = True
    stores.consumer().consume("0.1", batch)
    assert stores.tally.items[IP].units == 6
    assert stores.gate.rows["ip#192.0.2.1", "month#2026-11"].item.units == 6
    assert {reject.reason for _, reject in stores.rejects.sent} == {"not gzip"}
    assert died == (dies_after < 8)


# --- what goes with the counts
# -----------------------------------------------------------------------------------------


def test_keys_are_written_before_anything_else() -> None:
    parts: list[list[str]] = []

    def for_each(function, entries):  # type: ignore[no-untyped-def]
        parts.extend([[key.pk for key, _ in entries]] if entries else [])
        return [function(entry) for entry in entries]

    consumer = Stores().consumer(for_each=for_each)
    line = replace(_line(0), key="9f2c", ref="shop.example")
    consumer.consume("0.1", [_record(0, line, replace(line, key="0a1b"))])
    assert parts == [["key#0a1b", "key#9f2c"], ["all#eu-west-1", "ip#192.0.2.1", "ref#shop.example"]]


def test_keys_and_everything_else_are_published_and_reported() -> None:
    stores = Stores()
    keyed = replace(_line(0), key="9f2c", charge=("key",), caps={"key": {"day": 10}})
    assert stores.consumer().consume("0.1", [_record(0, keyed, _line(1, quota=10))]).published == 2


@pytest.mark.parametrize(
    ("flushed_ms", "oldest_ms", "newest_ms", "collected"),
    [
        (None, 10_000, 13_000, 3_000),  # a container's first batch, or one that is read again
        (9_000, 10_000, 13_000, 4_000),  # since the flush before
        (0, 60_000, 61_000, 5_000),  # the shard was quiet: no record waits for longer than a batch
        (0, 10_000, 60_000, 50_000),  # a backlog
        (None, 7, 7, 0),
    ],
)
def test_a_batch_is_collected_since_the_flush_before_but_not_while_a_shard_is_quiet(
    flushed_ms: int | None, oldest_ms: int, newest_ms: int, collected: int
) -> None:
    assert collected_ms(flushed_ms, oldest_ms, newest_ms) == collected


def test_the_rate_is_over_the_time_since_the_containers_last_flush() -> None:
    stores = Stores()
    consumer = stores.consumer(publish="every")

    def rate() -> int:
        return stores.gate.rows["ip#192.0.2.1", "month#2026-11"].rate_milli

    consumer.consume("0.1", [_record(0, *map(_line, range(3)))])
    assert rate() == 3_000, "over a second at least"
    consumer.consume("0.1", [_record(4, *map(_line, range(3, 5)))])
    assert rate() == 500, "two in the four seconds since"
    consumer.consume("0.1", [_record(5, _line(5)), _record(9, *map(_line, range(6, 15)))])
    assert rate() == 2_000
    consumer.consume("0.1", [_record(9, *map(_line, range(6, 15))), _record(11, *map(_line, range(15, 19)))])
    assert rate() == 2_000, "four in two seconds: what came again is not offered again"
    stores.consumer(publish="every").consume("0.1", [_record(19, *map(_line, range(19, 27)))])
    assert rate() == 8_000, "a cold container knows its own batch only"


def test_everything_that_happened_is_reported() -> None:
    stores = Stores()
    calls = [replace(_line(number), ref=f"site{number}.example", charge=("ip", "ref")) for number in range(6)]
    calls = [replace(call, caps={"ip": {"day": 10}, "ref": {"day": 10}}) for call in calls]
    once = [replace(_line(90), idem="order-1"), replace(_line(91), idem="order-1"), replace(_line(92), idem="order-1")]
    outcome = stores.consumer().consume("0.1", [_record(0, *calls, *once)])
    assert (outcome.items, outcome.published, outcome.repeated_items, outcome.repeated_calls) == (8, 7, 0, 2)
    again = stores.consumer().consume("0.1", [_record(0, *calls, *once)])
    assert (again.items, again.published, again.repeated_items, again.repeated_calls) == (8, 0, 8, 2)


def test_an_item_with_a_claim_is_published_once_with_the_limits_of_its_latest_call() -> None:
    stores = Stores()
    calls = [
        replace(_line(number, NOW_MS + number, quota), idem=f"order-{number}") for number, quota in ((0, 100), (1, 2))
    ]
    for order in (calls, calls[::-1]):
        stores = Stores()
        outcome = stores.consumer().consume("0.1", [_record(0, *order)])
        assert outcome.repeated_calls == 0
        assert stores.gate.rows["ip#192.0.2.1", "month#2026-11"].item.units == 2


def test_nothing_is_sent_to_the_rejects_when_there_are_none() -> None:
    class Insisting(MemoryRejects):
        def send(self, writer: str, rejects: Sequence[Reject]) -> None:
            assert rejects
            super().send(writer, rejects)

    Stores(rejects=Insisting()).consumer().consume("0.1", [_record(0, _line(0))])


def test_a_repeat_ranks_nothing_that_has_no_rank() -> None:
    stores = Stores()
    for _ in range(2):
        stores.consumer().consume("0.1", [_record(0, _line(0))])
    assert stores.tally.ranks == {}


def test_a_rank_is_written_when_it_rises_and_at_no_other_time() -> None:
    class Counting(MemoryTally):
        written = 0

        def set_rank(self, key: ItemKey, partition: str, rank: int) -> None:
            self.written += 1
            super().set_rank(key, partition, rank)

    stores = Stores(tally=Counting())
    consumer = stores.consumer()
    refused = replace(_line(0), units=0, status=429, verdict="quota")
    ranks = []
    for number in range(12):
        line = replace(refused, id=f"q{number}") if number % 2 else _line(number)
        consumer.consume("0.1", [_record(number, line)])
        ranks.append((stores.tally.written, stores.tally.ranks.get(IP, ("", 0))[1]))  # type: ignore[attr-defined]
    assert ranks == [(0, 0)] * 7 + [(1, 8)] * 3 + [(2, 11)] * 2


# --- lines with an idempotency key
# ---------------------------------------------------------------------------------------

ONCE = [replace(_line(number, quota=2), idem=f"order-{number % 3}") for number in range(6)]


def test_a_line_with_an_idempotency_key_counts_once_beside_those_without() -> None:
    stores = Stores()
    stores.consumer().consume("0.1", [_record(0, *ONCE, _line(10)), _record(1, *ONCE)])
    item = stores.tally.items[IP]
    assert (item.units, item.charged, item.days) == (4, 4, {30: 4})
    assert stores.tally.items[ItemKey("all#eu-west-1", "hour#2026-11-30T00")].units == 4


def test_a_refused_call_leaves_its_key_to_the_one_that_is_admitted() -> None:
    stores = Stores()
    refused = replace(ONCE[0], id="q100", units=0, status=429, verdict="quota")
    stores.consumer().consume("0.1", [_record(0, refused, replace(ONCE[0], id="q101", units=0)), _record(1, ONCE[0])])
    assert (stores.tally.items[IP].units, stores.tally.items[IP].denied) == (1, 1)


def test_counters_are_incremented_once_by_a_call_that_is_free_of_charge() -> None:
    stores = Stores()
    line = replace(ONCE[0], key="9f2c", units=0, ctr=(Increment("sold", 5, 0),))
    stores.consumer().consume("0.1", [_record(0, line, replace(line, id="again"))])
    sold = stores.tally.items[ItemKey("ctr#9f2c", "sold#00000000")]
    assert sold.units == 5
    assert sold.last_flush_ms == _record(0).arrived_ms, "its readers are told when it arrived"


def test_a_reject_given_again_counts_once_whoever_it_is_said_to_be_from() -> None:
    stores = Stores()
    given = [replace(ONCE[0], id=f"q{number}", idem="reject/e1", ip=f"192.0.2.{number}") for number in (1, 2)]
    stores.consumer().consume("0.1", [_record(0, *given)])
    assert [key.pk for key in stores.tally.items if key.pk.startswith("ip#")] == ["ip#192.0.2.1"]


def test_no_callers_key_takes_anothers() -> None:
    stores = Stores()
    callers = [replace(ONCE[0], id=f"q{key}", key=key, charge=("key",), caps={}) for key in ("9f2c", "0a1b")]
    stores.consumer().consume("0.1", [_record(0, *callers, replace(ONCE[0], ip="192.0.2.2"))])
    assert stores.tally.items[IP].units == 2
    assert stores.tally.items[ItemKey("ip#192.0.2.2", "month#2026-11")].units == 1


def test_a_claim_is_kept_for_longer_than_the_stream_keeps_its_line() -> None:
    stores = Stores()
    stores.consumer().consume("0.1", [_record(0, ONCE[0])])
    claim = stores.tally.claims["192.0.2.1/order-0"]
    arrived_seconds = (NOW_MS + 2_000) // 1000
    assert (claim.by, claim.at_ms, claim.expires_seconds) == ("q0", NOW_MS, arrived_seconds + 16 * 86_400)


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("dies_after", range(10))
def test_dying_anywhere_in_a_line_that_counts_once_heals(dies_after: int, applied: bool) -> None:
    stores = Stores()
    # Ten calls as one, so that a rank is due as well as a publication.
    batch = [_record(0, replace(ONCE[0], units=10))]
    with contextlib.suppress(StoreError):
        Dying(stores, dies_after, applied).consumer().consume("0.1", batch)
    stores.consumer().consume("0.1", batch)
    assert stores.tally.items[IP].units == 10
    assert stores.gate.rows["ip#192.0.2.1", "month#2026-11"].item.units == 10
    assert stores.tally.ranks[IP][1] == 8


def test_a_call_repeated_by_its_caller_asks_for_no_publication() -> None:
    class Asked(MemoryGate):
        times = 0

        def publish(self, publication: Publication) -> bool:
            self.times += 1
            return super().publish(publication)

    stores = Stores(gate=Asked())
    stores.consumer().consume("0.1", [_record(0, ONCE[0])])
    assert stores.gate.times == 1  # type: ignore[attr-defined]
    stores.consumer().consume("0.1", [_record(1, ONCE[3])])
    assert stores.gate.times == 1  # type: ignore[attr-defined]


def test_named_counters_count_by_epoch_with_the_share_of_each_writer() -> None:
    stores = Stores()
    line = replace(_line(0), key="9f2c", ctr=(Increment("sold", 5, 0), Increment("seen", 1, 2)))
    for writer, sequence in (("0.1", 0), ("1.1", 1), ("0.1", 2)):
        stores.consumer().consume(writer, [_record(sequence, replace(line, id=f"q{sequence}"))])
    sold = stores.tally.items[ItemKey("ctr#9f2c", "sold#00000000")]
    assert (sold.units, sold.shares) == (15, {"0.1": 10, "1.1": 5})
    assert stores.tally.items[ItemKey("ctr#9f2c", "seen#00000002")].units == 3


def test_as_many_watermarks_as_fit_are_all_kept() -> None:
    stores = Stores()
    for shard in range(MAX_WATERMARKS):
        stores.consumer().consume(f"{shard:x}.1", [_record(1000 * shard, _line(shard))])
    for shard in range(10):
        del stores.seen.registered[f"{shard:x}.1"]
    stores.consumer().consume("f.1", [_record(99_000, _line(99))])
    assert len(stores.tally.items[IP].watermarks) == MAX_WATERMARKS


def test_an_item_forgets_writers_that_the_stream_has_forgotten() -> None:
    stores = Stores()
    for shard in range(MAX_WATERMARKS + 1):
        stores.consumer().consume(f"{shard:x}.1", [_record(1000 * shard, _line(shard))])
    assert len(stores.tally.items[IP].watermarks) == MAX_WATERMARKS + 1
    for shard in range(10):
        del stores.seen.registered[f"{shard:x}.1"]
    stores.consumer().consume("10.1", [_record(99_000, _line(99))])
    assert set(stores.tally.items[IP].watermarks) == {f"{shard:x}.1" for shard in range(10, MAX_WATERMARKS + 1)}
    assert stores.tally.items[IP].units == MAX_WATERMARKS + 2


def test_a_store_that_contradicts_itself_is_named() -> None:
    class Contradicting(MemoryTally):
        def add(self, update: Update) -> Written:
            return Written(False, replace(super().add(update).before, watermarks={update.writer: 0}))

    stores = Stores(tally=Contradicting())
    with pytest.raises(RuntimeError, match="refused an update"):
        stores.consumer().consume("0.1", [_record(1, _line(1))])


def test_an_empty_batch_is_nothing() -> None:
    assert Stores().consumer().consume("0.1", []) == Outcome()
