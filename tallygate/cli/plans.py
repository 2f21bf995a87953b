"""`tallygate plans`: from the configuration into the gate, and what that changes."""

import sys
from typing import Final

import click

from tallygate.aws.plan_store import PlanStore
from tallygate.cli import suggestions
from tallygate.cli.failures import Failure
from tallygate.cli.intended_plans import Intended
from tallygate.cli.output import console, json_option, print_json
from tallygate.cli.plan_words import plan_document, print_plans, print_routes
from tallygate.cli.republishing import in_force
from tallygate.cli.target import Target, target_options
from tallygate.core.plans import Plan

WITHIN: Final = "They hold in every region within 30 seconds."


@click.group()
def plans() -> None:
    """Check, apply and show the plans that callers are held to."""


@plans.command(short_help="Show what applying the configuration would change.")
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
            documents = [plan_document(plan) for plan in target.wanted.plans]
            print_json({"plans": documents, "routes": target.wanted.routes.units})
        else:
            console().print(f"{len(target.wanted.plans)} plans, nothing wrong with them.")
        return
    intended = Intended.of(target, to_write=False)
    if as_json:
        print_json(intended.document())
    else:
        intended.print()
    if intended.in_use:
        raise Failure(intended.why_not())


@plans.command(short_help="Let the plans of the configuration hold.")
@click.option("--yes", is_flag=True, help="Do not ask. Without a terminal nobody is asked anyway.")
@click.option(
    "--move-to", metavar="PLAN", shell_complete=suggestions.plans, help="Put the keys of plans that go on PLAN first."
)
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
    intended = Intended.of(target, to_write=True, move_to=move_to, republish=republish)
    if move_to is not None and all(plan.anonymous or plan.name != move_to for plan in intended.wanted.plans):
        raise Failure(f"--move-to: {move_to} is no plan for keys in {_names(intended.wanted.plans)}")
    if not as_json or is_somebody_there():
        intended.print(stderr=as_json)
    if intended.in_use and move_to is None and not force:
        raise Failure(intended.why_not())
    if intended.is_something and not yes and is_somebody_there():
        click.confirm("Apply?", abort=True, err=True)
    moved = intended.carry_out(target, move_to)
    published = intended.publish(wait=not no_wait)
    if as_json:
        applied = [plan_document(plan) for plan in intended.store.plans()]
        print_json({**intended.document(), "moved": moved, "published": published, "plans": applied})
    elif intended.is_something or published:
        said = "Applied. " if intended.is_something else ""
        said += f"Moved {len(moved):,} keys to {move_to}. " if moved else ""
        said += f"Told {published:,} counts anew. " if published else ""
        console().print(said + WITHIN)


@plans.command()
@click.argument("name", required=False, shell_complete=suggestions.plans)
@json_option
@target_options
def show(target: Target, name: str | None, as_json: bool) -> None:
    """Show the plans that callers are held to, or the one called NAME.

    \b
    Examples:
      tallygate plans show
      tallygate plans show starter --stage prod --region eu-west-1 --json
    """
    plans, routes, _ = in_force(PlanStore(target.gate(to_write=False), target.names.gate_table))
    found = [plan for plan in plans if name in (None, plan.name)]
    if name is not None and not found:
        raise Failure(f"no plan {name} is in force: `tallygate plans show` names those that are")
    documents = [plan_document(plan) for plan in found]
    if as_json:
        print_json({"plans": documents, "routes": routes.units} if name is None else documents[0])
        return
    print_plans(console(), found)
    if name is None:
        print_routes(console(), routes)


def is_somebody_there() -> bool:
    """Whether a question would be answered by a person."""
    return sys.stdin.isatty()


def _names(plans: tuple[Plan, ...]) -> str:
    return ", ".join(plan.name for plan in plans if not plan.anonymous) or "the configuration"
