"""Answers that are not what the caller hoped for, as problem details (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tallygate.core.counters import MAX_RESET_COUNTERS
from tallygate.core.credentials import KeyFault
from tallygate.core.decide import Checked, Decision
from tallygate.core.lines import format_timestamp
from tallygate.core.plans import Window
from tallygate.core.problem_types import IANA, OURS
from tallygate.core.routes import USAGE_PATH
from tallygate.core.verdict import STATUS, Ban, Verdict

CONTENT_TYPE: Final = "application/problem+json"

_KEY_FAULTS: Final[dict[KeyFault, str]] = {
    # Only who holds the whole secret is told more than "unknown": see credentials.fault_of.
    "malformed": "The API key is not one of ours: it is incomplete, mistyped, or made for something else.",
    "unknown": "There is no such API key. A key that was just made may take some seconds to arrive.",
    "revoked": "The API key was revoked.",
    "expired": "The API key has expired.",
}
_BANS: Final[dict[Ban, tuple[str, str, str]]] = {
    # Type, title and detail.
    "address": ("address-blocked", "Address blocked", "Calls from this address are not answered."),
    "key-address": ("key-restricted", "API key restricted", "The API key may not be used from this address."),
    "key-referer": ("key-restricted", "API key restricted", "The API key may not be used from this site (Referer)."),
}
_SPANS: Final[dict[Window, str]] = {
    "second": "within a second",
    "minute": "a minute",
    "hour": "an hour",
    "day": "a day",
    "month": "a month",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A status, a body without it, and headers that belong to it."""

    status: int
    type: str
    title: str
    detail: str
    more: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, types: str = OURS, instance: str | None = None) -> dict[str, object]:
        """The problem as JSON has it. `types` is where our types are described: a type's name is added to it.
        `instance` is the id of the call, for whoever asks about it."""
        type = types + self.type.removeprefix(OURS) if self.type.startswith(OURS) else self.type
        fields = {"type": type, "title": self.title, "status": self.status, "detail": self.detail}
        return fields | ({"instance": instance} if instance else {}) | dict(self.more)


NO_VERDICT: Final = Problem(
    403, OURS + "no-verdict", "Not decided on", "This call did not come through the authorizer."
)
NOT_FOUND: Final = Problem(
    404, OURS + "not-found", "Not found", "There is nothing at this path, or not for this method."
)
KEY_REQUIRED: Final = Problem(
    401,
    OURS + "key-required",
    "API key required",
    "Counters belong to an API key: present one in x-api-key.",
    headers={"WWW-Authenticate": 'Bearer realm="api"'},
)
UNVERIFIED: Final = Problem(
    503,
    IANA + "temporary-reduced-capacity",
    "Temporarily unavailable",
    "The API key cannot be verified at the moment, and counters belong to one. Try again in 5 s.",
    headers={"Retry-After": "5"},
)
COUNTERS_UNREACHED: Final = Problem(
    503,
    OURS + "counters-unavailable",
    "Counters unavailable",
    "The region of sequences and epochs did not answer. Trying again is safe: a sequence may leave out a number.",
    headers={"Retry-After": "5"},
)
COUNTERS_UNREAD: Final = Problem(
    503,
    OURS + "counters-unavailable",
    "Counters unavailable",
    "No home of counts can be read at the moment. Try again in 5 s.",
    headers={"Retry-After": "5"},
)
OTHER_EPOCH: Final = Problem(
    409, OURS + "other-epoch", "Not in this epoch", "The counter has not come to this epoch yet; nothing was reset."
)
TOO_MANY_RESET: Final = Problem(
    409,
    OURS + "too-many-reset",
    "Too many counters reset",
    f"Of one key, {MAX_RESET_COUNTERS} counters may be reset, and others were. Take a new name instead.",
)
FAILED: Final = Problem(500, OURS + "internal", "Internal error", "The call failed on our side. It was counted.")


def problem_of(verdict: Verdict) -> Problem | None:
    """Why a call was refused; None when it was not."""
    decision = verdict.decision
    if decision.refusal == "quota":
        return _exceeded(decision)
    if decision.refusal == "key":
        return Problem(
            STATUS["key"],
            OURS + "invalid-key",
            "Invalid API key",
            _KEY_FAULTS[verdict.key_fault or "unknown"],
            headers={"WWW-Authenticate": 'Bearer realm="api", error="invalid_token"'},  # RFC 6750, section 3
        )
    if decision.refusal == "forbidden":
        type, title, detail = _BANS[verdict.ban or "address"]
        return Problem(STATUS["forbidden"], OURS + type, title, detail, {"restriction": verdict.ban or "address"})
    if decision.refusal == "unavailable":
        return Problem(
            STATUS["unavailable"],
            IANA + "temporary-reduced-capacity",
            "Temporarily unavailable",
            "Usage cannot be read at the moment, and this plan waits until it can. "
            f"Try again in {decision.retry_after_seconds} s.",
            {"violated-policies": []},  # no quota is known to be exceeded
        )
    return None


def _exceeded(decision: Decision) -> Problem:
    """Every limit in the way is told, the one that opens last first: it says when to come back."""
    violated = sorted((each for each in decision.limits if each.refuses), key=lambda each: -each.opens_ms)
    return Problem(
        STATUS["quota"],
        IANA + "quota-exceeded",
        "Quota exceeded",
        " ".join([*map(_in_words, violated), f"Try again in {decision.retry_after_seconds} s."]),
        {
            "violated-policies": [each.limit.name for each in decision.limits if each.refuses],
            "limits": [_fields(each) for each in violated],
            "usage": USAGE_PATH,
        },
    )


def _in_words(checked: Checked) -> str:
    limit = checked.limit
    allows = f"{limit.name} allows {limit.quota} {_SPANS[limit.window]}"
    if limit.rolling:
        allows += ", that before counting in part"
    opens = format_timestamp(checked.opens_ms)
    if checked.estimated:
        return f"{allows}; with calls that are still being counted, they seem to be used up until {opens}."
    return f"{allows}; there is room for this call at {opens}."


def _fields(checked: Checked) -> dict[str, object]:
    limit = checked.limit
    return {
        "policy": limit.name,
        "kind": limit.per,
        "window": limit.window,
        "rolling": limit.rolling,
        "limit": limit.quota,
        "used": checked.certain,
        "estimated": checked.estimated,
        "opens": format_timestamp(checked.opens_ms),
        "reset": format_timestamp(checked.reset_ms),
    }
