"""`tallygate usage top`: who calls most."""

import time
from typing import TYPE_CHECKING

import click
from rich.text import Text

from tallygate.cli.bars import quota
from tallygate.cli.operations import operations_of
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.questions import asking, given
from tallygate.cli.target import Target, target_options
from tallygate.cli.usage_arguments import MONTH_HELP, kind_argument, month_of
from tallygate.core.names import Kind
from tallygate.core.ranks import LEAST_RANK

if TYPE_CHECKING:
    from tallygate.operations.documents import LimitUse, TopDocument

QUOTA_WIDTH = 10


@click.command(short_help="Show the busiest addresses, sites, keys or owners of a month or a day.")
@kind_argument
@click.option(
    "--month",
    metavar="MONTH",
    callback=lambda _context, _option, text: month_of(text),
    help=f"{MONTH_HELP}  [default: this one]",
)
@click.option("--day", metavar="DAY", help="A day in its place, like 2026-11-20.")
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="How many to show.")
@json_option
@target_options
def top(target: Target, kind: Kind, month: str | None, day: str | None, limit: int, as_json: bool) -> None:
    """Show the busiest addresses, sites, keys or owners of a month or a day, by calls admitted and denied, and of the
    current one how much of their tightest limit is used.

    Those counted less than eight times in a home are in no ranking there: nobody is shown with seven calls or fewer for
    each home.

    \b
    Examples:
      tallygate usage top ip
      tallygate usage top ref --day 2026-11-20
      tallygate usage top key --limit 50 --month 2026-10 --stage prod --json
    """
    if month is not None and day is not None:
        raise click.UsageError("--month and --day contradict each other")
    with asking("--day" if day is not None else "--month"):
        query = given(kind=kind, period=day if day is not None else month, limit=str(limit))
        found = operations_of(target).top(query, time.time_ns() // 1_000_000)
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: "TopDocument") -> None:
    out = console()
    kind, period = found["kind"], found["period"]
    tightest = [max(row["limits"], key=_part, default=None) for row in found["top"]]
    limits = ["<limit", "used", *(["<"] if out.is_terminal else [])] if any(tightest) else []
    rows = table(kind, "admitted", "charged", "denied", *limits, title=f"busiest by {kind} in {period}")
    for row, limit in zip(found["top"], tightest, strict=True):
        figures = (f"{number:,}" for number in (row["admitted"], row["charged"], row["denied"]))
        rows.add_row(row["value"], *figures, *_use(limit)[: len(limits)])
    out.print(
        rows if found["top"] else f"No {kind} was counted more than {LEAST_RANK - 1} times for each home in {period}."
    )
    if not found["complete"]:
        console(stderr=True).print("Others may be larger: many were large in the month and small on this day.")


def _part(limit: "LimitUse") -> float:
    return limit["used"] / limit["limit"] if limit["limit"] else 1.0


def _use(limit: "LimitUse | None") -> tuple[str | Text, ...]:
    if limit is None:
        return "", "", ""
    part = _part(limit)
    return limit["policy"], f"{part:.0%}", quota(part, 1.0, QUOTA_WIDTH)
