"""`tallygate usage`: what was counted, exactly, from the tallies."""

import re
import time
from typing import Any, Final

import click

from tallygate.aws.key_store import KeyStore
from tallygate.aws.usage_reader import Usage, UsageReader
from tallygate.cli import suggestions
from tallygate.cli.identifiers import normal_value
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.target import Target, target_options
from tallygate.cli.usage_export import export
from tallygate.core.names import KINDS, Kind
from tallygate.core.periods import day_of
from tallygate.core.tally import TallyItem

_MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)

kind_argument = click.argument("kind", type=click.Choice(KINDS))
value_argument = click.argument("value", shell_complete=suggestions.values)


def month_of(_context: click.Context, _option: click.Parameter, value: str | None) -> str:
    """The month asked for, else the current one in UTC."""
    if value is None:
        return day_of(time.time_ns() // 1_000_000).month
    if not _MONTH.fullmatch(value):
        raise click.BadParameter("a month is written like 2026-11")
    return value


month_option = click.option("--month", callback=month_of, help="Month in UTC, like 2026-11.  [default: this one]")


@click.group()
def usage() -> None:
    """Show what callers used, counted exactly."""


@usage.command()
@kind_argument
@value_argument
@month_option
@json_option
@target_options
def show(target: Target, kind: Kind, value: str, month: str, as_json: bool) -> None:
    """Show what one address, site, key or owner used in a month.

    VALUE may be written as callers write it: any address of an IPv6 network, a URL or a host, the
    secret of a key or its id, the name of an owner whose keys share a quota. A key that took over from
    another is shown with it, as the first of them.

    \b
    Examples:
      tallygate usage show ip 2001:db8::1
      tallygate usage show ref https://shop.example/basket
      tallygate usage show key 0123456789abcdef --month 2026-10 --stage prod
    """
    normal = normal_value(kind, value, target.config.service.ipv6_prefix)
    if kind == "key":
        stored = KeyStore(target.administrative_client, target.names.gate_table).find(normal)
        normal = stored.profile.counted_under if stored is not None else normal
    found = UsageReader(target.homes, target.names.tally_table).show(kind, normal, month)
    if as_json:
        print_json({"kind": kind, "value": found.value, "month": month, **_document(found)})
        return
    rows = table("home", "admitted", "charged", "denied", title=f"{kind} {found.value} in {month}")
    for home, item in found.homes.items():
        rows.add_row(home, *_numbers(item))
    if len(found.homes) > 1:
        rows.add_row("all", *_numbers(found), style="bold")
    console().print(rows)
    if found.days:
        by_day = "  ".join(f"{month}-{day:02d}: {charged:,}" for day, charged in found.days.items())
        console().print(f"charged by day  {by_day}")


@usage.command()
@kind_argument
@month_option
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many to show.")
@json_option
@target_options
def top(target: Target, kind: Kind, month: str, limit: int, as_json: bool) -> None:
    """Show the busiest addresses, sites, keys or owners of a month, by calls admitted and denied.

    Those counted less than eight times in a home are in no ranking there and may be missing.

    \b
    Examples:
      tallygate usage top ip
      tallygate usage top key --limit 50 --month 2026-10 --stage prod --json
    """
    found = UsageReader(target.homes, target.names.tally_table).top(kind, month, limit)
    if as_json:
        print_json({"kind": kind, "month": month, "top": [{"value": row.value, **_document(row)} for row in found]})
        return
    rows = table(kind, "admitted", "charged", "denied", title=f"busiest by {kind} in {month}")
    for row in found:
        rows.add_row(row.value, *_numbers(row))
    console().print(rows if found else f"No {kind} was counted eight times in {month}.")


usage.add_command(export)


def _numbers(counts: Usage | TallyItem) -> tuple[str, str, str]:
    return f"{counts.units:,}", f"{counts.charged:,}", f"{counts.denied:,}"


def _document(usage: Usage) -> dict[str, Any]:
    def counts(of: Usage | TallyItem) -> dict[str, Any]:
        return {"admitted": of.units, "charged": of.charged, "denied": of.denied}

    days = {f"{usage.month}-{day:02d}": charged for day, charged in usage.days.items()}
    homes = {home: counts(item) for home, item in usage.homes.items()}
    return {**counts(usage), "charged_by_day": days, "homes": homes}
