"""Runs a schedule: streams whose shards split and merge, a mapping that gives batches to containers, and containers
whose stores fail, whose processes die or stand still."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import orjson

from tallygate.core.consume import Consumer
from tallygate.core.counting import Came, CountingSettings, Given
from tallygate.core.payload import Record
from tallygate.core.periods import DAY_MS
from tallygate.core.seen import SeenPayloads
from tallygate.core.tally import StoreError
from tallygate.sim.faults.schedule import WINDOW_MS, Fault, Put, Reshard, Schedule, Sent, Turn, Wake
from tallygate.sim.faults.stream import Stream
from tallygate.sim.logs import log_payload
from tallygate.sim.memory import MemoryGate, MemoryRejects, MemorySeen, MemoryTally

GARBAGE: Final = b"\x00garbage"


class Died(BaseException):
    """The process is gone. Not an Exception: no code of a dead process runs on."""


@dataclass
class Home:
    """The stream and the stores of one home, and its warm containers."""

    name: str
    stream: Stream = field(default_factory=Stream)
    tally: MemoryTally = field(default_factory=MemoryTally)
    seen: MemorySeen = field(default_factory=MemorySeen)
    gate: MemoryGate = field(default_factory=MemoryGate)
    rejects: MemoryRejects = field(default_factory=MemoryRejects)
    warm: "list[Container]" = field(default_factory=list)


class Container:
    """One process that runs the consumer; all its calls of stores go through `_call`, where the faults of a turn
    happen."""

    def __init__(self, home: Home, homes: int, schedule: Schedule, rng: Random) -> None:
        self.home = home
        self._faults: dict[int, Fault] = {}
        self._calls = 0
        self._rng = rng
        self.happened: list[str] = []
        self.standing = False
        self._go_on = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._failed: BaseException | None = None
        self._consumer = Consumer(
            CountingSettings(home.name, homes, schedule.publish, keep_items_seconds=8 * DAY_MS // 1000),
            _Calls(home.tally, self._call),
            _Calls(home.gate, self._call),
            _Calls(home.rejects, self._call),
            SeenPayloads(_Calls(home.seen, self._call), WINDOW_MS, keep_seconds=2 * DAY_MS // 1000),
            orjson.loads,
            self._scattered,
        )

    def run(self, writer: str, records: Sequence[Record], faults: Sequence[Fault]) -> bool:
        """Give the container a batch; whether it said that all was counted. While it stands still it has said
        nothing."""
        self._faults = {fault.call: fault for fault in faults}
        self._calls = 0
        if not any(fault.kind == "paused" for fault in faults):
            return self._consume(writer, records)
        answer: list[bool] = []

        def in_its_own_time() -> None:
            try:
                answer.append(self._consume(writer, records))
            except BaseException as error:  # noqa: BLE001 - brought to whoever waits
                self._failed = error
            self.standing = False
            self._stopped.release()

        threading.Thread(target=in_its_own_time, daemon=True).start()
        self._wait()
        return bool(answer) and answer[0]

    def wake(self) -> None:
        """Let a container that stands still go on, to its end or to its next stand."""
        self._go_on.release()
        self._wait()

    def _wait(self) -> None:
        self._stopped.acquire()
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed

    def _consume(self, writer: str, records: Sequence[Record]) -> bool:
        try:
            self._consumer.consume(writer, records)
        except StoreError:
            return False
        return True

    def _call(self, method: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        fault = self._faults.get(self._calls)
        self._calls += 1
        if fault is None:
            return method(*arguments)
        self.happened.append(fault.kind)
        match fault.kind:
            case "throttled":
                raise StoreError("throttled")
            case "crash before":
                raise Died
            case "answer lost":
                method(*arguments)
                raise StoreError("timed out")
            case "crash after":
                method(*arguments)
                raise Died
            case "paused":
                self.standing = True
                self._stopped.release()
                self._go_on.acquire()
                self.standing = False
                return method(*arguments)

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


class _Calls:
    """A store whose methods go through `call`."""

    def __init__(self, store: object, call: Callable[[Callable[..., Any], tuple[Any, ...]], Any]) -> None:
        self._store = store
        self._call = call

    def __getattr__(self, name: str) -> Any:
        method, call = getattr(self._store, name), self._call
        through = lambda *arguments: call(method, arguments)  # noqa: E731 - kept as the attribute, so made once
        setattr(self, name, through)
        return through


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
        while self._standing and self._rng.random() < 0.5:
            self._wake(0)
        for home in self.homes.values():
            while any(shard.readable for shard in home.stream.shards):
                self._turn(Turn(home.name, 0, 7, 0))
        while self._standing:
            self._wake(0)

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
            counted = container.run(shard.writer, batch, move.faults)
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
