"""What memory an export takes: `python -m benchmarks.export_memory`.

Starts a world of its own, puts as many identifiers into the tally as are asked for, exports them with the command in a
process of its own, in each format, and tells that process's peak (its resident set, as the kernel counts it).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from tallygate.aws.rows import by_day
from tallygate.cli.export_formats import FORMATS
from tallygate.core import names
from tallygate.local.world import World

TALLYGATE: Final = Path(sys.executable).with_name("tallygate")
SIZES: Final = (10_000, 100_000)
BATCH: Final = 25  # BatchWriteItem, API reference
MONTH: Final = "2026-11"


class Run(NamedTuple):
    """One export. The size of its file tells that the rows are there."""

    format: str
    peak_kb: int
    file_kb: int
    seconds: float


def items(first: int, last: int) -> Iterator[dict[str, Any]]:
    """Items of a month, of addresses that called on three days."""
    days = by_day(names.DAY_PREFIX, {3: 4, 11: 5, 20: 6}) | by_day(names.DENIED_DAY_PREFIX, {20: 2})
    counts = {names.UNITS: 15, names.CHARGED: 15, names.DENIED: 2} | days
    numbers = {name: {"N": str(count)} for name, count in counts.items()}
    for number in range(first, last):
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        yield {names.PK: {"S": f"ip#{address}"}, names.SK: {"S": f"{names.MONTH_SK}{MONTH}"}, **numbers}


def put(world: World, first: int, last: int) -> None:
    client = world.aws.client("dynamodb", world.config.service.homes[0])
    table = world.names.tally_table
    for start in range(first, last, BATCH):
        requests = [{"PutRequest": {"Item": item}} for item in items(start, min(start + BATCH, last))]
        client.batch_write_item(RequestItems={table: requests})


def export(directory: Path, format: str) -> Run:
    path = directory / f"usage.{format}"
    environment = os.environ | {"TALLYGATE_WORLD": str(directory)}
    arguments = ("usage", "export", "--from", f"{MONTH}-01", "--granularity", "day", "--format", format, "-o", path)
    began = time.monotonic()
    process = subprocess.Popen([TALLYGATE, *arguments], env=environment, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the export ended with {os.waitstatus_to_exitcode(status)}")
    return Run(format, usage.ru_maxrss, path.stat().st_size // 1024, time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identifiers", type=int, nargs="+", default=SIZES, help="how many, ascending")
    sizes: list[int] = sorted(parser.parse_args().identifiers)
    peaks: dict[str, list[int]] = {format: [] for format in FORMATS}
    with tempfile.TemporaryDirectory() as directory, World.start(directory=Path(directory)) as world:
        there = 0
        print(f"{'identifiers':>12}  {'format':<8}{'peak':>10}{'file':>12}{'seconds':>9}")
        for size in sizes:
            put(world, there, size)
            there = size
            for format in FORMATS:
                run = export(Path(directory), format)
                peaks[format].append(run.peak_kb)
                peak, file = f"{run.peak_kb / 1024:.0f} MB", f"{run.file_kb:,} KB"
                print(f"{size:>12,}  {format:<8}{peak:>10}{file:>12}{run.seconds:>9.1f}", flush=True)
    print("\npeak of the most identifiers to that of the least")
    for format, of_format in peaks.items():
        print(f"  {format:<8}{of_format[-1] / of_format[0]:.2f}")


if __name__ == "__main__":
    main()
