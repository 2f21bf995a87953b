"""How much of the consumer's work is ours: `python -m benchmarks.decoding`. In one run, on the same payloads (100
lines each): only inflating and parsing JSON (what nobody can do without), the whole way to folded counts, and the
same in rounds, as ratios."""

import argparse
import time
import zlib
from collections.abc import Callable
from statistics import median

import orjson

from tallygate.core.fold import Fold
from tallygate.core.lines import UsageLine
from tallygate.core.payload import Record, decode, lines_of
from tallygate.sim.logs import usage_payload

NOW_MS = 1_795_996_800_000
LINES = 100


def records(count: int) -> list[Record]:
    """Payloads of calls from 1,000 addresses, half with a Referer, a third with a key."""
    made = []
    for number in range(count):
        lines = [
            UsageLine(
                f"JKJaXmPLvHcES{number:05d}{place:03d}=",
                NOW_MS + place,
                "us-east-1",
                "eu-west-1",
                f"192.0.{(number * 7 + place) % 250}.{place % 4}",
                "shop.example" if place % 2 else None,
                "9f2c1d0a8b7e6f54" if place % 3 == 0 else None,
                1,
                200,
                ("key",) if place % 3 == 0 else ("ip",),
                {"key": {"day": 1000, "month": 5000}} if place % 3 == 0 else {"ip": {"day": 200}},
            )
            for place in range(LINES)
        ]
        made.append(Record(number, NOW_MS + 4_000, usage_payload(lines)))
    return made


def least(batch: list[Record]) -> None:
    """Inflate, and parse both levels of JSON."""
    for record in batch:
        for event in orjson.loads(zlib.decompress(record.data, wbits=31))["logEvents"]:
            orjson.loads(event["message"])


def whole(batch: list[Record]) -> None:
    """What the consumer does until it writes."""
    fold = Fold()
    for record in batch:
        lines, _ = lines_of(decode(record, orjson.loads), "us-east-1", orjson.loads)
        fold.add(record.sequence, record.arrived_ms, lines, 0)


def seconds(work: Callable[[list[Record]], None], batch: list[Record]) -> float:
    began = time.perf_counter()
    work(batch)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    batch = records(100)
    rounds = [(seconds(least, batch), seconds(whole, batch)) for _ in range(options.rounds)]
    ratio = median(ours / floor for floor, ours in rounds)
    best = min(ours for _, ours in rounds)
    print(f"whole way / inflating and JSON alone: {ratio:.2f}; {LINES * len(batch) / best:,.0f} calls a second at best")


if __name__ == "__main__":
    main()
