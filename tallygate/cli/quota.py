"""`tallygate quota`: what an identifier may still use, letting it begin again, and adding to it."""

import secrets
from collections.abc import Callable
from typing import Any, Final

import click

from tallygate.aws.quota_store import BusyError, Change
from tallygate.cli import suggestions
from tallygate.cli.failures import Failure
from tallygate.cli.held_quota import HeldQuota
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.target import Target, target_options
from tallygate.cli.usage_arguments import kind_argument, value_argument
from tallygate.core.adjustments import (
    MAX_ID_CHARS,
    MAX_TOP_UPS,
    IdTakenError,
    TooManyTopUpsError,
    TopUp,
    is_top_up_id,
)
from tallygate.core.lines import MAX_UNITS
from tallygate.core.names import Kind
from tallygate.core.plans import COUNTED_WINDOWS, Window

EVERYWHERE: Final = "Every region knows within seconds."

window_option = click.option(
    "--window", type=click.Choice(COUNTED_WINDOWS), help="The limit by hour, by day, or by month."
)


plan_option = click.option(
    "--plan",
    "plan_name",
    shell_complete=suggestions.plans,
    help="Of an owner whose keys are on several plans, the one to go by.",
)


@click.group()
def quota() -> None:
    """Show what is left of a quota, let it begin again, and add to it."""


@quota.command(short_help="Show the quotas of one identifier, and how they were adjusted.")
@kind_argument
@value_argument
@plan_option
@json_option
@target_options
def show(target: Target, kind: Kind, value: str, plan_name: str | None, as_json: bool) -> None:
    """Show the quotas of one address, site, key or owner: used, left, and how they were adjusted.

    Counts are exact. VALUE may be written as for `tallygate usage show`.

    \b
    Examples:
      tallygate quota show ip 203.0.113.7
      tallygate quota show key 0123456789abcdef --stage prod --json
    """
    _print(HeldQuota.of(target, kind, value, to_write=False, plan_name=plan_name), as_json)


@quota.command(short_help="Let the quota of one identifier begin again, everywhere.")
@kind_argument
@value_argument
@window_option
@plan_option
@json_option
@target_options
def reset(target: Target, kind: Kind, value: str, window: Window | None, plan_name: str | None, as_json: bool) -> None:
    """Let the quota of one address, site, key or owner begin again, in every region.

    What was charged until now no longer uses it up; it stays counted, and `tallygate usage` shows it as before. Calls
    that are still on their way use up the quota that begins now. Without --window, all of its limits begin again, but
    those by the minute: nobody counts them, and a minute is soon over.

    \b
    Examples:
      tallygate quota reset ip 203.0.113.7
      tallygate quota reset key 0123456789abcdef --window day --stage prod
    """
    found = HeldQuota.of(target, kind, value, to_write=True, plan_name=plan_name)
    windows = [found.window(window)] if window or not found.windows else found.windows
    forgiven = found.forgiven(windows)
    found.adjusted = _written(lambda: found.store.reset(kind, found.value, forgiven, found.now_ms)).after
    _print(found, as_json)
    if not as_json:
        console().print(f"Begun again, by {' and by '.join(windows)}. {EVERYWHERE}")


@quota.command("top-up", short_help="Add to the quota of one identifier for now.")
@kind_argument
@value_argument
@click.argument("units", type=click.IntRange(1, MAX_UNITS))
@click.option(
    "--id",
    "id",
    help="Name of this top-up, so that it may be asked for again without being added again: an order's number, say.",
)
@window_option
@plan_option
@json_option
@target_options
def top_up(
    target: Target,
    kind: Kind,
    value: str,
    units: int,
    id: str | None,
    window: Window | None,
    plan_name: str | None,
    as_json: bool,
) -> None:
    """Add UNITS to the quota of one address, site, key or owner for the current hour, day or month, in every region.

    With --id, the same command again changes nothing, until a day after that hour, day or month has ended.

    \b
    Examples:
      tallygate quota top-up key 0123456789abcdef 500 --window month --id order-1138 --stage prod
      tallygate quota top-up ip 203.0.113.7 100
    """
    if id is not None and not is_top_up_id(id):
        raise click.BadParameter(
            f"an id is up to {MAX_ID_CHARS} letters, digits and . _ : -, and begins with a letter or digit",
            param_hint="'--id'",
        )
    found = HeldQuota.of(target, kind, value, to_write=True, plan_name=plan_name)
    chosen = found.window(window)
    added = TopUp(id or secrets.token_hex(6), units)
    try:
        change = _written(lambda: found.store.top_up(kind, found.value, chosen, added, found.now_ms))
    except IdTakenError as error:
        raise Failure(
            f"--id: {error.id} is another top-up, of {error.units:,} in {error.period}; give this one an id of its own"
        ) from None
    except TooManyTopUpsError as error:
        raise Failure(
            f"{error} has {MAX_TOP_UPS} top-ups, and there can be no more: reset the quota, or give out a larger plan"
        ) from None
    found.adjusted = change.after
    is_new = id is None or change.after != change.before
    _print(found, as_json, id=added.id, added=units if is_new else 0)
    if not as_json:
        console().print(
            f"Added {units:,} by {chosen} as {added.id}. {EVERYWHERE}"
            if is_new
            else f"Nothing added: {added.id} is in already."
        )


def _written(write: Callable[[], Change]) -> Change:
    try:
        return write()
    except BusyError:
        raise Failure("others are adjusting the same quota at this moment; nothing was changed: try again") from None


def _print(found: HeldQuota, as_json: bool, **more: Any) -> None:
    limits = [found.document(limit) for limit in found.limits]
    if as_json:
        print_json({"kind": found.kind, "value": found.value, "plan": found.plan.name, "limits": limits, **more})
        return
    rows = table(
        "by", "used", "limit", "remaining", "counted", "forgiven", "added", "<until",
        title=f"{found.kind} {found.value} on plan {found.plan.name}",
    )  # fmt: skip
    for limit in limits:
        by = f"{'rolling ' * limit['rolling']}{'soft ' * limit['soft']}{limit['window']}"
        if limit["window"] not in COUNTED_WINDOWS:
            rows.add_row(by, "-", f"{limit['limit']:,}", "-", "-", "-", "-", "not counted")
            continue
        homes = limit["homes"].values()
        numbers = (
            limit["used"],
            limit["limit"],
            limit["remaining"],
            sum(home["counted"] for home in homes),
            sum(home["baseline"] for home in homes),
            sum(limit["top_ups"].values()),
        )
        rows.add_row(by, *(f"{number:,}" for number in numbers), f"{limit['reset'][:16]}Z")
    console().print(rows)
