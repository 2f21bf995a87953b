"""`tallygate plans`: from the configuration into the gate, and what that changes."""

import sys
import time
from collections import Counter
from dataclasses import dataclass

import click

from tallygate.aws.key_store import KeyStore
from tallygate.aws.plan_store import PlanStore, StalePlansError
from tallygate.cli.failures import Failure
from tallygate.cli.output import console, json_option, print_json
from tallygate.cli.plan_words import change_document, plan_document, print_changes, print_plans
from tallygate.cli.target import Target, target_options
from tallygate.core.key_admin import BusyError, KeyAdminError
from tallygate.core.key_profile import KeyProfile
from tallygate.core.plan_changes import PlanChange, plan_changes
from tallygate.core.plans import Plan

WITHIN = "They hold in every region within 30 seconds."


@click.group()
def plans() -> None:
    """Check, apply and show the plans that callers are held to."""


@plans.command()
@click.option("--offline", is_flag=True, help="Look at the file only: ask nothing of AWS.")
@json_option
@target_options
def check(target: Target, offline: bool, as_json: bool) -> None:
    """Check the plans of the configuration, and show what applying them would change. Changes nothing.

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
        print_json({"changes": intended.document()})
    else:
        intended.print()
    if intended.in_use:
        raise Failure(intended.why_not())


@plans.command()
@click.option("--yes", is_flag=True, help="Do not ask. Without a terminal nobody is asked anyway.")
@click.option("--move-to", metavar="PLAN", help="Put the keys of plans that go on PLAN first.")
@click.option("--force", is_flag=True, help="Let plans go that keys are on: their calls are then held to no limit.")
@json_option
@target_options
def apply(target: Target, yes: bool, move_to: str | None, force: bool, as_json: bool) -> None:
    """Let the plans of the configuration hold, and no others, in every region within 30 seconds.

    Shows what changes and asks first. A reader has all plans as they were before or as they are now, never some of
    each. A plan that keys are on does not go without --move-to or --force.

    \b
    Examples:
      tallygate plans apply --stage prod
      tallygate plans apply --yes --move-to starter
    """
    if move_to is not None and force:
        raise click.UsageError("--move-to and --force contradict each other")
    intended = _Intended.of(target, to_write=True)
    if move_to is not None and all(plan.anonymous or plan.name != move_to for plan in intended.wanted):
        raise Failure(f"--move-to: {move_to} is no plan for keys in {_names(intended.wanted)}")
    if not as_json or is_somebody_there():
        intended.print(stderr=as_json)
    if intended.in_use and move_to is None and not force:
        raise Failure(intended.why_not())
    if intended.changes and not yes and is_somebody_there():
        click.confirm("Apply?", abort=True, err=True)
    moved = intended.carry_out(target, move_to)
    if as_json:
        applied = [plan_document(plan) for plan in intended.store.plans()]
        print_json({"changes": intended.document(), "moved": moved, "plans": applied})
    elif intended.changes:
        said = f"Moved {len(moved):,} keys to {move_to}. " if moved else ""
        console().print(f"Applied. {said}{WITHIN}")


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

    @classmethod
    def of(cls, target: Target, *, to_write: bool) -> "_Intended":
        gate, table = target.gate(to_write=to_write), target.names.gate_table
        store = PlanStore(gate, table, target.audit_log() if to_write else None)
        before, revision = _in_force(store)
        wanted = target.wanted.plans
        changes = plan_changes(before, wanted)
        gone = {change.name for change in changes if change.kind == "removed"}
        now_ms = _now_ms()
        in_use = [
            key for key in (KeyStore(gate, table).profiles() if gone else ())
            if key.plan in gone and key.state(now_ms) == "active"
        ]  # fmt: skip
        return cls(store, revision, before, wanted, changes, in_use)

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
        else:
            out.print("Nothing changes: these plans are in force.")

    def document(self) -> list[dict[str, object]]:
        return [change_document(change, self.keys_on) for change in self.changes]

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
