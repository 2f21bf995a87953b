"""The gate as this container sees it: read when it must be, remembered while that is good enough, and used beyond that
when it cannot be read."""

from collections.abc import Mapping, Sequence
from typing import Final

from tallygate.core.addresses import NO_RULES, Address, AddressAction, AddressRules
from tallygate.core.credentials import StoredKey
from tallygate.core.gate import Gate, Partition, Reading
from tallygate.core.plans import OnUnavailable, Plan, strictest_on_unavailable
from tallygate.core.routes import ALL_ALIKE, Routes
from tallygate.core.snapshots import Snapshot, Snapshots

PLANS_GOOD_MS: Final = 30_000
"""A changed plan, or a rule on addresses, holds everywhere within this."""
UNKNOWN_PLAN_MS: Final = 5_000
"""How long a plan that was not there is taken not to be: a key may be put on a new one before everybody knows it."""
LAST_RESORT_MS: Final = 300_000
"""A snapshot older than this says nothing about a caller any more."""
FAILED_ROUNDS: Final = 3
PAUSE_MS: Final = 1_000
"""After FAILED_ROUNDS in a row, a store is left alone for this long: every caller would wait out the deadline for
nothing."""


class GateView:
    """Snapshots of identifiers, the plans and the rules on addresses, in front of a Gate. `home` counts this region's
    calls."""

    def __init__(self, gate: Gate, home: str, snapshots: Snapshots) -> None:
        self._gate = gate
        self._home = home
        self._snapshots = snapshots
        self._plans: Mapping[str, Plan] = {}
        self._plans_read_ms: int | None = None
        self._rules: AddressRules = NO_RULES
        self._routes: Routes = ALL_ALIKE
        self._failed_rounds = 0
        self._paused_until_ms = 0

    def look(self, pks: Sequence[str], now_ms: int) -> tuple[list[Snapshot], Reading | None]:
        """The snapshot of each partition, read in one round unless all are still good; and what that round brought."""
        snapshots = [self._snapshots.of(pk) for pk in pks]
        wanted = [pk for pk, snapshot in zip(pks, snapshots, strict=True) if snapshot.good_until_ms <= now_ms]
        plans = not self.is_current(now_ms)
        if now_ms < self._paused_until_ms or not (wanted or plans):
            return snapshots, None
        reading = self._gate.read(wanted, plans=plans, now_ms=now_ms)
        for pk, snapshot in zip(pks, snapshots, strict=True):
            partition = reading.partitions.get(pk)
            if partition is not None:
                snapshot.renew(partition, self._home, now_ms)
        if reading.plans is not None:
            self._plans, self._rules, self._routes = reading.plans, reading.rules, reading.routes
            self._plans_read_ms = now_ms
        self._failed_rounds = self._failed_rounds + 1 if reading.failures else 0
        if self._failed_rounds >= FAILED_ROUNDS:
            self._paused_until_ms = now_ms + PAUSE_MS
        return snapshots, reading

    def key(self, pk: str) -> StoredKey | None:
        """The key of this partition, as far as it was read, however long ago."""
        partition = self._snapshots.of(pk).partition
        return partition.key if partition is not None else None

    def is_current(self, now_ms: int) -> bool:
        """Whether plans and rules on addresses may stand in for a read."""
        return self._plans_read_ms is not None and now_ms - self._plans_read_ms < PLANS_GOOD_MS

    def action(self, address: Address | None, now_ms: int) -> AddressAction | None:
        """What operators decided on an address, as far as it was read, however long ago."""
        return self._rules.action(address, now_ms)

    def units_of(self, method: str, path: str) -> int:
        """What a call weighs, as far as it was read; 1 before that."""
        return self._routes.units_of(method, path)

    @property
    def has_plans(self) -> bool:
        """Whether plans were read at all, be there any or not."""
        return self._plans_read_ms is not None

    def known_plan(self, name: str) -> Plan | None:
        """The plan `name` if it was read."""
        return self._plans.get(name)

    def plan(self, name: str, now_ms: int) -> Plan | None:
        """The plan `name`. One that is not known may have been applied a moment ago: it is asked for, but not with
        every call."""
        read_ms = self._plans_read_ms
        if name not in self._plans and read_ms is not None and now_ms - read_ms >= UNKNOWN_PLAN_MS:
            self._plans_read_ms = min(read_ms, now_ms - PLANS_GOOD_MS)
            self.look([], now_ms)
        return self._plans.get(name)

    def anonymous_plan(self) -> Plan | None:
        """The plan of calls without a key."""
        return next((plan for plan in self._plans.values() if plan.anonymous), None)

    def on_unavailable(self, *, keyed: bool) -> OnUnavailable | None:
        """What holds for a caller whose plan is not known; None when no plan that they could be on is known either."""
        return strictest_on_unavailable(plan for plan in self._plans.values() if plan.anonymous != keyed)


def usable(snapshot: Snapshot, now_ms: int) -> Partition | None:
    """What a decision may rest on, read just now or not; None when it is too old, or was never read."""
    return snapshot.partition if now_ms - snapshot.read_ms <= LAST_RESORT_MS else None
