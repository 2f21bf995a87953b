"""How late things are. Both models of the simulator, and nothing else: every figure about accuracy rests on them."""

from dataclasses import dataclass
from random import Random
from typing import Final


@dataclass(frozen=True, slots=True)
class Delays:
    """`collect_ms`: for how long CloudWatch Logs collects the lines of a log stream into one payload. From a line to
    its arrival in the home's stream `least_ms` to `most_ms` pass, drawn evenly; for `late_percent` of the payloads it
    is up to `latest_ms`. `flush_ms`: longest wait of a record for its batch. `replication_ms`: from a write to the gate
    until another region reads it."""

    name: str
    least_ms: int = 2_000
    most_ms: int = 10_000
    late_percent: int = 0
    latest_ms: int = 10_000
    collect_ms: int = 1_000
    flush_ms: int = 5_000
    replication_ms: int = 1_000

    def delivery_ms(self, rng: Random) -> int:
        """From the end of a payload's collection to its arrival: its last line has waited for so long, its first for
        `collect_ms` more."""
        if self.late_percent and rng.random() * 100 < self.late_percent:
            return self.most_ms - self.collect_ms + int(rng.random() * (self.latest_ms - self.most_ms))
        return self.least_ms + int(rng.random() * (self.most_ms - self.collect_ms - self.least_ms))

    @property
    def mean_ms(self) -> int:
        """From a call until another region may know of it, on average: arrival, half a flush, replication."""
        arrival = (self.least_ms + self.most_ms) / 2
        late = (self.most_ms + self.latest_ms) / 2
        share = self.late_percent / 100
        return round(arrival * (1 - share) + late * share + self.flush_ms / 2 + self.replication_ms)

    @property
    def longest_ms(self) -> int:
        """From a call until every region knows of it, at the worst."""
        return max(self.most_ms, self.latest_ms if self.late_percent else 0) + self.flush_ms + self.replication_ms


TYPICAL: Final = Delays("typical")
"""Subscription 2 to 10 s, flush 5 s, replication 1 s."""
BAD: Final = Delays("bad", late_percent=10, latest_ms=180_000)
"""CloudWatch Logs says "usually less than three minutes": one payload in ten takes up to that."""

MODELS: Final = {model.name: model for model in (TYPICAL, BAD)}
