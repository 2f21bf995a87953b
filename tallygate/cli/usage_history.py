"""`tallygate usage history`: what one identifier used over time."""

import time
from typing import TYPE_CHECKING, Any

import click

from tallygate.cli import suggestions
from tallygate.cli.bars import ADMITTED, DENIED, stacked
from tallygate.cli.operations import operations_of
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.questions import asking, every_page, given
from tallygate.cli.target import Target, target_options
from tallygate.core.export import ALL, EXPORT_KINDS
from tallygate.core.history import GRANULARITIES

if TYPE_CHECKING:
    from tallygate.operations.documents import UsageDocument

FIGURES = ("admitted", "charged", "denied")
_SHOWN_CHARS = {"hour": len("2026-11-20T14:00"), "day": len("2026-11-20"), "month": len("2026-11")}


@click.command(short_help="Show what one address, site, key, owner or region used over time.")
@click.argument("kind", type=click.Choice(EXPORT_KINDS))
@click.argument("value", required=False, shell_complete=suggestions.values)
@click.option("--from", "start", metavar="TIME", help="A day or time in UTC, like 2026-11-01, or Unix time.")
@click.option("--to", "end", metavar="TIME", help="End, exclusive.  [default: now]")
@click.option(
    "--granularity",
    type=click.Choice(GRANULARITIES),
    default="day",
    show_default=True,
    help="Length of a period. Hours are kept of regions, and of callers with a limit by the hour.",
)
@click.option("--fill/--no-fill", default=True, show_default=True, help="Show periods in which nothing was counted.")
@json_option
@target_options
def history(
    target: Target,
    kind: str,
    value: str | None,
    start: str | None,
    end: str | None,
    granularity: str,
    fill: bool,
    as_json: bool,
) -> None:
    """Show what one address, site, key, owner or region used, period by period: counted exactly, all homes together.

    VALUE may be written as for `tallygate usage show`; of kind `all` it is a region, or left out for all of them.
    Whole periods are shown, the one that has only begun included. Without --from, the last ones.

    \b
    Examples:
      tallygate usage history ip 203.0.113.7
      tallygate usage history key 0123456789abcdef --from 2026-11-01 --to 2026-12-01 --stage prod
      tallygate usage history all --granularity hour --json
    """
    if value is None and kind != ALL:
        raise click.UsageError(f"VALUE: which {kind}?")
    query = given(
        kind=kind, value=value, start=start, end=end, granularity=granularity, fill="true" if fill else "false"
    )
    with asking():
        pages = list(every_page(operations_of(target).usage, query, time.time_ns() // 1_000_000))
    document = _joined(pages)
    if as_json:
        print_json(document)
    else:
        _show(document)


def _joined(pages: "list[UsageDocument]") -> dict[str, Any]:
    """All pages as one answer."""
    total = {figure: sum(page["total"][figure] for page in pages) for figure in FIGURES}  # type: ignore[literal-required]
    rows = [row for page in pages for row in page["rows"]]
    joined = {**pages[0], "rows": rows, "total": total}
    del joined["cursor"]
    return joined


def _show(document: dict[str, Any]) -> None:
    out = console()
    rows = document["rows"]
    most = max((row["admitted"] + row["denied"] for row in rows), default=0)
    places = sorted({place for row in rows for place in row["by"]})
    shown = places if len(places) > 1 else []
    of = "all regions" if document["value"] is None else f"{document['kind']} {document['value']}"
    bars = ["<"] if out.is_terminal else []
    made = table(document["granularity"], *FIGURES, *shown, *bars, title=f"{of} by the {document['granularity']}")
    for row in rows:
        start = row["start"][: _SHOWN_CHARS[document["granularity"]]]
        by = (f"{row['by'].get(place, {}).get('admitted', 0):,}" for place in shown)
        bar = [stacked([(row["admitted"], ADMITTED), (row["denied"], DENIED)], most)] if bars else []
        made.add_row(start, *(f"{row[figure]:,}" for figure in FIGURES), *by, *bar)
    totals = (f"{document['total'][figure]:,}" for figure in FIGURES)
    by_place = (f"{sum(row['by'].get(place, {}).get('admitted', 0) for row in rows):,}" for place in shown)
    made.add_row("all", *totals, *by_place, *([""] * len(bars)), style="bold")
    out.print(made if rows else f"Nothing was counted of {of}.")
