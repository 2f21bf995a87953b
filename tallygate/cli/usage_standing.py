"""`tallygate usage standing`: one identifier at this moment, as the regions decide on it."""

import time
from typing import TYPE_CHECKING

import click

from tallygate.cli.bars import quota
from tallygate.cli.operations import operations_of
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.questions import asking, given
from tallygate.cli.target import Target, target_options
from tallygate.cli.usage_arguments import kind_argument, value_argument
from tallygate.core.names import Kind

if TYPE_CHECKING:
    from tallygate.operations.documents import StandingDocument


@click.command(short_help="Show what a call would be told now, and why.")
@kind_argument
@value_argument
@json_option
@target_options
def standing(target: Target, kind: Kind, value: str, as_json: bool) -> None:
    """Show what one address, site, key or owner would be told if it called now, and why: its plan, the limits in the
    way, what is counted of each and what the regions know of that, and how far each home has come.

    `tallygate quota show` has the adjustments of a quota. VALUE may be written as for `tallygate usage show`.

    \b
    Examples:
      tallygate usage standing ip 203.0.113.7
      tallygate usage standing key 0123456789abcdef --stage prod --json
    """
    with asking():
        found = operations_of(target).standing(given(kind=kind, value=value), time.time_ns() // 1_000_000)
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: "StandingDocument") -> None:
    out = console()
    plan = f"plan {found['plan']}" if found["plan"] is not None else "no plan"
    told = [text for text in (found["owner"], found["state"], plan) if text is not None]
    out.print(f"{found['kind']} {found['value']}: {', '.join(told)}")
    if found["taken_over_by"] is not None:
        out.print(f"Its callers go on with key {found['taken_over_by']}.")
    decision = found["decision"]
    refused = ", ".join(decision["refused_by"])
    out.print("A call would be let through." if decision["allowed"] else f"A call would be refused: {refused}.")
    bars = ["<"] if out.is_terminal else []
    limits = table("limit", "units", "used", "left", "known to regions", "<begins again", *bars)
    for limit in found["limits"]:
        bar = [quota(limit["used"], limit["limit"])] if bars else []
        figures = (f"{number:,}" for number in (limit["limit"], limit["used"], limit["remaining"], limit["published"]))
        limits.add_row(limit["policy"], *figures, limit["resets"], *bar)
    if found["limits"]:
        out.print(limits)
    homes = table("home", "admitted", "charged", "denied", "per second", "<counted until", "<published until")
    for home in found["homes"]:
        figures = (f"{number:,}" for number in (home["admitted"], home["charged"], home["denied"]))
        until = (home["counted_at"] or "nothing yet", home["published_at"] or "nothing yet")
        homes.add_row(home["home"], *figures, f"{home['rate']:,.1f}", *until)
    out.print(homes)
