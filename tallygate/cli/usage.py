"""`tallygate usage`: what was counted, exactly, from the tallies."""

import time
from typing import Any

import click

from tallygate.aws.key_store import KeyStore
from tallygate.aws.usage_reader import Usage, UsageReader
from tallygate.cli.identifiers import normal_value
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.target import Target, target_options
from tallygate.cli.usage_arguments import MONTH_HELP, kind_argument, month_of, value_argument
from tallygate.cli.usage_export import export
from tallygate.cli.usage_history import history
from tallygate.cli.usage_standing import standing
from tallygate.cli.usage_top import top
from tallygate.core.names import Kind
from tallygate.core.periods import day_of
from tallygate.core.retention import Retention
from tallygate.core.tally import TallyItem


def _this_month(_context: click.Context, _option: click.Parameter, value: str | None) -> str:
    return month_of(value) or day_of(time.time_ns() // 1_000_000).month


@click.group()
def usage() -> None:
    """Show what callers used, counted exactly."""


@usage.command()
@kind_argument
@value_argument
@click.option("--month", callback=_this_month, metavar="MONTH", help=f"{MONTH_HELP}  [default: this one]")
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
    service = target.config.service
    retention = Retention(service.retention_hours, service.history_days)
    kept = day_of(retention.kept_from_ms(kind, "month", time.time_ns() // 1_000_000)).month
    if month < kept:  # some items of it may be there for days yet: it is not known which
        valid = f"{kept} or later; what was counted of each {kind} is kept from then"
        raise click.BadParameter(valid, param_hint="'--month'")
    normal = normal_value(kind, value, service.ipv6_prefix)
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


for command in (history, top, standing, export):
    usage.add_command(command)


def _numbers(counts: Usage | TallyItem) -> tuple[str, str, str]:
    return f"{counts.units:,}", f"{counts.charged:,}", f"{counts.denied:,}"


def _document(usage: Usage) -> dict[str, Any]:
    def counts(of: Usage | TallyItem) -> dict[str, Any]:
        return {"admitted": of.units, "charged": of.charged, "denied": of.denied}

    days = {f"{usage.month}-{day:02d}": charged for day, charged in usage.days.items()}
    homes = {home: counts(item) for home, item in usage.homes.items()}
    return {**counts(usage), "charged_by_day": days, "homes": homes}
