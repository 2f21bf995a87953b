"""Whether a key that was presented is good: what its profile says, in the order of what a caller can do about it."""

from dataclasses import dataclass, field
from typing import Final

from tallygate.core.keys import is_same_hash
from tallygate.core.verdict import KeyFault

ACTIVE: Final = "active"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as its profile has it. `hash` is of the whole secret; `expires_ms` is None for never."""

    hash: str = field(repr=False)
    plan: str
    status: str
    expires_ms: int | None = None


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
