"""`tallygate usage export`: what was counted, as a file for billing and analysis."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tallygate.aws.export_reader import ExportReader, NoKeysError, Step, Wanted
from tallygate.cli import suggestions
from tallygate.cli.export_file import STANDARD_OUTPUT, Destination, destination
from tallygate.cli.export_formats import FORMATS, Format, writer
from tallygate.cli.failures import Failure
from tallygate.cli.options import taken
from tallygate.cli.output import console, json_option, print_json
from tallygate.cli.signals import ended_by_signals
from tallygate.cli.target import Target, target_options
from tallygate.core.export import ALL, EXPORT_KINDS, Span, span_of
from tallygate.core.history import GRANULARITIES, Granularity, InvalidParameterError
from tallygate.core.key_fields import owner_of
from tallygate.core.lines import format_timestamp
from tallygate.core.names import KINDS
from tallygate.core.retention import Retention

OWNED_KINDS: Final = frozenset({"key", "owner"})


@click.command(short_help="Write what was counted into a file: CSV, Parquet or JSON lines.")
@click.option(
    "--from",
    "start",
    required=True,
    metavar="TIME",
    help="First period: a day or time in UTC, like 2026-11-01, or Unix time.",
)
@click.option("--to", "end", metavar="TIME", help="End, exclusive, like 2026-12-01.  [default: now]")
@click.option(
    "--granularity",
    type=click.Choice(GRANULARITIES),
    default="month",
    show_default=True,
    help="Length of a row's period. Hours are kept of regions, and of callers with a limit by the hour.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(EXPORT_KINDS),
    help="Identifiers of this kind only; `all` are the totals of regions. Repeat for more.  [default: every kind]",
)
@click.option(
    "--owner",
    callback=taken(owner_of),
    shell_complete=suggestions.owners,
    help="The keys of this owner only, and their own count.",
)
@click.option(
    "--format", "format", required=True, type=click.Choice(FORMATS), help="`json` is an object for each line."
)
@click.option(
    "--output", "-o", "path", type=Destination(), default="-", show_default="standard output", help="File to write."
)
@json_option
@target_options
def export(
    target: Target,
    start: str,
    end: str | None,
    granularity: Granularity,
    kinds: tuple[str, ...],
    owner: str | None,
    format: Format,
    path: Path,
    as_json: bool,
) -> None:
    """Write what was counted of everybody into a file: a row for each identifier, period and home.

    Rows come as they are read, in no order, and memory stays the same however many there are. The sum over homes is the
    total. Every call is counted for its address, its site, its key and its region: add up rows of one kind only. Keys
    come with their owner and plan as of now. Whole periods are written; docs/billing.md says when their counts are
    final, and bills a month.

    The file is there whole or not at all. In CSV, a text that a spreadsheet would take for a formula has a ' before it.

    \b
    Examples:
      tallygate usage export --from 2026-11-01 --to 2026-12-01 --format parquet --output usage.parquet --stage prod
      tallygate usage export --from 2026-11-01 --granularity day --owner acme --format csv
      tallygate usage export --from 2026-11-20 --granularity hour --kind all --format json
    """
    if path == STANDARD_OUTPUT and as_json:
        raise click.UsageError("--json tells of a file that was written: give --output FILE, or --format json alone")
    if path == STANDARD_OUTPUT and format == "parquet" and is_terminal():
        raise click.UsageError("Parquet is nothing for a terminal: give --output FILE")
    now_ms = time.time_ns() // 1_000_000
    try:
        span = span_of(start, end, granularity, now_ms)
    except InvalidParameterError as error:
        valid = str(error).removeprefix(f"{error.parameter}: ")
        raise click.BadParameter(valid, param_hint=f"'--{error.parameter}'") from None
    wanted = Wanted(span, _kinds(kinds, owner), owner)
    notes = [*_kept(target, wanted, now_ms), *_settled(span, now_ms), *_left_out(target)]
    names = target.names
    reader = ExportReader(target.homes, names.tally_table, target.administrative_client, names.gate_table)
    rows = 0
    try:
        with ended_by_signals(), destination(path) as stream, _progress(reader, wanted) as step:
            out = writer(format, stream, now_ms)
            for row in reader.rows(wanted, step):
                out.write(row)
                rows += 1
            out.close()
    except NoKeysError:
        raise Failure(f"--owner: nobody called {owner} has a key; `tallygate keys list` names owners") from None
    told = console(stderr=True)
    if as_json:
        print_json(_document(target, wanted, format, path, rows, now_ms))
    elif path != STANDARD_OUTPUT:
        told.print(f"{path} has {rows:,} rows, as of {format_timestamp(now_ms)}.", soft_wrap=True)
    for note in notes:
        told.print(note, soft_wrap=True)


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout is not None and sys.stdout.isatty()


def _kinds(chosen: tuple[str, ...], owner: str | None) -> frozenset[str]:
    if owner is None:
        return frozenset(chosen or EXPORT_KINDS)
    if not OWNED_KINDS.issuperset(chosen):
        raise click.UsageError("of an owner there are --kind key and --kind owner")
    return frozenset(chosen) or OWNED_KINDS


def _kept(target: Target, wanted: Wanted, now_ms: int) -> list[str]:
    """What is said of counts that are no longer kept. Failure when there are none at all: an empty file would look as
    if nobody had called."""
    service, span = target.config.service, wanted.span
    retention = Retention(service.retention_hours, service.history_days)
    kept_from_ms = {
        kind: retention.kept_from_ms("ip", "month", now_ms)  # hours of regions are kept as months are
        if kind == ALL
        else retention.kept_from_ms(KINDS[KINDS.index(kind)], span.granularity, now_ms)
        for kind in sorted(wanted.kinds)
    }
    if all(kept >= span.end_ms for kept in kept_from_ms.values()):
        since = format_timestamp(min(kept_from_ms.values()))
        raise Failure(
            f"--to: by the {span.granularity}, counts are kept from {since} on; history_days keeps keys longer"
        )
    return [
        f"Of kind {kind}, counts by the {span.granularity} are kept from {format_timestamp(kept)} on: those before may "
        "be missing."
        for kind, kept in kept_from_ms.items()
        if kept > span.start_ms
    ]


def _settled(span: Span, now_ms: int) -> list[str]:
    if span.settles_ms <= now_ms:
        return []
    still = "has not ended" if span.end_ms > now_ms else "ended less than a week ago"
    return [f"The last period {still}: calls may still be added until {format_timestamp(span.settles_ms)}."]


def _left_out(target: Target) -> list[str]:
    others = [home for home in target.config.service.homes if home not in target.homes]
    return [f"What was counted in {', '.join(others)} is left out: --region chooses one home."] if others else []


def _document(
    target: Target, wanted: Wanted, format: Format, path: Path, rows: int, exported_ms: int
) -> dict[str, Any]:
    span = wanted.span
    return {
        "output": str(path),
        "format": format,
        "rows": rows,
        "from": format_timestamp(span.start_ms),
        "to": format_timestamp(span.end_ms),
        "granularity": span.granularity,
        "kinds": sorted(wanted.kinds),
        "owner": wanted.owner,
        "homes": list(target.homes),
        "exported_at": format_timestamp(exported_ms),
        "settles_at": format_timestamp(span.settles_ms),
        "settled": span.settles_ms <= exported_ms,
    }


@contextmanager
def _progress(reader: ExportReader, wanted: Wanted) -> Iterator[Callable[[Step], None]]:
    """A bar of items read, of as many as there are about; on a terminal only."""
    terminal = console(stderr=True)
    if not terminal.is_terminal:
        yield lambda step: None
        return
    total = reader.expected() if wanted.owner is None else 0
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) if total else (MofNCompleteColumn(),)
    bar = Progress(TextColumn("reading"), *columns, TextColumn("{task.fields[said]}"), console=terminal, transient=True)
    with bar:
        task = bar.add_task("", total=total or None, said="")

        def step(done: Step) -> None:
            bar.update(task, advance=done.items, said="waiting for DynamoDB" if done.waiting else "")

        yield step
