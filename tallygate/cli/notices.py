"""`tallygate notices`: what operators were told of quotas, whether they would be, and the secret of the webhook."""

import secrets
import time
from typing import Any, Final

import click

from tallygate.aws.notice_bus import NoticeBus
from tallygate.aws.told_reader import TellingRecord, ToldReader
from tallygate.aws.webhook_secret import OVERLAP_SECONDS, WebhookSecret
from tallygate.cli import suggestions
from tallygate.cli.audit import months
from tallygate.cli.failures import Failure
from tallygate.cli.identifiers import normal_value
from tallygate.cli.options import Since, since_option
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.target import Target, target_options
from tallygate.core.lines import format_timestamp
from tallygate.core.names import KINDS, Kind, pk_of
from tallygate.core.notices import Notice, Subject
from tallygate.core.periods import day_of, period_of
from tallygate.core.plans import Limit

NOBODY: Final = Subject("key", "0" * 16, "nobody")


@click.group(short_help="Show and test what is told when a caller nears a quota.")
def notices() -> None:
    """Show and test what operators are told when a caller reaches a level of a quota."""


@notices.command("list", short_help="List what was told, the oldest first.")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@click.argument("value", required=False, shell_complete=suggestions.values)
@since_option
@json_option
@target_options
def list_notices(target: Target, kind: Kind | None, value: str | None, since: Since, as_json: bool) -> None:
    """List what was told, the oldest first: when, of whom, which level of which quota in which period.

    Of one address, site, key or owner when KIND and VALUE name it. A key that took over from another
    is counted as the first of them. Records are kept for 400 days.

    \b
    Examples:
      tallygate notices list --since 24h --stage prod
      tallygate notices list key 0123456789abcdef --since 2026-11-01 --stage prod --json
    """
    identifier = ""
    if kind is not None:
        if value is None:
            raise click.UsageError(f"which {kind}? VALUE is missing.")
        identifier = pk_of(kind, normal_value(kind, value, target.config.service.ipv6_prefix))
    now_ms = time.time_ns() // 1_000_000
    since_ms = since(now_ms)
    reader = ToldReader(target.administrative_client, target.names.tally_table)
    # A period may have begun in the month before the one in which it was told of.
    earliest_ms = max(0, day_of(since_ms).month_start_ms - 1)
    told = [record for month in months(earliest_ms, now_ms) for record in reader.records(month, identifier)]
    told = sorted((record for record in told if record.at_ms >= since_ms), key=lambda record: record.at_ms)
    if as_json:
        print_json([_document(record) for record in told])
        return
    rows = table("told", "<of", "", "<owner", "<limit", "<period", "level", "used", "quota")
    for record in told:
        notice = record.notice
        rows.add_row(
            format_timestamp(record.at_ms),
            notice["kind"],
            notice["value"],
            notice["owner"] or "",
            notice["limit"],
            notice["period"]["name"],
            f"{notice['level']} %",
            f"{notice['used']:,}",
            f"{notice['quota']:,}",
        )
    console().print(rows if rows.row_count else "Nothing was told.")


@notices.command(short_help="Put a test notice on the event bus.")
@json_option
@target_options
def test(target: Target, as_json: bool) -> None:
    """Put a test notice on the event bus, from where it goes wherever notices go.

    It says of itself that it is one (`"test": true`), is of a key that there is not, and has an id of its own.

    \b
    Examples:
      tallygate notices test
      tallygate notices test --stage prod
    """
    now_ms = time.time_ns() // 1_000_000
    names, region = target.names, target.config.service.administrative_region
    period = period_of("day", now_ms)
    notice = Notice(NOBODY, "none", Limit("key", 100, "day"), 80, period, 80, now_ms, test=secrets.token_hex(8))
    bus = NoticeBus(target.aws("events", region), names.notices, names.service, names.stage)
    if not bus.put([notice])[0]:
        raise Failure("the event bus did not take it; try again in a minute")
    leads = _leads_to(target)
    if as_json:
        print_json({"bus": names.notices, "region": region, "targets": leads, "notice": _of(target, notice)})
        return
    click.echo(f"{notice.id(names.service, names.stage)} is on the bus {names.notices} in {region}.")
    click.echo(f"It goes to {' and '.join(leads)}." if leads else "No target is configured: [notices] names some.")


@notices.group()
def secret() -> None:
    """Show or replace the secret with which webhooks are signed."""


@secret.command()
@json_option
@target_options
def show(target: Target, as_json: bool) -> None:
    """Show the secret, for the receiver's settings.

    \b
    Example:
      tallygate notices secret show --stage prod
    """
    shown = _secret(target).shown()
    if as_json:
        print_json({"secret": shown})
    else:
        click.echo(shown)


@secret.command()
@json_option
@target_options
def rotate(target: Target, as_json: bool) -> None:
    """Make another secret and show it. For a day webhooks are signed with the old one as well.

    Within that day, give receivers the new one. Rotating again within the day drops the oldest.

    \b
    Example:
      tallygate notices secret rotate --stage prod
    """
    made = _secret(target).rotate()
    if as_json:
        print_json({"secret": made, "old_signs_for_seconds": OVERLAP_SECONDS})
    else:
        click.echo(made)
        console(stderr=True).print(f"Webhooks carry both signatures for {OVERLAP_SECONDS // 3600} hours.")


def _secret(target: Target) -> WebhookSecret:
    if target.config.notices.webhook is None:
        raise Failure("there is no webhook: [notices] of the configuration names its URL, and a deployment makes it")
    region = target.config.service.administrative_region
    return WebhookSecret(target.aws("secretsmanager", region), target.names.webhook)


def _leads_to(target: Target) -> list[str]:
    """Where notices are led to, as configured. A webhook's URL may hold a token, and is not told."""
    found = target.config.notices
    leads = ["the topic"] if found.sns else []
    return [*leads, *(["the webhook"] if found.webhook is not None else [])]


def _document(record: TellingRecord) -> dict[str, Any]:
    return {"told": format_timestamp(record.at_ms), **record.notice}


def _of(target: Target, notice: Notice) -> dict[str, Any]:
    return notice.document(target.names.service, target.names.stage)
