"""What is known of an API key besides its secret: whose it is, what it may, from where, and until when."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from tallygate.core.credentials import ACTIVE
from tallygate.core.lines import format_timestamp
from tallygate.core.plans import Limit

KeyStatus = Literal["active", "revoked"]
KeyState = Literal["active", "revoked", "expired"]
KEY_STATES: Final[tuple[KeyState, ...]] = ("active", "revoked", "expired")
REVOKED: Final[KeyStatus] = "revoked"


@dataclass(frozen=True, slots=True)
class KeyProfile:
    """A key but for its hash. `created` is an RFC 3339 time in UTC; `expires_ms` is None for never. `referers` are
    hosts, or `*.` and a domain for its subdomains; `addresses` are CIDR ranges; none of them means any. Of a line of
    rotations all are counted as the first, `counted_as`. `overrides` are quotas of its own. `revision` grows with each
    change."""

    id: str
    owner: str
    plan: str
    status: KeyStatus
    created: str
    expires_ms: int | None = None
    note: str | None = None
    referers: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    rotated_from: str | None = None
    rotated_to: str | None = None
    counted_as: str | None = None
    overrides: tuple[Limit, ...] = ()
    revision: int = 0

    @property
    def counted_under(self) -> str:
        """The key id under which its calls are counted and limited."""
        return self.counted_as or self.id

    def state(self, now_ms: int) -> KeyState:
        if self.status != ACTIVE:
            return "revoked"
        return "expired" if self.expires_ms is not None and self.expires_ms <= now_ms else "active"

    def revoked(self) -> "KeyProfile":
        return replace(self, status=REVOKED)

    def document(self, now_ms: int) -> dict[str, Any]:
        """The profile for people and programs, as JSON values."""
        return {
            "id": self.id,
            "owner": self.owner,
            "plan": self.plan,
            "status": self.state(now_ms),
            "created": self.created,
            "expires": None if self.expires_ms is None else format_timestamp(self.expires_ms),
            "note": self.note,
            "referers": list(self.referers),
            "addresses": list(self.addresses),
            "rotated_from": self.rotated_from,
            "rotated_to": self.rotated_to,
            "counted_as": self.counted_under,
            "overrides": [f"{limit.per}={limit.quota}/{limit.policy}" for limit in self.overrides],
        }
