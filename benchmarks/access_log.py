"""An access log of any size, to measure `tallygate simulate log` with:

    python -m benchmarks.access_log --lines 1000000 > some.log

Most calls come from a few addresses, by Zipf's law; one in a hundred from one that is never seen again. Half have one
of 200 Referers. Lines are written up to 20 seconds late, as at the end of requests. The same seed makes the same log.
"""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Final

START_SECONDS: Final = 1_794_355_200
"""2026-11-11T00:00:00Z"""
MOST_LATE_SECONDS: Final = 20


def lines(count: int, seconds: int, addresses: int, seed: int = 1) -> Iterator[str]:
    """`count` lines over so many seconds."""
    rng = Random(seed)
    stamps: dict[int, str] = {}
    for number in range(count):
        at = START_SECONDS + number * seconds // count - int(rng.random() ** 4 * MOST_LATE_SECONDS)
        stamp = stamps.get(at)
        if stamp is None:
            stamps = {key: kept for key, kept in stamps.items() if key >= at - 2 * MOST_LATE_SECONDS}
            stamp = stamps[at] = f"{datetime.fromtimestamp(at, UTC):%d/%b/%Y:%H:%M:%S +0000}"
        caller = number + addresses if rng.random() < 0.01 else int(addresses ** rng.random())
        site = f"http://site{int(200 ** rng.random())}.example/" if rng.random() < 0.5 else "-"
        client = f"{10 + (caller >> 24)}.{caller >> 16 & 255}.{caller >> 8 & 255}.{caller & 255}"
        yield f'{client} - - [{stamp}] "GET /v1/whoami HTTP/1.1" 200 512 "{site}" "Mozilla/5.0"\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--days", type=float, default=3)
    parser.add_argument("--addresses", type=int, default=1_000_000, help="addresses that call more than once")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.stdout.writelines(lines(options.lines, int(options.days * 86_400), options.addresses, options.seed))


if __name__ == "__main__":
    main()
