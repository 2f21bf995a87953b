"""The verdict: all that the authorizer tells whoever answers the call, as a JSON string in the authorizer's context.

It comes from the gateway, not from the caller; whoever answers still takes nothing for granted, since a gateway may be
set up wrongly.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from tallygate.core.adjustments import Allowance, Baseline
from tallygate.core.credentials import KeyFault
from tallygate.core.decide import Checked, Decision, Refusal
from tallygate.core.lines import UsageLine
from tallygate.core.names import KINDS, Kind
from tallygate.core.plans import Caps, Limit
from tallygate.core.standing import Bases, Before, Befores, Standing, marked_caps

CONTEXT_KEY: Final = "tallygate"
"""The one name under which the verdict stands in the context."""

Ban = Literal["address", "key-address", "key-referer"]
"""What a forbidden call runs into: its address is blocked, or the key may not be used from it, or from that Referer."""

STATUS: Final[dict[Refusal, int]] = {"quota": 429, "key": 401, "forbidden": 403, "unavailable": 503}


class InvalidVerdictError(ValueError):
    """What stands in the context is no verdict of ours."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One call, who made it, who pays for it, and the decision. `key` is a key id, never a secret. `plan` is None when
    no plan governed the call; `caps` are its limits with top-ups, `bases` the counts from which they are used up,
    `before` what rolling ones know of the window before; a caller is told nothing of a plan in `shadow`; `key_fault`
    says what is wrong with a refused key, `ban` why a call was forbidden. `owner` is known where the keys of one
    share a quota, `epochs` where the call is one to counters that were reset."""

    ip: str
    home: str
    region: str
    units: int
    decision: Decision
    ref: str | None = None
    key: str | None = None
    plan: str | None = None
    charge: tuple[Kind, ...] = ()
    caps: Caps = field(default_factory=dict)
    bases: Bases = field(default_factory=dict)
    before: Befores = field(default_factory=dict)
    shadow: bool = False
    key_fault: KeyFault | None = None
    ban: Ban | None = None
    owner: str | None = None
    epochs: Mapping[str, int] = field(default_factory=dict)

    def identifier(self, kind: Kind) -> str | None:
        return (self.ip, self.ref, self.key, self.owner)[KINDS.index(kind)]

    @property
    def told(self) -> Decision:
        """The decision as its caller is told of it."""
        return Decision() if self.shadow else self.decision

    def line(self, id: str, timestamp_ms: int, status: int) -> UsageLine:
        """The usage line of this call, answered with `status`. A refused call uses up nothing."""
        return UsageLine(
            id=id,
            timestamp_ms=timestamp_ms,
            home=self.home,
            region=self.region,
            ip=self.ip,
            ref=self.ref,
            key=self.key,
            units=self.units if self.decision.allowed else 0,
            status=status,
            charge=self.charge,
            caps=marked_caps(Standing(self.caps, self.bases, self.before), self.home),
            verdict=self.decision.refusal,
            would=self.decision.would,
            owner=self.owner,
        )

    def to_json(self) -> str:
        decision = self.decision
        fields: dict[str, Any] = {
            "ip": self.ip,
            "ref": self.ref,
            "key": self.key,
            "owner": self.owner,
            "plan": self.plan,
            "charge": self.charge,
            "caps": self.caps,
            "bases": self.bases or None,
            "before": {
                kind: {policy: _before_fields(before) for policy, before in policies.items()}
                for kind, policies in self.before.items()
            }
            or None,
            "epochs": self.epochs or None,
            "shadow": self.shadow or None,
            "home": self.home,
            "region": self.region,
            "units": self.units,
            "key_fault": self.key_fault,
            "ban": self.ban,
            "decision": {
                "allowed": decision.allowed,
                "refusal": decision.refusal,
                "retry_after_seconds": decision.retry_after_seconds,
                "would": decision.would,
                "limits": [_checked_fields(checked) for checked in decision.limits],
            },
        }
        return json.dumps({name: value for name, value in fields.items() if value is not None}, separators=(",", ":"))


def verdict_of(text: object) -> Verdict:
    """The verdict of a context. InvalidVerdictError when it is none."""
    try:
        fields = json.loads(cast(str, text))
        decision = fields["decision"]
        return Verdict(
            ip=_text(fields["ip"]),
            ref=fields.get("ref"),
            key=fields.get("key"),
            plan=fields.get("plan"),
            charge=tuple(fields["charge"]),
            caps=fields["caps"],
            bases=fields.get("bases") or {},
            before={
                kind: {policy: _before(before) for policy, before in policies.items()}
                for kind, policies in (fields.get("before") or {}).items()
            },
            shadow=bool(fields.get("shadow")),
            home=_text(fields["home"]),
            region=_text(fields["region"]),
            units=int(fields["units"]),
            key_fault=fields.get("key_fault"),
            ban=fields.get("ban"),
            owner=fields.get("owner"),
            epochs={name: int(epoch) for name, epoch in (fields.get("epochs") or {}).items()},
            decision=Decision(
                limits=tuple(_checked(checked) for checked in decision["limits"]),
                refusal=None if decision["allowed"] is True else _refusal(decision["refusal"]),
                retry_after_seconds=decision["retry_after_seconds"],
                would=_refusal(decision["would"]) if decision.get("would") is not None else None,
            ),
        )
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidVerdictError(f"not a verdict: {type(error).__name__}") from None


def _checked_fields(checked: Checked) -> dict[str, object]:
    limit = checked.limit
    return {
        "per": limit.per,
        "window": limit.window,
        "quota": limit.quota,
        "used": checked.used,
        "window_ms": checked.window_ms,
        "reset_ms": checked.reset_ms,
        "refuses": checked.refuses,
        "opens_ms": checked.opens_ms,
        "exceeded": checked.exceeded,
        "guessed": checked.guessed,
        "estimated": checked.estimated,
        "rolling": limit.rolling,
        "soft": limit.soft,
    }


def _checked(fields: dict[str, Any]) -> Checked:
    return Checked(
        limit=Limit(
            fields["per"], int(fields["quota"]), fields["window"], bool(fields.get("rolling")), bool(fields.get("soft"))
        ),
        used=int(fields["used"]),
        window_ms=int(fields["window_ms"]),
        reset_ms=int(fields["reset_ms"]),
        refuses=bool(fields["refuses"]),
        opens_ms=int(fields["opens_ms"]),
        exceeded=bool(fields.get("exceeded")),
        guessed=int(fields.get("guessed") or 0),
        estimated=bool(fields.get("estimated")),
    )


def _before_fields(before: Before) -> dict[str, object]:
    weighs, allowance = before
    bases = {home: [baseline.units, baseline.at_ms] for home, baseline in allowance.bases.items()}
    return {"weighs": weighs, "bases": bases, "extra": allowance.extra}


def _before(fields: dict[str, Any]) -> Before:
    bases = {home: Baseline(int(units), int(at_ms)) for home, (units, at_ms) in fields["bases"].items()}
    return Before(int(fields["weighs"]), Allowance(bases, int(fields["extra"])))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _refusal(value: object) -> Refusal:
    for refusal in STATUS:
        if value == refusal:
            return refusal
    raise ValueError
