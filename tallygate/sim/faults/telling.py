"""The administrative region of a schedule: publications of all homes arrive there late and each home's in order, flow
as records of the gate's stream into the real notifier, and what it puts on the bus is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Final
from zlib import crc32

from tallygate.core.gate import Partition
from tallygate.core.names import Kind
from tallygate.core.notices import Change, Known, Notice, Subject, changed_days
from tallygate.core.notify import Notifier
from tallygate.core.plans import POLICIES, Limit, Plan
from tallygate.core.publish import Publication, usage_of
from tallygate.core.usage import HomeUsage
from tallygate.sim.faults.process import Calls, Died, Process
from tallygate.sim.faults.schedule import LEVELS, Tell, caps_of
from tallygate.sim.memory import MemoryGate, MemoryTold

SHARDS: Final = 2
SERVICE, STAGE = "tallygate", "faults"
KINDS: Final[tuple[Kind, ...]] = ("ip", "ref", "key")
_WATCHED: Final = {"all": Plan("all", tuple(Limit(kind, 1, "day") for kind in KINDS), notify_at=LEVELS)}
"""Stands for the plans of all callers, each of whom has limits of their own."""


@dataclass
class TellingGate(MemoryGate):
    """The gate of one home, whose rows still have to reach the administrative region."""

    on_their_way: list[Publication] = field(default_factory=list)

    def publish(self, publication: Publication) -> bool:
        written = super().publish(publication)
        if written:
            self.on_their_way.append(publication)
        return written


@dataclass
class Shard:
    """Changes of some callers, in order. `next` is where the mapping reads on."""

    changes: list[Change] = field(default_factory=list)
    next: int = 0


class Replica:
    """The gate in the administrative region, and the stream of its changes: WatchedGate of the notifier."""

    def __init__(self) -> None:
        self.shards = [Shard() for _ in range(SHARDS)]
        self._rows: dict[str, dict[tuple[str, str], HomeUsage]] = {}

    def take(self, publication: Publication) -> None:
        """A row of some home arrives."""
        pk = publication.pk
        kind, _, value = pk.partition("#")
        rows = self._rows.setdefault(pk, {})
        place = (publication.period, publication.home)
        after, before = usage_of(publication), rows.get(place)
        rows[place] = after
        change = Change(KINDS[KINDS.index(kind)], value, after, changed_days(before, after))
        self.shards[crc32(pk.encode()) % SHARDS].changes.append(change)

    def plans(self) -> Mapping[str, Plan]:
        return _WATCHED

    def known(
        self, kind: Kind, value: str, from_hour: str | None, plans: Mapping[str, Plan], now_ms: int
    ) -> Known | None:
        rows = tuple(
            row for row in self._rows[f"{kind}#{value}"].values()
            if not row.hour or (from_hour is not None and row.hour >= from_hour)
        )  # fmt: skip
        return Known(Subject(kind, value), (plan_of(kind, value),), Partition(rows))


class MemoryBus:
    """Bus in memory. While it is `busy` it refuses some events of a request and takes the others."""

    def __init__(self, rng: Random) -> None:
        self.events: list[Notice] = []
        self.busy = False
        self.refused = 0
        self._rng = rng

    def put(self, notices: Sequence[Notice]) -> list[bool]:
        taken = [not self.busy or self._rng.random() < 0.6 for _ in notices]
        self.events += [notice for notice, good in zip(notices, taken, strict=True) if good]
        self.refused += taken.count(False)
        return taken


class Teller(Process):
    """One process that runs the notifier."""

    def __init__(self, region: "Administrative") -> None:
        super().__init__()
        self._notifier = Notifier(
            Calls(region.replica, self.call), Calls(region.told, self.call), Calls(region.bus, self.call)
        )

    def tell(self, changes: Sequence[Change], move: Tell) -> bool:
        return self.run(lambda: self._notifier.notify(changes, 0), move.faults)


class Administrative:
    """Replica, stream, notifiers and bus. What happens to them is drawn apart from the rest of a schedule."""

    def __init__(self, homes: Mapping[str, TellingGate], seed: int) -> None:
        self.replica = Replica()
        self.told = MemoryTold()
        self.bus = MemoryBus(Random(seed))
        self.happened: list[str] = []
        self._homes = homes
        self._warm: list[Teller] = []
        self._standing: list[Teller] = []

    def turn(self, move: Tell) -> None:
        """Some publications arrive, and a notifier is given a batch of one shard."""
        for gate, arriving in zip(self._homes.values(), move.arriving, strict=False):
            self._arrive(gate, arriving)
        if self._standing and move.wakes:
            self._wake(self._standing.pop(0))
        readable = [shard for shard in self.replica.shards if shard.next < len(shard.changes)]
        if not readable:
            return
        shard = readable[move.pick % len(readable)]
        teller = self._teller(move.container)
        batch = shard.changes[shard.next : shard.next + move.size]
        self.bus.busy = move.busy
        try:
            done = teller.tell(batch, move)
        except Died:
            done = False
            self._warm.remove(teller)
        self.bus.busy = False
        self._note(teller)
        if teller.standing:
            self._warm.remove(teller)
            self._standing.append(teller)
        if done:
            shard.next += len(batch) if move.taken is None else min(move.taken, len(batch))
        if move.back:
            shard.next = max(0, shard.next - move.back)

    def finish(self) -> None:
        """Everything arrives and is told, without a fault; who still stands goes on last."""
        for gate in self._homes.values():
            self._arrive(gate, len(gate.on_their_way))
        while any(shard.next < len(shard.changes) for shard in self.replica.shards):
            self.turn(Tell(0, 50, 0))
        while self._standing:
            self._wake(self._standing.pop(0))
        if self.bus.refused:
            self.happened += ["event refused"] * self.bus.refused

    def _arrive(self, gate: TellingGate, number: int) -> None:
        arriving, gate.on_their_way[:number] = gate.on_their_way[:number], []
        for publication in arriving:
            self.replica.take(publication)

    def _teller(self, pick: int | None) -> Teller:
        if pick is None or len(self._warm) <= pick:
            self._warm.append(Teller(self))
            return self._warm[-1]
        return self._warm[pick]

    def _wake(self, teller: Teller) -> None:
        try:
            teller.wake()
        except Died:
            self._note(teller)
            return
        self._note(teller)
        (self._standing if teller.standing else self._warm).append(teller)

    def _note(self, teller: Teller) -> None:
        self.happened += [f"notifier {what}" for what in teller.happened]
        teller.happened = []


@cache
def plan_of(kind: Kind, value: str) -> Plan:
    """The limits that the lines of a caller name, as a plan with levels."""
    limits = tuple(
        Limit(kind, quota, POLICIES[policy], soft=policy.endswith("-soft"))
        for policy, quota in caps_of(kind, value).items()
    )
    return Plan("faults", limits, notify_at=LEVELS)
