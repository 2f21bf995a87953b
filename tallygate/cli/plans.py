"""`tallygate plans`: from the configuration into the gate."""

from typing import Any

import click

from tallygate.aws.plan_store import PlanStore
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.target import Target, target_options
from tallygate.core.plans import Plan


@click.group()
def plans() -> None:
    """Apply plans and show those in force."""


@plans.command()
@json_option
@target_options
def apply(target: Target, as_json: bool) -> None:
    """Write the plans of the configuration to the gate. They hold in every region within 30 seconds.

    A plan for keys that is no longer in the configuration stays, since keys may be on it.

    \b
    Example:
      tallygate plans apply --stage prod
    """
    store = PlanStore(target.gate(to_write=True), target.names.gate_table, target.audit_log())
    store.apply(target.config.plans)
    _show(store.plans(), as_json)


@plans.command()
@json_option
@target_options
def show(target: Target, as_json: bool) -> None:
    """Show the plans that callers are held to.

    \b
    Example:
      tallygate plans show --stage prod --region eu-west-1
    """
    _show(PlanStore(target.gate(to_write=False), target.names.gate_table).plans(), as_json)


def _show(found: list[Plan], as_json: bool) -> None:
    if as_json:
        print_json([_document(plan) for plan in found])
        return
    rows = table("plan", "<for", "<limits", "<when usage cannot be read")
    for plan in found:
        rows.add_row(plan.name, _who(plan), _limits(plan), plan.on_unavailable)
    console().print(rows if found else "No plans: `tallygate plans apply` writes those of the configuration.")


def _who(plan: Plan) -> str:
    whose = "calls without a key" if plan.anonymous else "keys"
    return f"{whose}, in shadow" if plan.shadow else whose


def _limits(plan: Plan) -> str:
    limits = [
        f"{limit.quota:,} per {limit.per} and {'rolling ' * limit.rolling}{limit.window}{' (warns only)' * limit.soft}"
        for limit in plan.limits
    ]
    return ", ".join(limits + ([f"{plan.burst:,} at once"] if plan.burst is not None else []))


def _document(plan: Plan) -> dict[str, Any]:
    limits = [
        {
            "per": limit.per,
            "quota": limit.quota,
            "window": limit.window,
            "rolling": limit.rolling,
            "soft": limit.soft,
        }
        for limit in plan.limits
    ]
    return {
        "name": plan.name,
        "anonymous": plan.anonymous,
        "limits": limits,
        "on_unavailable": plan.on_unavailable,
        "burst": plan.burst,
        "shadow": plan.shadow,
    }
