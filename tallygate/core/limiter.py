"""The limiter of one container: what it knows of a caller, a plan, and the decision; and what it then remembers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tallygate.core.decide import Decision, Request, decide
from tallygate.core.gate_view import usable
from tallygate.core.names import Kind
from tallygate.core.plans import Plan
from tallygate.core.snapshots import Snapshot
from tallygate.core.tuning import TUNING, Tuning
from tallygate.core.usage import Admission, Usage

UNAVAILABLE: Final = Decision(refusal="unavailable", retry_after_seconds=5)


class Limiter:
    """Holds callers to their plans. `home` counts this region's calls."""

    def __init__(self, home: str, tuning: Tuning = TUNING) -> None:
        self._home = home
        self._tuning = tuning

    def decide(self, id: str, at_ms: int, units: int, snapshots: Mapping[Kind, Snapshot], plan: Plan) -> Decision:
        """Decide on the call `id` of `units`, charged to the identifiers of `snapshots`, and remember it there. Where
        one of them could not be read for too long, `plan` says what happens, or in shadow what would."""
        known: dict[Kind, Usage] = {
            kind: snapshot.usage() for kind, snapshot in snapshots.items() if usable(snapshot, at_ms) is not None
        }
        is_blind = len(known) < len(snapshots) and plan.on_unavailable == "deny"
        if is_blind and not plan.shadow:
            return UNAVAILABLE
        decision = decide(Request(id, self._home, units, tuple(known)), known, plan, at_ms, self._tuning)
        if is_blind and decision.would is None:
            decision = replace(decision, would=UNAVAILABLE.refusal)
        is_far = decision.allowed and decision.is_below(self._tuning.reuse_below_percent)
        for snapshot in snapshots.values():
            snapshot.good_until_ms = snapshot.read_ms + self._tuning.reuse_ms if is_far else 0
            if decision.allowed and units:
                snapshot.admit(Admission(at_ms, units))
        told = []
        for checked in decision.limits:
            limit, usage = checked.limit, known[checked.limit.per]
            weighs = usage.weighs_before(limit.window, at_ms) if limit.rolling else 0
            told.append(snapshots[limit.per].tell(checked, weighs, units if decision.allowed else 0))
        return Decision(tuple(told), decision.refusal, decision.retry_after_seconds, decision.would)
