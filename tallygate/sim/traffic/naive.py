"""The asynchronous counter that one would write first, to compare with: it refuses when the published count has reached
the quota. No marks (each flush is published), no estimate, no memory of what it admitted, a read for every call."""

from collections.abc import Mapping
from typing import Final

from tallygate.core.decide import Decision, Request, decide
from tallygate.core.limiter import Limiter
from tallygate.core.names import Kind
from tallygate.core.plans import Plan
from tallygate.core.snapshots import Snapshot
from tallygate.core.usage import Usage

_NOTHING: Final = Usage()


class NaiveLimiter(Limiter):
    """Decides by counts alone: rows are expected to tell no rate."""

    def decide(self, id: str, at_ms: int, units: int, snapshots: Mapping[Kind, Snapshot], plan: Plan) -> Decision:
        known = {
            kind: Usage(snapshot.partition.homes) if snapshot.partition is not None else _NOTHING
            for kind, snapshot in snapshots.items()
        }
        return decide(Request(id, self._home, units, tuple(known)), known, plan, at_ms, self._tuning)
