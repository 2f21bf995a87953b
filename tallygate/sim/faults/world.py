"""Runs a schedule: streams whose shards split and merge, a mapping that gives batches to containers, containers whose
stores fail, whose processes die or stand still, and what the administrative region makes of what they publish."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import orjson

from tallygate.core.consume import Consumer
from tallygate.core.counting import Came, CountingSettings, Given
from tallygate.core.payload import Record
from tallygate.core.periods import DAY_MS
from tallygate.core.seen import SeenPayloads
from tallygate.core.tally import StoreError
from tallygate.sim.faults.process import Calls, Died, Process
from tallygate.sim.faults.schedule import WINDOW_MS, Fault, Put, Reshard, Schedule, Sent, Tell, Turn, Wake
from tallygate.sim.faults.stream import Stream
from tallygate.sim.faults.telling import Administrative, TellingGate
from tallygate.sim.logs import log_payload
from tallygate.sim.memory import MemoryRejects, MemorySeen, MemoryTally

GARBAGE: Final = b"\x00garbage"


@dataclass
class Home:
    """The stream and the stores of one home, and its warm containers."""

    name: str
    stream: Stream = field(default_factory=Stream)
    tally: MemoryTally = field(default_factory=MemoryTally)
    seen: MemorySeen = field(default_factory=MemorySeen)
    gate: TellingGate = field(default_factory=TellingGate)
    rejects: MemoryRejects = field(default_factory=MemoryRejects)
    warm: "list[Container]" = field(default_factory=list)


class Container(Process):
    """One process that runs the consumer."""

    def __init__(self, home: Home, homes: int, schedule: Schedule, rng: Random) -> None:
        super().__init__()
        self.home = home
        self._rng = rng
        self._consumer = Consumer(
            CountingSettings(home.name, homes, schedule.publish, keep_items_seconds=8 * DAY_MS // 1000),
            Calls(home.tally, self.call),
            Calls(home.gate, self.call),
            Calls(home.rejects, self.call),
            SeenPayloads(Calls(home.seen, self.call), WINDOW_MS, keep_seconds=2 * DAY_MS // 1000),
            orjson.loads,
            self._scattered,
        )

    def count(self, writer: str, records: Sequence[Record], faults: Sequence[Fault]) -> bool:
        """Give the container a batch; whether it said that all was counted."""
        return self.run(lambda: self._consumer.consume(writer, records), faults)

    def _scattered(self, function: Callable[[Given], Came], entries: Sequence[Given], /) -> list[Came]:
        """ForEach as a pool of threads does it: in any order, and all of them although one fails."""
        order = list(range(len(entries)))
        self._rng.shuffle(order)
        results: dict[int, Came] = {}
        failure: StoreError | None = None
        for place in order:
            try:
                results[place] = function(entries[place])
            except StoreError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return [results[place] for place in range(len(entries))]


class World:
    """All homes of a schedule while it runs."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.homes = {name: Home(name) for name in schedule.homes}
        self.arrived_ms: dict[int, int] = {}
        self.happened: list[str] = []
        self._now_ms = schedule.start_ms
        self._sequence = 10**55
        self._bytes: dict[int, bytes] = {}
        self._standing: list[Container] = []
        self._resharded_at: dict[str, int] = {}
        self._put_at: dict[int, int] = {}
        self._rng = Random(schedule.scatter)
        self.notices = Administrative({name: home.gate for name, home in self.homes.items()}, schedule.scatter)

    def run(self) -> None:
        """Every move, then all that is left without a fault: delivery goes on, and those who stood still wake up."""
        for move in self.schedule.moves:
            match move:
                case Put():
                    self._put(move)
                case Reshard():
                    if self.homes[move.home].stream.reshard(move.pick, move.merge):
                        self.happened.append("merge" if move.merge else "split")
                        self._resharded_at[move.home] = self._sequence
                case Turn():
                    self._turn(move)
                case Wake():
                    self._wake(move.pick)
                case Tell():
                    self.notices.turn(move)
        while self._standing and self._rng.random() < 0.5:
            self._wake(0)
        for home in self.homes.values():
            while any(shard.readable for shard in home.stream.shards):
                self._turn(Turn(home.name, 0, 7, 0))
        while self._standing:
            self._wake(0)
        self.notices.finish()
        self.happened += self.notices.happened

    def _put(self, move: Put) -> None:
        sent = self.schedule.sent[move.sent]
        self._now_ms = self.schedule.start_ms + move.at_ms
        self._sequence += 1
        if move.sent in self.arrived_ms:
            after_reshard = self._resharded_at.get(sent.home, 0) >= self._put_at[move.sent]
            self.happened.append("payload again after a reshard" if after_reshard else "payload again")
        self.arrived_ms.setdefault(move.sent, self._now_ms)
        self._put_at[move.sent] = self._sequence
        if move.sent not in self._bytes:
            self._bytes[move.sent] = payload_bytes(move.sent, sent)
        record = Record(self._sequence, self._now_ms, self._bytes[move.sent])
        self.homes[sent.home].stream.put(sent.log_stream, record)

    def _turn(self, move: Turn) -> None:
        home = self.homes[move.home]
        readable = [shard for shard in home.stream.shards if shard.readable]
        if not readable:
            return
        shard = readable[move.pick % len(readable)]
        container = self._container(home, move.container)
        batch = shard.records[shard.next : shard.next + move.size]
        try:
            counted = container.count(shard.writer, batch, move.faults)
        except Died:
            counted = False
            self._bury(container)
        self._note(container)
        if container.standing:
            home.warm.remove(container)
            self._standing.append(container)
        if counted:
            taken = len(batch) if move.taken is None else min(move.taken, len(batch))
            if taken < len(batch):
                self.happened.append("answer of a batch lost" if taken == 0 else "batch in parts")
            shard.next += taken
        if move.back:
            self.happened.append("read again from before")
            shard.next = max(0, shard.next - move.back)

    def _container(self, home: Home, pick: int | None) -> Container:
        if pick is None or len(home.warm) <= pick:
            self.happened.append("cold start")
            home.warm.append(Container(home, len(self.homes), self.schedule, self._rng))
            return home.warm[-1]
        return home.warm[pick]

    def _wake(self, pick: int) -> None:
        if not self._standing:
            return
        container = self._standing.pop(pick % len(self._standing))
        self.happened.append("woke up late")
        try:
            container.wake()
        except Died:
            self._note(container)
            return
        self._note(container)
        (self._standing if container.standing else container.home.warm).append(container)

    def _bury(self, container: Container) -> None:
        container.home.warm.remove(container)

    def _note(self, container: Container) -> None:
        self.happened += container.happened
        container.happened = []


def payload_bytes(number: int, sent: Sent) -> bytes:
    """What CloudWatch Logs puts into the stream for a payload."""
    if sent.garbage:
        return GARBAGE + str(number).encode()
    return log_payload(((event.event_id, event.message) for event in sent.events), sent.log_stream)
