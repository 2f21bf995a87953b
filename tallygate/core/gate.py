"""The gate as the request path sees it: one round of reads brings all that a decision needs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tallygate.core.addresses import NO_RULES, AddressRules
from tallygate.core.adjustments import UNADJUSTED, Adjustments
from tallygate.core.credentials import StoredKey
from tallygate.core.plans import Plan
from tallygate.core.routes import ALL_ALIKE, Routes
from tallygate.core.usage import HomeUsage


@dataclass(frozen=True, slots=True)
class Partition:
    """What the gate holds of one identifier: the rows of all homes, its profile when it is a key, adjustments, and the
    epochs of those of its counters that were reset."""

    homes: tuple[HomeUsage, ...] = ()
    key: StoredKey | None = None
    adjustments: Adjustments = UNADJUSTED
    epochs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """Why there is no answer. `may_pass` tells a slow or busy store from a fault of ours or of the deployment."""

    reason: str
    may_pass: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What one round of reads brought. What was asked for and is not here could not be read; `failures` say why. The
    `rules` on addresses and the `routes` come with the plans."""

    partitions: Mapping[str, Partition] = field(default_factory=dict)
    plans: Mapping[str, Plan] | None = None
    failures: tuple[ReadFailure, ...] = ()
    took_ms: int = 0
    rules: AddressRules = NO_RULES
    routes: Routes = ALL_ALIKE


class Gate(Protocol):
    """Where published counts, keys and plans are read."""

    def read(self, partitions: Collection[str], *, plans: bool, now_ms: int) -> Reading:
        """The partitions named by their keys (`ip#203.0.113.7`), and all plans with the rules on addresses and the
        routes if asked. Returns in time, with or without them; never raises for a store that does not answer."""
        ...
