"""What goes wrong when, drawn from a seed. What it hits depends on the machine: two runs of a seed are alike, not the
same."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle
from random import Random
from typing import Any, Final

KILLS: Final = ("killed", "killed before a write", "killed after a write")
"""The consumer's process, at any moment of an invocation or at a write."""
FAILURES: Final = ("throttled", "refused", "answer lost")
"""Writes of the consumer that fail. The SDK tries again after the first and the last, not after the second."""
REDELIVERY: Final = "payload again"
REREADING: Final = "read again"

EVERY_SECONDS: Final = {
    "kill": 5.0,
    REDELIVERY: 1.5,
    REREADING: 6.0,
    "throttled": 6.0,
    "refused": 15.0,
    "answer lost": 5.0,
}
LEAST: Final = {"kill": 6, REDELIVERY: 6, REREADING: 4, "throttled": 4, "refused": 3, "answer lost": 4}
"""Of each, however short the time."""
BATCH_SIZES: Final = (1, 2, 5, 20, 300)
BACK_RECORDS: Final = (1, 4, 15, 60, 250)
EVERYTHING: Final = 10**9
SKIPPED_WRITES: Final = 120
"""At most so many go well between two that do not."""
LONG_SECONDS: Final = 60.0
"""From so much time on, writes may also fail so often that the SDK waits for seconds, or gives up after a quarter of a
minute."""
GIVING_UP: Final = 60
"""Refused writes after which all writers of a batch, six attempts each, have given up."""


@dataclass(frozen=True, slots=True)
class Order:
    """A fault that the emulator is asked for (tallygate/local/additions/faults.py)."""

    at_seconds: float
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Redelivery:
    """A payload of the stream that is put into it again: `age` 0.0 is the newest, 1.0 the oldest; several times."""

    at_seconds: float
    age: float
    times: int


def draw(seed: int, seconds: float, function: str, stream: str) -> list[Order | Redelivery]:
    """What goes wrong with `function`, which reads `stream`, in the order of time."""
    rng, is_long = Random(seed), seconds >= LONG_SECONDS

    def spread(kind: str) -> Iterator[float]:
        """Moments of one kind: each at random in its own share of the time, so that no part of it is quiet."""
        number = max(LEAST[kind], round(seconds / EVERY_SECONDS[kind]))
        for share in range(number):
            yield (share + rng.random()) * seconds / number

    def at_a_write(fault: str, times: int = 1) -> dict[str, Any]:
        return {"fault": fault, "function": function, "skip": rng.randrange(SKIPPED_WRITES), "times": times}

    ways_to_kill = cycle(KILLS)

    def kill() -> dict[str, Any]:
        how = next(ways_to_kill)
        return {"fault": how, "function": function, "part": rng.random()} if how == "killed" else at_a_write(how)

    def read_again() -> dict[str, Any]:
        records = EVERYTHING if rng.random() < 0.1 else rng.choice(BACK_RECORDS)
        sizes = [rng.choice(BATCH_SIZES) for _ in range(rng.randrange(6))]
        return {"fault": REREADING, "stream": stream, "records": records, "sizes": sizes}

    def throttled() -> dict[str, Any]:
        gives_up = is_long and rng.random() < 0.07
        return at_a_write("throttled", GIVING_UP if gives_up else rng.choice((1, 3, 10) if is_long else (1, 2, 3)))

    made: dict[str, Callable[[], dict[str, Any]]] = {
        "kill": kill,
        REREADING: read_again,
        "throttled": throttled,
        "refused": lambda: at_a_write("refused"),
        "answer lost": lambda: at_a_write("answer lost", rng.choice((1, 2, 5) if is_long else (1, 2))),
    }
    orders = [Order(at, make()) for kind, make in made.items() for at in spread(kind)]
    redeliveries = [
        Redelivery(at, rng.choice((0.0, 0.0, 0.02, rng.random())), rng.choice((1, 1, 2, 3)))
        for at in spread(REDELIVERY)
    ]
    return sorted([*orders, *redeliveries], key=lambda moment: moment.at_seconds)
