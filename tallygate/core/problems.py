"""Answers that are not what the caller hoped for, as problem details (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tallygate.core.credentials import KeyFault
from tallygate.core.verdict import STATUS, Ban, Verdict

CONTENT_TYPE: Final = "application/problem+json"
_IANA = "https://iana.org/assignments/http-problem-types#"  # draft-ietf-httpapi-ratelimit-headers-11, section 5
_OURS = "urn:problem-type:tallygate:"

_KEY_FAULTS: Final[dict[KeyFault, str]] = {
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


@dataclass(frozen=True, slots=True)
class Problem:
    """A status, a body without it, and headers that belong to it."""

    status: int
    type: str
    title: str
    detail: str
    more: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        return {"type": self.type, "title": self.title, "status": self.status, "detail": self.detail, **self.more}


NO_VERDICT: Final = Problem(
    403, _OURS + "no-verdict", "Not decided on", "This call did not come through the authorizer."
)
NOT_FOUND: Final = Problem(
    404, _OURS + "not-found", "Not found", "There is nothing at this path, or not for this method."
)
FAILED: Final = Problem(500, _OURS + "internal", "Internal error", "The call failed on our side. It was counted.")


def problem_of(verdict: Verdict) -> Problem | None:
    """Why a call was refused; None when it was not."""
    decision = verdict.decision
    if decision.refusal == "quota":
        violated = [checked.limit.name for checked in decision.limits if checked.refuses]
        return Problem(
            STATUS["quota"],
            _IANA + "quota-exceeded",
            "Quota exceeded",
            f"Try again in {decision.retry_after_seconds} s.",
            {"violated-policies": violated},
        )
    if decision.refusal == "key":
        return Problem(
            STATUS["key"],
            _OURS + "invalid-key",
            "Invalid API key",
            _KEY_FAULTS[verdict.key_fault or "unknown"],
            headers={"WWW-Authenticate": 'Bearer realm="api", error="invalid_token"'},  # RFC 6750, section 3
        )
    if decision.refusal == "forbidden":
        type, title, detail = _BANS[verdict.ban or "address"]
        return Problem(STATUS["forbidden"], _OURS + type, title, detail, {"restriction": verdict.ban or "address"})
    if decision.refusal == "unavailable":
        return Problem(
            STATUS["unavailable"],
            _IANA + "temporary-reduced-capacity",
            "Temporarily unavailable",
            "Usage cannot be read at the moment, and this plan waits until it can.",
            {
                "violated-policies": sorted(
                    f"{kind}-{policy}" for kind, policies in verdict.caps.items() for policy in policies
                )
            },
        )
    return None
