"""Whether a key that was presented is good, and may be used from where it was: what its profile says, in the order of
what a caller can do about it."""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Final, Literal

from tallygate.core.addresses import Address, Ranges
from tallygate.core.keys import is_same_hash
from tallygate.core.plans import Limit

ACTIVE: Final = "active"
ANY_SUBDOMAIN: Final = "*."

KeyFault = Literal["malformed", "unknown", "revoked", "expired"]
Restriction = Literal["key-address", "key-referer"]


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as its profile has it. `hash` is of the whole secret; `expires_ms` is None for never; `counted_as` is the
    id under which its calls are counted, None for its own. Without `referers` or `addresses`, any will do. `overrides`
    are its own quotas in place of those of its plan. A key without an `owner` shares no quota."""

    hash: str = field(repr=False)
    plan: str
    status: str
    expires_ms: int | None = None
    counted_as: str | None = None
    referers: Set[str] = frozenset()
    addresses: Ranges[bool] | None = field(default=None, compare=False)
    overrides: tuple[Limit, ...] = ()
    owner: str | None = field(default=None, compare=False)


def fault_of(stored: StoredKey | None, presented_hash: str, now_ms: int) -> KeyFault | None:
    """What is wrong with a key whose hash is `presented_hash`; None when it is good. The id is a part of the hash, so a
    profile found by it says nothing yet: the whole is compared first."""
    if stored is None or not is_same_hash(stored.hash, presented_hash):
        return "unknown"
    if stored.status != ACTIVE:
        return "revoked"
    if stored.expires_ms is not None and stored.expires_ms <= now_ms:
        return "expired"
    return None


def restriction_of(stored: StoredKey, address: Address | None, referer: str | None) -> Restriction | None:
    """Which restriction of a good key a call does not meet; None when it meets them all. What is not known (no Referer,
    an address that cannot be read) meets none."""
    if stored.addresses is not None and (address is None or not any(stored.addresses.covering(address))):
        return "key-address"
    if stored.referers and (referer is None or not _is_allowed(stored.referers, referer)):
        return "key-referer"
    return None


def _is_allowed(allowed: Set[str], host: str) -> bool:
    if host in allowed:
        return True
    while (dot := host.find(".")) >= 0:
        host = host[dot + 1 :]
        if ANY_SUBDOMAIN + host in allowed:
            return True
    return False
