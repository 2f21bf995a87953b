"""Write and read units of the counting path per 1,000 calls: `python -m benchmarks.units [--log FILE]`.

The real consumer on stores that bill as DynamoDB does (a write unit for each started KB, twice that in a transaction,
one more for each index entry touched; a strongly consistent read unit for each started 4 KB). Calls come at 10 a
second, about 25 million a month, from three regions to one home, as identifiers drawn by Zipf's law (exponent 1) or
read from an access log, on the anonymous plan of tallygate.toml. Deterministic: counts, not times.
"""

import argparse
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random

import orjson
from rich.progress import track

from tallygate.aws.rows import counts_of, gate_row, seen_row, statistics_attributes
from tallygate.config import load
from tallygate.core.consume import Consumer
from tallygate.core.counting import CountingSettings
from tallygate.core.lines import UsageLine
from tallygate.core.names import Kind
from tallygate.core.payload import Record
from tallygate.core.periods import HOUR_MS
from tallygate.core.plans import Caps
from tallygate.core.publish import Publication
from tallygate.core.seen import BatchStatistics, SeenBatch, SeenPayloads, Sighting
from tallygate.core.tally import Addition, ItemKey, TallyItem, Update, Written
from tallygate.demo.access_log import LogLine, read_log
from tallygate.sim.logs import usage_payload
from tallygate.sim.memory import MemoryGate, MemoryRejects, MemorySeen, MemoryTally

START_MS = 1_795_996_800_000
CALLS_PER_SECOND = 10
FLUSH_SECONDS = (1, 5, 10, 60)
SIZES = (1_000, 10_000, 100_000, 1_000_000)
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")
WRITE_BYTES, READ_BYTES = 1_024, 4_096


@dataclass
class Bill:
    """Units of one run. `gate` counts publications; each costs a unit in every replica."""

    tally: int = 0
    ranks: int = 0
    digests: int = 0
    reads: int = 0
    gate: int = 0
    largest_item: int = 0


def _size(row: dict[str, dict[str, object]]) -> int:
    """Bytes of an item: names and values; a number takes about half of its digits and one more (Developer Guide,
    "Item sizes")."""
    total = 0
    for name, typed in row.items():
        for kind, value in typed.items():
            total += len(name) + (len(str(value)) // 2 + 2 if kind == "N" else len(value))  # type: ignore[arg-type]
    return total


def _units(size: int, unit: int) -> int:
    return max(1, -(-size // unit))


class BilledTally(MemoryTally):
    def __init__(self, bill: Bill) -> None:
        super().__init__()
        self.bill = bill

    def add(self, update: Update) -> Written:
        written = super().add(update)
        size = _item_size(update.key, self.items[update.key], update)
        self.bill.largest_item = max(self.bill.largest_item, size)
        self.bill.tally += _units(size, WRITE_BYTES)
        return written

    def set_rank(self, key: ItemKey, partition: str, rank: int) -> None:
        super().set_rank(key, partition, rank)
        self.bill.ranks += 3  # the item, and in the index the old entry and the new one


def _item_size(key: ItemKey, item: TallyItem, update: Update) -> int:
    whole = Addition(key, update.writer, update.delta, None)
    by_day = (*item.days.values(), *item.free_days.values(), *item.denied_days.values())
    days = sum(3 + len(str(count)) // 2 + 2 for count in by_day)
    marks = sum(1 + len(writer) + 24 for writer in item.watermarks)
    counts = sum(len(name) + 6 for name in counts_of(whole))
    return len(key.pk.encode()) + len(key.sk) + 4 + days + marks + counts + 2 * 12 + 40  # flush, ttl, rank and top


class BilledSeen(MemorySeen):
    def __init__(self, bill: Bill) -> None:
        super().__init__()
        self.bill = bill

    def seen(self, writer: str, from_ms: int, to_ms: int) -> Iterator[Sighting]:
        found = list(super().seen(writer, from_ms, to_ms))
        self.bill.reads += _units(46 * len(found), READ_BYTES)
        return iter(found)

    def keep(
        self, writer: str, batch: SeenBatch, expires_seconds: int, statistics: BatchStatistics | None = None
    ) -> None:
        super().keep(writer, batch, expires_seconds, statistics)
        rows = [seen_row(writer, bucket_ms, part, expires_seconds) for bucket_ms, part in batch.by_bucket()]
        if statistics is not None:
            rows[-1] |= statistics_attributes(statistics, batch.newest_ms)
        for row in rows:
            self.bill.digests += _units(_size(row), WRITE_BYTES)


class BilledGate(MemoryGate):
    def __init__(self, bill: Bill) -> None:
        super().__init__()
        self.bill = bill

    def publish(self, publication: Publication) -> bool:
        self.bill.gate += _units(_size(gate_row(publication)), WRITE_BYTES)
        return super().publish(publication)


def zipf(identifiers: int, calls: int, seed: int = 1) -> Iterator[tuple[str, str | None]]:
    """(address, Referer) of each call: addresses by Zipf's law, half of the calls with one of 50 Referers, by the
    same law."""
    rng = Random(seed)
    addresses = list(accumulate(1 / rank for rank in range(1, identifiers + 1)))
    sites = list(accumulate(1 / rank for rank in range(1, 51)))
    for _ in range(calls):
        number = bisect(addresses, rng.random() * addresses[-1])
        site = f"site{bisect(sites, rng.random() * sites[-1])}.example" if rng.random() < 0.5 else None
        yield f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", site


def bill_of(calls: Sequence[tuple[str, str | None]], flush_seconds: int, caps: Caps, every: bool) -> Bill:
    """Count `calls`, flushed every `flush_seconds`, one payload for each region and flush."""
    bill = Bill()
    consumer = Consumer(
        CountingSettings("us-east-1", 1, "every" if every else "marks", 8 * 86_400),
        BilledTally(bill),
        BilledGate(bill),
        MemoryRejects(),
        SeenPayloads(BilledSeen(bill), HOUR_MS, 2 * 86_400),
        orjson.loads,
    )
    size = flush_seconds * CALLS_PER_SECOND
    for sequence, start in enumerate(range(0, len(calls), size)):
        at_ms = START_MS + start * 1000 // CALLS_PER_SECOND
        lines = list(_lines(calls[start : start + size], start, at_ms, caps))
        arrived_ms = at_ms + flush_seconds * 1000
        consumer.consume(
            "0.6740f1a0",
            [
                Record(3 * sequence + place, arrived_ms, usage_payload(lines[place::3], region))
                for place, region in enumerate(REGIONS)
                if lines[place::3]
            ],
        )
    return bill


def _lines(calls: Iterable[tuple[str, str | None]], first: int, at_ms: int, caps: Caps) -> Iterator[UsageLine]:
    for number, (ip, ref) in enumerate(calls, first):
        charge: tuple[Kind, ...] = ("ip", "ref") if ref else ("ip",)
        region = REGIONS[number % 3]
        held = {kind: caps[kind] for kind in charge if kind in caps}
        yield UsageLine(f"q{number}", at_ms, "us-east-1", region, ip, ref, None, 1, 200, charge, held)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.units", description=__doc__)
    parser.add_argument("--log", type=Path, help="also an access log in combined format, gzip or not")
    parser.add_argument("--calls", type=int, default=100_000, help="calls of each Zipf stream")
    options = parser.parse_args()
    caps = next(plan for plan in load(Path("tallygate.toml")).plans if plan.anonymous).caps()
    streams = {f"Zipf, {count:,} addresses": list(zipf(count, options.calls)) for count in SIZES}
    if options.log:
        streams[options.log.name] = [
            (line.client, line.referer.decode(errors="replace")[:200] if line.referer else None)
            for line in read_log(options.log)
            if isinstance(line, LogLine)
        ]
    print("| stream | flush | tally | ranks | digests | writes in all | reads | gate, marks | gate, every |")
    print("|---|---|---|---|---|---|---|---|---|")
    runs = [(name, calls, seconds) for name, calls in streams.items() for seconds in FLUSH_SECONDS]
    for name, calls, seconds in track(runs, "streams and flushes", transient=True):
        bill, every = bill_of(calls, seconds, caps, False), bill_of(calls, seconds, caps, True)
        per = 1000 / len(calls)
        home = bill.tally + bill.ranks + bill.digests
        figures = (bill.tally, bill.ranks, bill.digests, home, bill.reads, bill.gate, every.gate)
        print(f"| {name} | {seconds} s | " + " | ".join(f"{figure * per:,.1f}" for figure in figures) + " |")
        if bill.largest_item > WRITE_BYTES:
            raise SystemExit(f"an item has {bill.largest_item} bytes: more than a write unit")


if __name__ == "__main__":
    main()
