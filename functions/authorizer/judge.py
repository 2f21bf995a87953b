"""Judging a call: who is it, is the key good, which plan governs it, and may it be answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from functions.authorizer.call import Call
from tallygate.aws.settings import AuthorizerSettings
from tallygate.core.credentials import KeyFault, StoredKey, fault_of, restriction_of
from tallygate.core.decide import Decision
from tallygate.core.gate import Reading
from tallygate.core.gate_view import GateView, usable
from tallygate.core.identity import UNKNOWN_IP, Identity, identify, is_site
from tallygate.core.keys import KEY_ID_CHARS, secret_hash, stage_of
from tallygate.core.limiter import UNAVAILABLE, Limiter
from tallygate.core.names import INVALID_KEY, Kind, pk_of
from tallygate.core.plans import Plan
from tallygate.core.routes import is_of_counters
from tallygate.core.snapshots import NO_EPOCHS, Snapshot
from tallygate.core.standing import NO_LIMITS, Standing, standing_limits
from tallygate.core.verdict import Ban, Verdict

REFUSED_KEY_MS: Final = 5_000
"""How long a key that is not good is remembered as such: not longer, since a new one may still be on its way."""
PROFILE_MS: Final = 1_000
"""How long the profile of a key that is counted as another may stand in for a read: no longer than any other's."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict; what was read for it, None when that was not needed; and the plan that a caller is on but that is
    not there."""

    verdict: Verdict
    reading: Reading | None = None
    missing_plan: str | None = None


class Judge:
    """Judges the calls of one container."""

    def __init__(self, settings: AuthorizerSettings, view: GateView) -> None:
        self._settings = settings
        self._view = view
        self._limiter = Limiter(settings.home)

    def judge(self, call: Call) -> Judgement:
        """Judge a call. A store that does not answer is no error: snapshots and plans say what happens then."""
        settings = self._settings
        identity = identify(call.headers, call.query, call.source_ip, settings.trusted_proxies, settings.ipv6_prefix)
        if self._view.is_current(call.at_ms) and self._is_blocked(call, identity):
            return Judgement(self._forbidden(call, identity, None, "address"))
        if identity.credential is not None:
            return self._keyed(call, identity, identity.credential)
        charge: list[Kind] = []
        pks = []
        # An address that operators let through is counted, and has no quota.
        if self._view.action(identity.address, call.at_ms) != "allow":
            charge.append("ip")
            pks.append(pk_of("ip", identity.ip))
        if identity.ref is not None and is_site(identity.ref):
            charge.append("ref")
            pks.append(pk_of("ref", identity.ref))
        found, reading = self._view.look(pks, call.at_ms)
        if self._is_blocked(call, identity):
            return Judgement(self._forbidden(call, identity, None, "address"), reading)
        plan = self._view.anonymous_plan()
        snapshots = dict(zip(charge, found, strict=True))
        if self._view.action(identity.address, call.at_ms) == "allow":
            snapshots.pop("ip", None)  # known only since the look
        return self._decided(call, identity, None, snapshots, plan, "the anonymous plan", reading)

    def undecided(self, call: Call) -> Verdict:
        """The verdict on a call when judging it failed for a reason that nobody foresaw."""
        decision = self._unavailable(keyed=False)
        return self._verdict(call, Identity(call.source_ip or UNKNOWN_IP), None, decision)

    def _keyed(self, call: Call, identity: Identity, credential: str) -> Judgement:
        if stage_of(credential) != self._settings.stage:
            return Judgement(self._bad_key(call, identity, INVALID_KEY, "malformed"))
        presented_hash = secret_hash(credential)
        key = presented_hash[:KEY_ID_CHARS]
        pk = pk_of("key", key)
        # What else a key is charged to is read with its profile as soon as that is known here.
        known = self._view.key(pk)
        beside = {} if known is None else _charged_beside(known, self._view.known_plan(known.plan))
        (snapshot, *found), reading = self._view.look([pk, *beside.values()], call.at_ms)
        charged = dict(zip(beside.values(), found, strict=True))
        if self._is_blocked(call, identity):
            return Judgement(self._forbidden(call, identity, None, "address"), reading)
        partition = snapshot.partition
        # A key that was once seen tells at least its plan, however long ago; one that was not there may be by now.
        if partition is None or (partition.key is None and usable(snapshot, call.at_ms) is None):
            # Anybody can make up such a key: it gets no item of its own.
            return Judgement(self._verdict(call, identity, INVALID_KEY, self._unavailable(keyed=True)), reading)
        stored = partition.key
        fault = fault_of(stored, presented_hash, call.at_ms)
        if fault is not None or stored is None:
            snapshot.good_until_ms = snapshot.read_ms + REFUSED_KEY_MS
            counted_as = INVALID_KEY if fault == "unknown" else key
            return Judgement(self._bad_key(call, identity, counted_as, fault or "unknown"), reading)
        counted_as = stored.counted_as or key
        ban = restriction_of(stored, identity.address, identity.ref)
        if ban is not None:
            return Judgement(self._forbidden(call, identity, counted_as, ban), reading)
        plan = self._view.plan(stored.plan, call.at_ms)
        if plan is not None:
            plan = plan.overridden(stored.overrides)
        beside = _charged_beside(stored, plan)
        missing = [each for each in beside.values() if each not in charged]
        if missing:
            more, latest = self._view.look(missing, call.at_ms)
            charged |= zip(missing, more, strict=True)
            reading = latest or reading
        snapshots: dict[Kind, Snapshot] = {"key": snapshot, **{kind: charged[each] for kind, each in beside.items()}}
        if "key" in beside:
            snapshot.good_until_ms = snapshot.read_ms + PROFILE_MS
        owner = stored.owner if "owner" in beside else None
        return self._decided(call, identity, counted_as, snapshots, plan, stored.plan, reading, owner)

    def _decided(
        self,
        call: Call,
        identity: Identity,
        key: str | None,
        snapshots: Mapping[Kind, Snapshot],
        plan: Plan | None,
        plan_name: str,
        reading: Reading | None,
        owner: str | None = None,
    ) -> Judgement:
        """Decide by `plan` on what is known of each charged identifier. Without a plan there is no limit to hold
        anybody to: the call is answered or not as for a store that cannot be read."""
        charge = tuple(snapshots)
        # The counters of a line of rotations are those of its first key, in whose place all are counted.
        counting = snapshots.get("key") if is_of_counters(call.path) else None
        if counting is not None and counting.partition is None:
            # Without them, what is added would go to an epoch that may long be over.
            return Judgement(self._verdict(call, identity, key, UNAVAILABLE, charge=charge, owner=owner), reading)
        epochs = counting.epochs if counting is not None else NO_EPOCHS
        if plan is None:
            decision = self._unavailable(keyed=key is not None)
            missing = plan_name if self._view.has_plans else None
            verdict = self._verdict(call, identity, key, decision, charge=charge, owner=owner, epochs=epochs)
            return Judgement(verdict, reading, missing)
        units = self._view.units_of(call.method, call.path)
        decision = self._limiter.decide(call.id, call.at_ms, units, snapshots, plan)
        standing = standing_limits(plan, {kind: found.usage() for kind, found in snapshots.items()}, call.at_ms)
        verdict = self._verdict(
            call, identity, key, decision, charge=charge, plan=plan, standing=standing, owner=owner, epochs=epochs
        )
        return Judgement(verdict, reading)

    def _unavailable(self, *, keyed: bool) -> Decision:
        """The decision on a caller whose plan is not known."""
        settings = self._settings
        unread = settings.keyed_on_unavailable if keyed else settings.anonymous_on_unavailable
        return Decision() if (self._view.on_unavailable(keyed=keyed) or unread) == "allow" else UNAVAILABLE

    def _is_blocked(self, call: Call, identity: Identity) -> bool:
        return self._view.action(identity.address, call.at_ms) == "block"

    def _forbidden(self, call: Call, identity: Identity, key: str | None, ban: Ban) -> Verdict:
        return self._verdict(call, identity, key, Decision(refusal="forbidden"), ban=ban)

    def _bad_key(self, call: Call, identity: Identity, counted_as: str, fault: KeyFault) -> Verdict:
        return self._verdict(call, identity, counted_as, Decision(refusal="key"), key_fault=fault)

    def _verdict(
        self,
        call: Call,
        identity: Identity,
        key: str | None,
        decision: Decision,
        *,
        charge: tuple[Kind, ...] = (),
        plan: Plan | None = None,
        standing: Standing = NO_LIMITS,
        key_fault: KeyFault | None = None,
        ban: Ban | None = None,
        owner: str | None = None,
        epochs: Mapping[str, int] = NO_EPOCHS,
    ) -> Verdict:
        return Verdict(
            ip=identity.ip,
            ref=identity.ref,
            key=key,
            plan=plan.name if plan is not None else None,
            charge=charge,
            caps=standing.caps,
            bases=standing.bases,
            before=standing.before,
            shadow=plan is not None and plan.shadow,
            home=self._settings.home,
            region=self._settings.region,
            units=self._view.units_of(call.method, call.path),
            decision=decision,
            key_fault=key_fault,
            ban=ban,
            owner=owner,
            epochs=epochs,
        )


def _charged_beside(key: StoredKey, plan: Plan | None) -> dict[Kind, str]:
    """Partitions that calls with a key are charged to beside its own: that of the first of its line, in whose place
    it is counted, and that of its owner where its plan has a quota for all of an owner's keys."""
    beside: dict[Kind, str] = {}
    if key.counted_as is not None:
        beside["key"] = pk_of("key", key.counted_as)
    if key.owner is not None and plan is not None and any(limit.per == "owner" for limit in plan.limits):
        beside["owner"] = pk_of("owner", key.owner)
    return beside
