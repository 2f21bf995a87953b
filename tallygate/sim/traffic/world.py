"""The world call by call, on a virtual clock that goes from call to call.

    world = World(Setup(one_home(3)), seed=7)
    decision = world.call(Call(at_ms, "eu-west-1", (("ip", "203.0.113.7"),), plan))
    world.finish(at_ms + 60_000)

The same setup, seed and calls make the same world.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Any, Final, NamedTuple

from tallygate.core.adjustments import effective_limits
from tallygate.core.decide import Decision
from tallygate.core.limiter import Limiter
from tallygate.core.names import Kind, pk_of
from tallygate.core.plans import Plan
from tallygate.core.verdict import STATUS, Verdict
from tallygate.sim.traffic.containers import Container, Containers, Payload
from tallygate.sim.traffic.home import Home, Shard
from tallygate.sim.traffic.naive import NaiveLimiter
from tallygate.sim.traffic.replicas import RegionGate, Replicas
from tallygate.sim.traffic.setup import HomeLost, Partitioned, RegionLost, Replayed, Setup

BUSY_MS: Final = (10, 20)
"""How long a container is busy with one call: about 15 ms."""
OFFICE_IP: Final = "192.0.2.1"
"""Where calls come from that are charged to no address."""


class Call(NamedTuple):
    """`charge` are the identifiers that pay: `(("ip", "203.0.113.7"), ("ref", "shop.example"))`."""

    at_ms: int
    region: str
    charge: tuple[tuple[Kind, str], ...]
    plan: Plan
    units: int = 1


class World:
    """All regions and homes. `homes` hold the tallies, `gates` tell the reads, `replicas` the replicated writes."""

    def __init__(self, setup: Setup, seed: int) -> None:
        self.setup = setup
        self.now_ms = setup.start_ms
        self.calls = 0
        self._rng = Random(f"world {seed}")
        self._order = 0
        self._events: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        cuts = [fault for fault in setup.faults if isinstance(fault, Partitioned)]
        self.replicas = Replicas(setup.delays.replication_ms, cuts)
        self.homes = {
            name: Home(name, setup, self.replicas, Random(f"home {seed}"), self._wake_shard) for name in setup.homes
        }
        self.gates = {region: RegionGate(self.replicas, region) for region in setup.regions}
        limiter = NaiveLimiter if setup.naive else Limiter
        self.containers = {
            region: Containers(self.gates[region], home, lambda home=home: limiter(home, setup.tuning))  # type: ignore[misc]
            for region, home in setup.home_of.items()
        }
        self._serving = {region: region for region in setup.regions}
        for fault in setup.faults:
            match fault:
                case RegionLost():
                    self._at(fault.from_ms, self._lose, fault.region)
                    self._at(fault.to_ms, self._regain, fault.region)
                case Replayed():
                    self._at(fault.at_ms, self._replay, fault)

    def call(self, call: Call) -> Decision:
        """Advance the clock to the call, never back, and decide on it in a container of its region."""
        at_ms, rng = call.at_ms, self._rng
        self.finish(at_ms)
        self.calls += 1
        region = self._serving[call.region]
        container = self.containers[region].take(at_ms, BUSY_MS[0] + int(rng.random() * (BUSY_MS[1] - BUSY_MS[0] + 1)))
        found, _ = container.view.look([pk_of(kind, value) for kind, value in call.charge], at_ms)
        charge = tuple(kind for kind, _ in call.charge)
        snapshots = dict(zip(charge, found, strict=True))
        id = f"{self.calls:x}"
        decision = container.limiter.decide(id, at_ms, call.units, snapshots, call.plan)
        caps, bases = effective_limits(
            call.plan, {kind: snapshot.adjustments for kind, snapshot in snapshots.items()}, at_ms
        )
        identifiers = dict(call.charge)
        home = self.setup.home_of[region]
        verdict = Verdict(
            ip=identifiers.get("ip", OFFICE_IP),
            home=home,
            region=region,
            units=call.units,
            decision=decision,
            ref=identifiers.get("ref"),
            key=identifiers.get("key"),
            plan=call.plan.name,
            charge=charge,
            caps=caps,
            bases=bases,
        )
        status = 200 if decision.refusal is None else STATUS[decision.refusal]
        self._log(container, region, home).lines.append(verdict.line(id, at_ms, status))
        return decision

    def finish(self, at_ms: int) -> None:
        """Advance the clock to `at_ms`, never back: all that is due by then happens."""
        if at_ms < self.now_ms:
            raise ValueError(f"the clock is at {self.now_ms}, and does not go back to {at_ms}")
        events = self._events
        while events and events[0][0] <= at_ms:
            self.now_ms, _, happens, arguments = heappop(events)
            happens(*arguments)
        self.now_ms = at_ms

    def _at(self, at_ms: int, happens: Callable[..., None], *arguments: Any) -> None:
        self._order += 1
        heappush(self._events, (at_ms, self._order, happens, arguments))

    # --- from a line to its count ---

    def _log(self, container: Container, region: str, home: str) -> Payload:
        """The payload that collects what the container prints now."""
        payload = container.payload
        if payload is None or self.now_ms >= payload.closes_ms:
            delays = self.setup.delays
            closes_ms = self.now_ms + delays.collect_ms
            payload = container.payload = Payload(f"{region}/{container.number}", home, region, closes_ms)
            self._at(closes_ms + delays.delivery_ms(self._rng), self._deliver, payload)
        return payload

    def _deliver(self, payload: Payload) -> None:
        again_ms = max(self._home_back_ms(payload.home), self._region_back_ms(payload.region))
        if again_ms > self.now_ms:
            self._at(again_ms + self.setup.delays.delivery_ms(self._rng), self._deliver, payload)
        else:
            self.homes[payload.home].arrive(payload.log_stream, payload.lines, self.now_ms)

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
        return max(
            (
                fault.to_ms
                for fault in self.setup.faults
                if isinstance(fault, HomeLost) and fault.home == home and fault.from_ms <= self.now_ms < fault.to_ms
            ),
            default=0,
        )

    def _region_back_ms(self, region: str) -> int:
        return max(
            (
                fault.to_ms
                for fault in self.setup.faults
                if isinstance(fault, RegionLost)
                and fault.region == region
                and fault.from_ms <= self.now_ms < fault.to_ms
            ),
            default=0,
        )

    def _lose(self, region: str) -> None:
        self.containers[region].lose()
        self._serve()

    def _regain(self, region: str) -> None:
        self._serve()

    def _serve(self) -> None:
        """Each region's callers go to it, or to the next one that stands."""
        regions = self.setup.regions
        for place, region in enumerate(regions):
            order = (*regions[place:], *regions[:place])
            self._serving[region] = next((other for other in order if not self._region_back_ms(other)), region)

    def _replay(self, fault: Replayed) -> None:
        self.homes[fault.home].replay(fault.back_ms, fault.times, self.now_ms)
