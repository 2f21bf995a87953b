"""`tallygate plans`: from the configuration into the gate, and what that changes."""

import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import click

from tallygate.aws.callers import Callers
from tallygate.aws.key_store import KeyStore
from tallygate.aws.plan_store import PlanStore, StalePlansError
from tallygate.cli.failures import Failure
from tallygate.cli.output import console, json_option, print_json
from tallygate.cli.plan_words import change_document, plan_document, print_changes, print_plans
from tallygate.cli.republishing import Survey, callers_of, survey
from tallygate.cli.target import Target, target_options
from tallygate.core.key_admin import BusyError, KeyAdminError
from tallygate.core.key_profile import KeyProfile
from tallygate.core.plan_changes import PlanChange, plan_changes
from tallygate.core.plans import Plan
from tallygate.core.republish import Group, groups_of

WITHIN = "They hold in every region within 30 seconds."
SETTLED_SECONDS = 45.0
"""Plans are read again after 30 s; what was called until then is counted soon after."""


@click.group()
def plans() -> None:
    """Check, apply and show the plans that callers are held to."""


@plans.command()
@click.option("--offline", is_flag=True, help="Look at the file only: ask nothing of AWS.")
@json_option
@target_options
def check(target: Target, offline: bool, as_json: bool) -> None:
    """Check the plans of the configuration, and show what applying them would change. Changes nothing.

    Shows also how many callers that touches, counted exactly, and how many would have used up what they may.
    Exit code 1: the file is wrong, or a plan would go that keys are on.

    \b
    Examples:
      tallygate plans check --offline
      tallygate plans check --stage prod --config tallygate.toml
    """
    if offline:
        if as_json:
            print_json({"plans": [plan_document(plan) for plan in target.wanted.plans]})
        else:
            console().print(f"{len(target.wanted.plans)} plans, nothing wrong with them.")
        return
    intended = _Intended.of(target, to_write=False)
    if as_json:
        print_json(intended.document())
    else:
        intended.print()
    if intended.in_use:
        raise Failure(intended.why_not())


@plans.command()
@click.option("--yes", is_flag=True, help="Do not ask. Without a terminal nobody is asked anyway.")
@click.option("--move-to", metavar="PLAN", help="Put the keys of plans that go on PLAN first.")
@click.option(
    "--no-wait",
    is_flag=True,
    help="Do not wait until it holds everywhere, to tell then what was used meanwhile under the limits before.",
)
@click.option(
    "--republish", is_flag=True, help="Tell anew what callers used though nothing changes: after a failure, say."
)
@click.option("--force", is_flag=True, help="Let plans go that keys are on: their calls are then held to no limit.")
@json_option
@target_options
def apply(
    target: Target, yes: bool, move_to: str | None, no_wait: bool, republish: bool, force: bool, as_json: bool
) -> None:
    """Let the plans of the configuration hold, and no others, in every region within 30 seconds.

    Shows what changes and whom it touches, and asks first. A reader has all plans as they were before or as they are
    now, never some of each. Changed quotas take effect on what has been used: the homes' counts are told to the
    regions by the new marks, and once more when the plans hold everywhere. A plan that keys are on does not go
    without --move-to or --force.

    \b
    Examples:
      tallygate plans apply --stage prod
      tallygate plans apply --yes --move-to starter
    """
    if move_to is not None and force:
        raise click.UsageError("--move-to and --force contradict each other")
    intended = _Intended.of(target, to_write=True, move_to=move_to, republish=republish)
    if move_to is not None and all(plan.anonymous or plan.name != move_to for plan in intended.wanted):
        raise Failure(f"--move-to: {move_to} is no plan for keys in {_names(intended.wanted)}")
    if not as_json or is_somebody_there():
        intended.print(stderr=as_json)
    if intended.in_use and move_to is None and not force:
        raise Failure(intended.why_not())
    if intended.changes and not yes and is_somebody_there():
        click.confirm("Apply?", abort=True, err=True)
    moved = intended.carry_out(target, move_to)
    published = intended.publish(wait=not no_wait)
    if as_json:
        applied = [plan_document(plan) for plan in intended.store.plans()]
        print_json({**intended.document(), "moved": moved, "published": published, "plans": applied})
    elif intended.changes or published:
        said = "Applied. " if intended.changes else ""
        said += f"Moved {len(moved):,} keys to {move_to}. " if moved else ""
        said += f"Told {published:,} counts anew. " if published else ""
        console().print(said + WITHIN)


@plans.command()
@click.argument("name", required=False)
@json_option
@target_options
def show(target: Target, name: str | None, as_json: bool) -> None:
    """Show the plans that callers are held to, or the one called NAME.

    \b
    Examples:
      tallygate plans show
      tallygate plans show starter --stage prod --region eu-west-1 --json
    """
    found = _in_force(PlanStore(target.gate(to_write=False), target.names.gate_table))[0]
    if name is not None:
        found = [plan for plan in found if plan.name == name]
        if not found:
            raise Failure(f"no plan {name} is in force: `tallygate plans show` names those that are")
    if as_json:
        documents = [plan_document(plan) for plan in found]
        print_json(documents if name is None else documents[0])
    else:
        print_plans(console(), found)


def is_somebody_there() -> bool:
    """Whether a question would be answered by a person."""
    return sys.stdin.isatty()


@dataclass(frozen=True)
class _Intended:
    """What applying the plans of a configuration comes to. `in_use`: keys on plans that would go."""

    store: PlanStore
    revision: int
    before: list[Plan]
    wanted: tuple[Plan, ...]
    changes: list[PlanChange]
    in_use: list[KeyProfile]
    groups: list[Group]
    callers: Callers
    survey: Survey

    @classmethod
    def of(cls, target: Target, *, to_write: bool, move_to: str | None = None, republish: bool = False) -> "_Intended":
        gate, table = target.gate(to_write=to_write), target.names.gate_table
        store = PlanStore(gate, table, target.audit_log() if to_write else None)
        before, revision = _in_force(store)
        wanted = target.wanted.plans
        changes = plan_changes(before, wanted)
        changed = {change.name for change in changes}
        gone = {change.name for change in changes if change.kind == "removed"}
        now_ms = _now_ms()
        # There may be many keys: they are not read for nothing.
        is_read = republish or any(change.before and not change.before.anonymous for change in changes)
        keys = [key for key in (KeyStore(gate, table).profiles() if is_read else ()) if key.state(now_ms) == "active"]
        plan_of_key = {
            key.counted_under: (key.plan, move_to if move_to is not None and key.plan in gone else key.plan)
            for key in keys
            if republish or key.plan in changed
        }
        groups = groups_of([] if republish else before, wanted, plan_of_key)
        callers = callers_of(target)
        found = survey(callers, groups, now_ms) if before else Survey()
        in_use = [key for key in keys if key.plan in gone]
        return cls(store, revision, before, wanted, changes, in_use, groups, callers, found)

    @property
    def keys_on(self) -> Counter[str]:
        return Counter(key.plan for key in self.in_use)

    def why_not(self) -> str:
        names = " and ".join(sorted(self.keys_on))
        return f"keys are on {names}: put them on another plan with --move-to, or let them have none with --force"

    def print(self, *, stderr: bool = False) -> None:
        out = console(stderr=stderr)
        if self.changes:
            print_changes(out, self.changes, self.keys_on)
            self.survey.print(out)
        else:
            out.print("Nothing changes: these plans are in force.")

    def document(self) -> dict[str, Any]:
        changes = [change_document(change, self.keys_on) for change in self.changes]
        return {"changes": changes, "touched": self.survey.document()}

    def publish(self, *, wait: bool) -> int:
        """Tell the regions what the new marks call for; how many rows that wrote. Once more when no container goes by
        the plans before any longer: what was used meanwhile was told by their marks."""
        tightened = [group for group in self.groups if group.is_tightened] if self.before else []
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
            revision, moved = self.revision, []
            if move_to is not None and self.in_use:
                staying = [plan for plan in self.before if plan.name in self.keys_on]
                revision = self.store.apply([*self.wanted, *staying], revision)
                moved = _move(target, self.in_use, move_to)
            self.store.apply(self.wanted, revision)
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


def _in_force(store: PlanStore) -> tuple[list[Plan], int]:
    try:
        found, revision = store.in_force()
    except (KeyError, TypeError, ValueError) as error:
        raise Failure(f"a newer version has applied plans that this one cannot read: {error}") from None
    return list(found), revision


def _names(plans: tuple[Plan, ...]) -> str:
    return ", ".join(plan.name for plan in plans if not plan.anonymous) or "the configuration"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
