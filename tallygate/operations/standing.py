"""One identifier at this moment: what is counted, what the regions know of that, and what a call would be told."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from tallygate.aws.usage_reader import UsageReader
from tallygate.core.adjustments import Adjustments
from tallygate.core.credentials import KeyFault, StoredKey, fault_of
from tallygate.core.decide import Request, decide
from tallygate.core.gate import Partition
from tallygate.core.identity import is_site
from tallygate.core.limit_use import LimitUse, counted_limits, counted_periods, limit_uses
from tallygate.core.lines import format_timestamp
from tallygate.core.names import Kind, pk_of
from tallygate.core.periods import period_of
from tallygate.core.plans import Plan, strictest_on_unavailable
from tallygate.core.usage import HomeUsage, Usage
from tallygate.operations.callers import Callers, InForce
from tallygate.operations.parameters import Query, identifier, only
from tallygate.operations.service import Service
from tallygate.operations.sources import Sources
from tallygate.operations.top import limit_document

if TYPE_CHECKING:
    from tallygate.operations.documents import AdjustmentsDocument, Decision, HomeStanding, Standing, StandingDocument


class Caller(NamedTuple):
    """Who is asked about. `partitions` are those that a call is charged to, by kind; `state` is a key's, or what rules
    say of an address."""

    kind: Kind
    value: str
    plan: Plan | None
    partitions: Mapping[Kind, Partition]
    owner: str | None = None
    state: str | None = None

    @property
    def adjustments(self) -> Adjustments:
        return self.own.adjustments

    @property
    def own(self) -> Partition:
        return self.partitions.get(self.kind, Partition())

    @property
    def limiting(self) -> Plan | None:
        """The plan, where calls are charged to this identifier."""
        return self.plan if self.kind in self.partitions else None


class CallerStanding:
    """Answers `standing`."""

    def __init__(self, sources: Sources, service: Service, callers: Callers) -> None:
        self._service = service
        self._callers = callers
        self._homes = tuple(sources.homes)
        self._reader = UsageReader(sources.homes, service.names.tally_table, sources.in_homes)

    def answer(self, query: Query, now_ms: int) -> "StandingDocument":
        """See Operations.standing."""
        only(query, "kind", "value")
        kind, value = identifier(query, self._service.ipv6_prefix)
        caller, in_force = self._caller(kind, value, now_ms)
        limits = counted_limits(caller.limiting, kind) if caller.limiting else []
        month = period_of("month", now_ms)
        rows = self._reader.rows(kind, caller.value, [month, *counted_periods(limits, now_ms)])
        return {
            "kind": kind,
            "value": caller.value,
            "plan": caller.plan.name if caller.plan is not None else None,
            "owner": caller.owner,
            "state": caller.state,
            "taken_over_by": self._callers.successor(value) if kind == "key" else None,
            "limits": _limits(caller, rows, now_ms),
            "decision": self._decision(caller, in_force, now_ms),
            "homes": [_home(row, caller.own) for row in rows if f"month#{row.month}" == month],
            "adjustments": cast("AdjustmentsDocument", caller.adjustments.document()),
        }

    def _caller(self, kind: Kind, value: str, now_ms: int) -> tuple[Caller, InForce]:
        pk = pk_of(kind, value)
        reading, in_force = self._callers.read([pk], now_ms)
        partition = reading.partitions[pk]
        match kind:
            case "key":
                return self._key(value, partition, in_force, now_ms), in_force
            case "owner":
                plan = self._callers.plan_of_owner(value, in_force)
                return Caller(kind, value, plan, {kind: partition}), in_force
            case "ip":
                state = in_force.action(value, now_ms)
                partitions: dict[Kind, Partition] = {} if state else {kind: partition}
                return Caller(kind, value, in_force.anonymous, partitions, state=state), in_force
            case "ref":
                partitions = {kind: partition} if is_site(value) else {}
                return Caller(kind, value, in_force.anonymous if partitions else None, partitions), in_force

    def _key(self, value: str, partition: Partition, in_force: InForce, now_ms: int) -> Caller:
        """As the authorizer: a key is charged to the first of its line, and to its owner where its plan says so."""
        key = partition.key
        if key is None:
            return Caller("key", value, None, {}, state="unknown")
        plan, counted_as = in_force.of_key(key), key.counted_as or value
        beside: dict[Kind, str] = {}
        if counted_as != value:
            beside["key"] = pk_of("key", counted_as)
        if key.owner is not None and plan is not None and counted_limits(plan, "owner"):
            beside["owner"] = pk_of("owner", key.owner)
        partitions: dict[Kind, Partition] = {"key": partition}
        if beside:
            reading, _ = self._callers.read(list(beside.values()), now_ms)
            partitions |= {kind: reading.partitions[pk] for kind, pk in beside.items()}
        state = _fault(key, now_ms) or "active"
        return Caller("key", counted_as, plan, partitions, key.owner, state)

    def _decision(self, caller: Caller, in_force: InForce, now_ms: int) -> "Decision":
        if caller.kind == "key" and caller.state != "active":
            return {"allowed": False, "refused_by": ["key"]}
        if caller.state == "block":
            return {"allowed": False, "refused_by": ["address"]}
        if caller.plan is None:
            plans = (plan for plan in in_force.plans.values() if plan.anonymous != (caller.kind == "key"))
            if caller.kind in ("key", "ip") and strictest_on_unavailable(plans) == "deny":
                return {"allowed": False, "refused_by": ["plan"]}
            return {"allowed": True, "refused_by": []}
        usages = {kind: Usage(found.homes, (), found.adjustments) for kind, found in caller.partitions.items()}
        request = Request(f"standing-{now_ms}", self._homes[0], 1, tuple(caller.partitions))
        decision = decide(request, usages, caller.plan, now_ms)
        return {
            "allowed": decision.allowed,
            "refused_by": [checked.limit.name for checked in decision.limits if checked.refuses],
        }


def _fault(key: StoredKey, now_ms: int) -> KeyFault | None:
    return fault_of(key, key.hash, now_ms)


def _limits(caller: Caller, rows: list[HomeUsage], now_ms: int) -> "list[Standing]":
    if caller.limiting is None:
        return []
    counted = Usage(tuple(rows), (), caller.adjustments)
    published = Usage(caller.own.homes, (), caller.adjustments)
    return [
        _limit(use, told)
        for use, told in zip(
            limit_uses(caller.limiting, caller.kind, counted, now_ms),
            limit_uses(caller.limiting, caller.kind, published, now_ms),
            strict=True,
        )
    ]


def _limit(use: LimitUse, published: LimitUse) -> "Standing":
    return {
        **limit_document(use),
        "published": published.used,
        "remaining": max(0, use.quota - use.used),
        "rolling": use.limit.rolling,
        "soft": use.limit.soft,
    }


def _home(row: HomeUsage, partition: Partition) -> "HomeStanding":
    """`row` is of this month, exact."""
    told = [each for each in partition.homes if each.home == row.home]
    newest = max(told, key=lambda each: each.at_ms, default=None)
    return {
        "home": row.home,
        "admitted": row.units,
        "charged": row.charged,
        "denied": row.denied,
        "counted_at": format_timestamp(row.at_ms) if row.at_ms else None,
        "published_at": format_timestamp(newest.at_ms) if newest else None,
        "rate": newest.rate_milli / 1000 if newest else 0.0,
    }
