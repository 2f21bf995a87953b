"""How long operators wait: `python -m benchmarks.operations` fills the tables of a world on this machine with
identifiers (100,000) and asks what the first view of the page asks. The emulator is one process of Python; AWS answers
a Query in some milliseconds, whatever else is in the table."""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

from rich.progress import track

from tallygate.aws.rows import counts_of
from tallygate.cli.operations import operations_of
from tallygate.cli.target import Target
from tallygate.core import names
from tallygate.core.names import pk_of
from tallygate.core.periods import HOUR_MS, day_of, hour_of
from tallygate.core.ranks import LEAST_RANK, rank_of, rank_partition
from tallygate.core.tally import Addition, Delta, ItemKey
from tallygate.local.world import PROJECT, World

BATCH = 25  # BatchWriteItem, API reference
KIND_SHARES = {"ip": 0.9, "ref": 0.05, "key": 0.05}


def items(count: int, now_ms: int, seed: int) -> Iterator[dict[str, Any]]:
    """Months of `count` identifiers, whose counts follow Zipf's law: a few are large, and all are ranked."""
    random, today = Random(seed), day_of(now_ms)
    for kind, share in KIND_SHARES.items():
        largest = round(count * share)
        for place in range(1, largest + 1):
            units = LEAST_RANK + largest // place
            value = f"{random.getrandbits(64):016x}" if kind == "key" else f"{kind}-{place}"
            key = ItemKey(pk_of(kind, value), names.MONTH_SK + today.month)
            delta = Delta(units, units, units // 20, {today.number: units}, {}, {today.number: units // 20})
            yield _row(key, delta, kind, today.month)


def hours(regions: list[str], now_ms: int) -> Iterator[dict[str, Any]]:
    """The totals of each region in this month."""
    for region in regions:
        for at_ms in range(day_of(now_ms).month_start_ms, now_ms, HOUR_MS):
            key = ItemKey(names.ALL_PREFIX + region, names.HOUR_SK + hour_of(at_ms))
            yield _row(key, Delta(100_000, 90_000, 5_000), None, "")


def _row(key: ItemKey, delta: Delta, kind: str | None, month: str) -> dict[str, Any]:
    counts = counts_of(Addition(key, "", delta, None))
    row: dict[str, Any] = {name: {"N": str(number)} for name, number in counts.items()}
    row |= {names.PK: {"S": key.pk}, names.SK: {"S": key.sk}}
    rank = rank_of(delta.units + delta.denied)
    if kind and rank:
        row |= {names.RANK: {"N": str(rank)}, names.RANK_PARTITION: {"S": rank_partition(kind, month, key.pk)}}
    return row


def load(client: Any, table: str, rows: list[dict[str, Any]]) -> None:
    """Puts them into a table, `BATCH` at a time."""
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]

    def write(batch: list[dict[str, Any]]) -> None:
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": row}} for row in batch]})

    with ThreadPoolExecutor(4) as pool:
        for _ in track(pool.map(write, batches), "loading", total=len(batches), transient=True):
            pass


def seconds(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operations", description=__doc__)
    parser.add_argument("--identifiers", type=int, default=100_000, help="how many are in the tables")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        World.start(PROJECT / "tallygate.toml", directory=Path(directory)) as world,
    ):
        now_ms = time.time_ns() // 1_000_000
        service = world.config.service
        client = world.aws.client("dynamodb", service.homes[0])
        rows = [*items(options.identifiers, now_ms, options.seed), *hours(list(service.regions), now_ms)]
        load(client, world.names.tally_table, rows)
        asked = questions(world, now_ms)
        for name, ask in asked.items():
            taken = sorted(seconds(ask) for _ in range(5))
            print(f"{name:28} {taken[0]:6.2f} s  {taken[2]:6.2f} s  (least, median of 5)")


def questions(world: World, now_ms: int) -> dict[str, Callable[[], object]]:
    """What the first view of the page asks, and what is asked next."""
    operations = operations_of(Target(world.config, world.config, world.names, None, world.aws.client))
    today = day_of(now_ms)
    day = f"{today.month}-{today.number:02d}"
    return {
        "usage of all regions by hour": lambda: operations.usage({"kind": "all", "granularity": "hour"}, now_ms),
        "usage of all regions by day": lambda: operations.usage({"kind": "all"}, now_ms),
        "top 10 addresses of the month": lambda: operations.top({"kind": "ip"}, now_ms),
        "top 10 addresses of today": lambda: operations.top({"kind": "ip", "period": day}, now_ms),
        "top 10 sites of the month": lambda: operations.top({"kind": "ref"}, now_ms),
        "standing of an address": lambda: operations.standing({"kind": "ip", "value": "192.0.2.7"}, now_ms),
        "pipeline": lambda: operations.pipeline({}, now_ms),
    }


if __name__ == "__main__":
    main()
