"""The world call by call, on a virtual clock that goes from call to call.

    world = World(Setup(one_home(3)), seed=7)
    decision = world.call(Call(at_ms, "eu-west-1", (("ip", "203.0.113.7"),), plan))
    world.finish(at_ms + 60_000)

The same setup, seed and calls make the same world.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from tallygate.core.decide import Decision
from tallygate.core.limiter import Limiter
from tallygate.core.lines import UsageLine
from tallygate.core.names import Kind, pk_of
from tallygate.core.plans import Plan
from tallygate.core.snapshots import Snapshot
from tallygate.core.standing import standing_limits
from tallygate.core.verdict import STATUS, Verdict
from tallygate.sim.traffic.containers import Containers
from tallygate.sim.traffic.naive import NaiveLimiter
from tallygate.sim.traffic.pipeline import Pipeline
from tallygate.sim.traffic.setup import Setup

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


class World(Pipeline):
    """All regions and homes, with the containers that serve."""

    def __init__(self, setup: Setup, seed: int) -> None:
        super().__init__(setup, seed)
        self.calls = 0
        limiter = NaiveLimiter if setup.naive else Limiter
        self.containers = {
            region: Containers(self.gates[region], home, lambda home=home: limiter(home, setup.tuning))  # type: ignore[misc]
            for region, home in setup.home_of.items()
        }

    def call(self, call: Call) -> Decision:
        """Advance the clock to the call, never back, and decide on it in a container of its region."""
        at_ms, rng = call.at_ms, self._rng
        self.finish(at_ms)
        self.calls += 1
        region = self._serving[call.region]
        home = self.setup.home_of[region]
        container = self.containers[region].take(at_ms, BUSY_MS[0] + int(rng.random() * (BUSY_MS[1] - BUSY_MS[0] + 1)))
        found, _ = container.view.look([pk_of(kind, value) for kind, value in call.charge], at_ms)
        snapshots = dict(zip([kind for kind, _ in call.charge], found, strict=True))
        id = f"{self.calls:x}"
        decision = container.limiter.decide(id, at_ms, call.units, snapshots, call.plan)
        payload = container.payload
        if payload is None or at_ms >= payload.closes_ms:
            log_stream, collect_ms = f"{region}/{container.number}", self.setup.delays.collect_ms
            payload = container.payload = self._collect(log_stream, region, home, collect_ms)
        payload.lines.append(line_of(call, id, region, home, snapshots, decision))
        return decision

    @property
    def containers_started(self) -> int:
        return sum(containers.started for containers in self.containers.values())

    def _forget(self, region: str) -> None:
        self.containers[region].lose()


def line_of(
    call: Call, id: str, region: str, home: str, snapshots: Mapping[Kind, Snapshot], decision: Decision
) -> UsageLine:
    """What is printed for a call, as the authorizer and the API function do."""
    standing = standing_limits(call.plan, {kind: found.usage() for kind, found in snapshots.items()}, call.at_ms)
    identifiers = dict(call.charge)
    verdict = Verdict(
        ip=identifiers.get("ip", OFFICE_IP),
        home=home,
        region=region,
        units=call.units,
        decision=decision,
        ref=identifiers.get("ref"),
        key=identifiers.get("key"),
        plan=call.plan.name,
        charge=tuple(snapshots),
        caps=standing.caps,
        bases=standing.bases,
        before=standing.before,
        shadow=call.plan.shadow,
    )
    return verdict.line(id, call.at_ms, 200 if decision.refusal is None else STATUS[decision.refusal])
