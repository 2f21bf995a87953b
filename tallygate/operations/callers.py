"""Whoever is asked about, as the gate knows them: which plan governs them, and how their quotas were adjusted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from typing import Final

from tallygate.aws.client_reads import ClientReads
from tallygate.aws.gate_reader import GateReader
from tallygate.aws.gate_rows import partition_of, stored_key
from tallygate.aws.key_reader import KeyReader
from tallygate.aws.rows import Row
from tallygate.aws.usage_reader import rows_at
from tallygate.core import names
from tallygate.core.addresses import Address, AddressAction, AddressRules
from tallygate.core.adjustments import UNADJUSTED, Adjustments
from tallygate.core.credentials import ACTIVE, StoredKey
from tallygate.core.gate import Reading
from tallygate.core.identity import is_site
from tallygate.core.names import Kind, pk_of
from tallygate.core.plans import Plan
from tallygate.core.tally import ItemKey
from tallygate.operations.errors import UnreachableError
from tallygate.operations.service import Service
from tallygate.operations.sources import Sources

MAX_ROTATIONS: Final = 20
"""Links of a line of rotations that are followed to its last key."""
MAX_OWNERS_KEYS: Final = 100
"""Keys of an owner that are looked at for their plans."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What callers are held to now."""

    plans: Mapping[str, Plan]
    rules: AddressRules

    @property
    def anonymous(self) -> Plan | None:
        """The plan of calls without a key."""
        return next((plan for plan in self.plans.values() if plan.anonymous), None)

    def of_key(self, key: StoredKey) -> Plan | None:
        """The plan of a key, with its own quotas."""
        plan = self.plans.get(key.plan)
        return plan.overridden(key.overrides) if plan is not None else None

    def action(self, value: str, now_ms: int) -> AddressAction | None:
        """What operators decided on an address; on a network, what they did on its first."""
        return self.rules.action(_address(value), now_ms)


@dataclass(frozen=True, slots=True)
class Governed:
    """A caller: the plan whose limits hold it, None where none does, and the adjustments of its quotas."""

    plan: Plan | None = None
    adjustments: Adjustments = UNADJUSTED


class Callers:
    """Looks callers up in the gate. Raises UnreachableError."""

    def __init__(self, sources: Sources, service: Service) -> None:
        self._sources = sources
        self._table = service.names.gate_table

    def read(self, pks: Sequence[str], now_ms: int) -> tuple[Reading, InForce]:
        """Partitions as authorizers read them, and what is in force."""
        reading = self._sources.at_gate(
            lambda client: GateReader(ClientReads(client), self._table, 0).read(pks, plans=True, now_ms=now_ms)
        )
        if reading.plans is None or len(reading.partitions) < len(set(pks)):
            reason = "; ".join(failure.reason for failure in reading.failures)
            raise UnreachableError("the gate", self._sources.gate.meta.region_name, reason, may_pass=False)
        return reading, InForce(reading.plans, reading.rules)

    def in_force(self, now_ms: int) -> InForce:
        """Plans and rules on addresses."""
        return self.read([], now_ms)[1]

    def counted_under(self, key: str) -> str:
        """The id under which the calls of a key are counted: its own when nobody knows it."""
        row = self._profiles("key", [key]).get(key, {})
        return row[names.KEY_COUNTED_AS]["S"] if names.KEY_COUNTED_AS in row else key

    def successor(self, key: str) -> str | None:
        """The last key of the line of rotations that this one is in; None where it is the last itself."""
        newest = self._newest(self._profiles("key", [key])).get(key)
        id = newest[names.PK]["S"].partition("#")[2] if newest is not None else key
        return id if id != key else None

    def has_hours(self, kind: Kind, value: str, now_ms: int) -> bool:
        """Whether it is counted by the hour now: where its plan limits it by the hour."""
        plan = self.governed(kind, [value], now_ms)[value].plan
        return plan is not None and any(limit.per == kind and limit.window == "hour" for limit in plan.limits)

    def governed(self, kind: Kind, values: Sequence[str], now_ms: int) -> dict[str, Governed]:
        """Each of `values`, in the form in which it is counted."""
        in_force, rows = self.in_force(now_ms), self._profiles(kind, values)
        adjusted = {value: partition_of([row], now_ms).adjustments for value, row in rows.items()}
        match kind:
            case "key":
                newest = self._newest(rows)
                plans = {value: in_force.of_key(key) for value, row in newest.items() if (key := stored_key(row))}
            case "owner":
                plans = self._plans_of_owners(values, in_force)
            case "ip":
                plans = {value: in_force.anonymous for value in values if in_force.action(value, now_ms) is None}
            case "ref":
                plans = {value: in_force.anonymous for value in values if is_site(value)}
        return {value: Governed(plans.get(value), adjusted.get(value, UNADJUSTED)) for value in values}

    def plan_of_owner(self, owner: str, in_force: InForce) -> Plan | None:
        """See _plans_of_owners."""
        return self._plans_of_owners([owner], in_force).get(owner)

    def _plans_of_owners(self, owners: Sequence[str], in_force: InForce) -> dict[str, Plan | None]:
        """The plan by which the keys of each share a quota; none where there are several: it depends on the key
        then."""
        region = self._sources.gate.meta.region_name
        reader = KeyReader(self._sources.gate, self._table)
        pages = self._sources.all_of(
            "the gate", [(region, partial(reader.page, MAX_OWNERS_KEYS, owner=owner)) for owner in owners]
        )
        plans: dict[str, Plan | None] = {}
        for owner, page in zip(owners, pages, strict=True):
            on = {profile.plan for profile in page.profiles if profile.status == ACTIVE}
            shared = [plan for plan in in_force.plans.values() if plan.name in on and _is_shared(plan)]
            plans[owner] = shared[0] if len(shared) == 1 else None
        return plans

    def _profiles(self, kind: Kind, values: Iterable[str]) -> dict[str, Row]:
        places = [ItemKey(pk_of(kind, value), names.PROFILE_SK) for value in dict.fromkeys(values)]
        rows = self._sources.at_gate(lambda client: rows_at(client, self._table, places))
        return {place.pk.partition("#")[2]: row for place, row in rows.items()}

    def _newest(self, rows: Mapping[str, Row]) -> dict[str, Row]:
        """The last key of the line of rotations that each is in: its plan is the one that holds."""
        newest = dict(rows)
        for _ in range(MAX_ROTATIONS):
            following = {
                id: row[names.KEY_ROTATED_TO]["S"] for id, row in newest.items() if names.KEY_ROTATED_TO in row
            }
            found = self._profiles("key", following.values()) if following else {}
            if not found:
                break
            newest |= {id: found[successor] for id, successor in following.items() if successor in found}
        return newest


def _is_shared(plan: Plan) -> bool:
    return any(limit.per == "owner" for limit in plan.limits)


def _address(value: str) -> Address | None:
    try:
        return ip_network(value).network_address
    except ValueError:
        return None  # of a call whose address could not be read
