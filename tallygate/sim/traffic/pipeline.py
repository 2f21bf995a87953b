"""What lies between a line and its count: log streams, the stream of each home, flushes, replication, and all that goes
wrong with them; on a virtual clock. Who calls, and who decides, is not known here."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from heapq import heappop, heappush
from random import Random
from typing import Any

from tallygate.sim.traffic.containers import Payload
from tallygate.sim.traffic.home import Home, Shard
from tallygate.sim.traffic.replicas import RegionGate, Replicas
from tallygate.sim.traffic.setup import HomeLost, Partitioned, RegionLost, Replayed, Setup


class Pipeline(ABC):
    """All homes and the gate. `homes` hold the tallies, `gates` tell the reads, `replicas` the replicated writes."""

    def __init__(self, setup: Setup, seed: int) -> None:
        self.setup = setup
        self.now_ms = setup.start_ms
        self._rng = Random(f"world {seed}")
        self._order = 0
        self._events: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        cuts = [fault for fault in setup.faults if isinstance(fault, Partitioned)]
        self.replicas = Replicas(setup.delays.replication_ms, cuts)
        self.homes = {
            name: Home(name, setup, self.replicas, Random(f"home {seed}"), self._wake_shard) for name in setup.homes
        }
        self.gates = {region: RegionGate(self.replicas, region) for region in setup.regions}
        self._serving = {region: region for region in setup.regions}
        for fault in setup.faults:
            match fault:
                case RegionLost():
                    self._at(fault.from_ms, self._lose, fault.region)
                    self._at(fault.to_ms, self._serve)
                case Replayed():
                    self._at(fault.at_ms, self._replay, fault)

    @property
    @abstractmethod
    def containers_started(self) -> int:
        """How many containers there were, in all regions."""

    def finish(self, at_ms: int) -> None:
        """Advance the clock to `at_ms`, never back: all that is due by then happens."""
        if at_ms < self.now_ms:
            raise ValueError(f"the clock is at {self.now_ms}, and does not go back to {at_ms}")
        events = self._events
        while events and events[0][0] <= at_ms:
            self.now_ms, _, happens, arguments = heappop(events)
            happens(*arguments)
        self.now_ms = at_ms

    def forget_callers(self, pks: Collection[str]) -> None:
        """Let go of all that homes and the gate hold of identifiers whose lines are all counted: for simulations that
        meet more callers than memory holds."""
        gone = frozenset(pks)
        for home in self.homes.values():
            home.forget(gone)
        self.replicas.forget(gone)

    def _at(self, at_ms: int, happens: Callable[..., None], *arguments: Any) -> None:
        self._order += 1
        heappush(self._events, (at_ms, self._order, happens, arguments))

    # --- from a line to its count ---

    def _collect(self, log_stream: str, region: str, home: str, for_ms: int) -> Payload:
        """A payload that collects lines of a log stream from now on, and is on its way after `for_ms`."""
        payload = Payload(log_stream, home, region, self.now_ms + for_ms)
        self._at(payload.closes_ms + self.setup.delays.delivery_ms(self._rng), self._deliver, payload)
        return payload

    def _deliver(self, payload: Payload) -> None:
        again_ms = max(self._home_back_ms(payload.home), self._region_back_ms(payload.region))
        if again_ms > self.now_ms:
            self._at(again_ms + self.setup.delays.delivery_ms(self._rng), self._deliver, payload)
        else:
            self.homes[payload.home].arrive(payload, self.now_ms)

    def _wake_shard(self, at_ms: int, home: Home, shard: Shard) -> None:
        self._at(at_ms, self._flush, home, shard, at_ms)

    def _flush(self, home: Home, shard: Shard, due_ms: int) -> None:
        if shard.due_ms != due_ms:
            return  # it was full before
        again_ms = self._home_back_ms(home.name)
        if again_ms > self.now_ms:
            shard.due_ms = again_ms
            self._wake_shard(again_ms, home, shard)
        else:
            home.flush(shard, self.now_ms)

    # --- what goes wrong ---

    def _home_back_ms(self, home: str) -> int:
        """When a home that is lost now will be back; 0 when it is not lost."""
        lost = [fault for fault in self.setup.faults if isinstance(fault, HomeLost) and fault.home == home]
        return max((fault.to_ms for fault in lost if fault.from_ms <= self.now_ms < fault.to_ms), default=0)

    def _region_back_ms(self, region: str) -> int:
        """The same of a region."""
        lost = [fault for fault in self.setup.faults if isinstance(fault, RegionLost) and fault.region == region]
        return max((fault.to_ms for fault in lost if fault.from_ms <= self.now_ms < fault.to_ms), default=0)

    def _lose(self, region: str) -> None:
        self._forget(region)
        self._serve()

    @abstractmethod
    def _forget(self, region: str) -> None:
        """What the containers of a region knew is gone."""

    def _serve(self) -> None:
        """Each region's callers go to it, or to the next one that stands."""
        regions = self.setup.regions
        for place, region in enumerate(regions):
            order = (*regions[place:], *regions[:place])
            self._serving[region] = next((other for other in order if not self._region_back_ms(other)), region)

    def _replay(self, fault: Replayed) -> None:
        self.homes[fault.home].replay(fault.back_ms, fault.times, self.now_ms)
