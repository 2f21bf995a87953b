"""What applying the plans of a configuration changes, whom it touches, and doing it."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from tallygate.aws.callers import Callers
from tallygate.aws.key_store import KeyStore
from tallygate.aws.plan_reader import InForce
from tallygate.aws.plan_store import PlanStore, StalePlansError
from tallygate.cli.failures import Failure
from tallygate.cli.output import console
from tallygate.cli.plan_words import change_document, print_changes, print_route_changes
from tallygate.cli.republishing import Survey, callers_of, in_force, survey
from tallygate.cli.target import Target
from tallygate.config import Config
from tallygate.core.key_admin import BusyError, KeyAdminError
from tallygate.core.key_profile import KeyProfile
from tallygate.core.plan_changes import Difference, PlanChange, plan_changes, route_changes
from tallygate.core.republish import Group, KeyMove, groups_of

SETTLED_SECONDS: Final = 45.0
"""Plans are read again after 30 s; what was called until then is counted soon after."""


@dataclass(frozen=True)
class Intended:
    """What applying a configuration comes to. `in_use`: keys on plans that would go."""

    store: PlanStore
    before: InForce
    wanted: Config
    changes: list[PlanChange]
    routes: list[Difference]
    in_use: list[KeyProfile]
    groups: list[Group]
    callers: Callers
    survey: Survey

    @classmethod
    def of(cls, target: Target, *, to_write: bool, move_to: str | None = None, republish: bool = False) -> "Intended":
        gate, table = target.gate(to_write=to_write), target.names.gate_table
        store = PlanStore(gate, table, target.audit_log() if to_write else None)
        before, wanted = in_force(store), target.wanted
        changes = plan_changes(before.plans, wanted.plans)
        changed = {change.name for change in changes}
        gone = {change.name for change in changes if change.kind == "removed"}
        now_ms = _now_ms()
        # There may be many keys: they are not read for nothing.
        is_read = republish or any(change.before and not change.before.anonymous for change in changes)
        keys = [key for key in (KeyStore(gate, table).profiles() if is_read else ()) if key.state(now_ms) == "active"]
        moves = {
            key.counted_under: KeyMove(
                key.plan, (move_to if key.plan in gone else None) or key.plan, key.overrides, key.owner
            )
            for key in keys
            if republish or key.plan in changed
        }
        groups = groups_of([] if republish else before.plans, wanted.plans, moves)
        callers = callers_of(target)
        found = survey(callers, groups, now_ms) if before.plans else Survey()
        in_use = [key for key in keys if key.plan in gone]
        routes = route_changes(before.routes, wanted.routes)
        return cls(store, before, wanted, changes, routes, in_use, groups, callers, found)

    @property
    def is_something(self) -> bool:
        """Whether anything changes."""
        return bool(self.changes or self.routes)

    @property
    def keys_on(self) -> Counter[str]:
        return Counter(key.plan for key in self.in_use)

    def why_not(self) -> str:
        names = " and ".join(sorted(self.keys_on))
        return f"keys are on {names}: put them on another plan with --move-to, or let them have none with --force"

    def print(self, *, stderr: bool = False) -> None:
        out = console(stderr=stderr)
        if not self.is_something:
            out.print("Nothing changes: these plans are in force.")
        print_changes(out, self.changes, self.keys_on)
        print_route_changes(out, self.routes)
        self.survey.print(out)

    def document(self) -> dict[str, Any]:
        changes = [change_document(change, self.keys_on) for change in self.changes]
        before, after = self.before.routes.units, self.wanted.routes.units
        routes = {each.part: {"before": before.get(each.part), "after": after.get(each.part)} for each in self.routes}
        return {"changes": changes, "routes": routes, "touched": self.survey.document()}

    def publish(self, *, wait: bool) -> int:
        """Tell the regions what the new marks call for; how many rows that wrote. Once more when no container goes by
        the plans before any longer: what was used meanwhile was told by their marks."""
        tightened = [group for group in self.groups if group.is_tightened] if self.before.plans else []
        published = 0
        for seconds in (0, SETTLED_SECONDS) if wait else (0,):
            if tightened:
                with console(stderr=True).status(f"until it holds everywhere: {SETTLED_SECONDS:.0f} s …"):
                    time.sleep(seconds)
                published += self.callers.publish(survey(self.callers, tightened, _now_ms()).due)
        return published

    def carry_out(self, target: Target, move_to: str | None) -> list[str]:
        """Write the plans; the ids of the keys that were moved to another before their own went."""
        try:
            revision, moved = self.before.revision, []
            plans, routes = self.wanted.plans, self.wanted.routes
            if move_to is not None and self.in_use:
                staying = [plan for plan in self.before.plans if plan.name in self.keys_on]
                revision = self.store.apply([*plans, *staying], routes, revision)
                moved = _move(target, self.in_use, move_to)
            self.store.apply(plans, routes, revision)
        except StalePlansError:
            raise Failure(
                "somebody else applied plans at this moment: look at what changes now, and try again"
            ) from None
        return moved


def _move(target: Target, keys: list[KeyProfile], plan: str) -> list[str]:
    admin = target.key_admin()
    for key in keys:
        try:
            admin.change(key.id, {"plan": plan}, _now_ms())
        except (KeyAdminError, BusyError) as error:
            raise Failure(f"key {key.id} stays on {key.plan}, which is still in force: {error}") from None
    return [key.id for key in keys]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
