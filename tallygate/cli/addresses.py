"""`tallygate addresses`: ranges of addresses that are not answered, and those that have no anonymous quota."""

import time
from typing import Final

import click

from tallygate.aws.address_store import AddressStore, TooManyRulesError, document
from tallygate.cli.failures import Failure
from tallygate.cli.options import expires_option, not_passed, taken
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.target import Target, target_options
from tallygate.core.addresses import AddressAction, AddressRule, Network, normal_network
from tallygate.core.key_fields import FieldError, one_line

WITHIN: Final = "Every region knows within 30 seconds."
MAX_REASON_CHARS: Final = 100
WIDEST: Final = {4: 8, 6: 16}
"""Shortest prefix that is taken: what is wider is a slip of the hand."""


def _network(text: str) -> Network:
    try:
        network = normal_network(text)
    except ValueError as error:
        raise FieldError("range", str(error)) from None
    if network.prefixlen < WIDEST[network.version]:
        raise FieldError("range", f"{network} is wider than /{WIDEST[network.version]}, which nobody can mean")
    return network


range_argument = click.argument("network", metavar="RANGE", callback=taken(_network))
reason_option = click.option(
    "--reason",
    callback=taken(lambda text: one_line("reason", text, MAX_REASON_CHARS)),
    help="Why, for those who list them.",
)


@click.group()
def addresses() -> None:
    """Block ranges of addresses, or let them through without a quota."""


@addresses.command(short_help="Answer calls from a range with 403.")
@range_argument
@reason_option
@expires_option
@json_option
@target_options
def block(target: Target, network: Network, reason: str | None, expires_ms: int | None, as_json: bool) -> None:
    """Answer calls from RANGE (CIDR, or one address) with 403, whatever key they bring.

    Of several ranges that an address is in, the narrowest holds. Takes the place of what was decided on RANGE before.

    \b
    Examples:
      tallygate addresses block 203.0.113.0/24 --reason 'scraping' --expires 2027-01-01 --stage prod
      tallygate addresses block 2001:db8:bad::/48
    """
    _put(target, "block", network, reason, expires_ms, as_json)


@addresses.command(short_help="Let a range through without a limit per address.")
@range_argument
@reason_option
@expires_option
@json_option
@target_options
def allow(target: Target, network: Network, reason: str | None, expires_ms: int | None, as_json: bool) -> None:
    """Answer calls from RANGE (CIDR, or one address) without a limit per address. They are counted as before.

    Only calls without a key have such a limit; that of their site (Referer) and that of a key hold as before.

    \b
    Example:
      tallygate addresses allow 198.51.100.7 --reason 'our monitoring' --stage prod
    """
    _put(target, "allow", network, reason, expires_ms, as_json)


@addresses.command()
@range_argument
@json_option
@target_options
def remove(target: Target, network: Network, as_json: bool) -> None:
    """Take back what was decided on RANGE.

    \b
    Example:
      tallygate addresses remove 203.0.113.0/24 --stage prod
    """
    removed = _store(target).remove(network, _now_ms())
    if removed is None:
        raise Failure(f"nothing was decided on {network}: `tallygate addresses list` shows the ranges there are")
    if as_json:
        print_json(document(removed))
    else:
        click.echo(f"Removed {network}. {WITHIN}")


@addresses.command("list")
@json_option
@target_options
def list_rules(target: Target, as_json: bool) -> None:
    """List the ranges that something was decided on.

    \b
    Example:
      tallygate addresses list --stage prod --json
    """
    rules = AddressStore(target.gate(to_write=False), target.names.gate_table).rules(_now_ms())
    if as_json:
        print_json([document(rule) for rule in rules])
        return
    rows = table("range", "<action", "<expires", "<reason")
    for rule in rules:
        shown = document(rule)
        rows.add_row(shown["range"], shown["action"], (shown["expires"] or "never")[:10], shown["reason"] or "")
    console().print(rows if rules else "No ranges: `tallygate addresses block` adds one.")


def _put(
    target: Target,
    action: AddressAction,
    network: Network,
    reason: str | None,
    expires_ms: int | None,
    as_json: bool,
) -> None:
    now_ms = _now_ms()
    rule = AddressRule(network, action, not_passed(expires_ms, now_ms), reason)
    try:
        _store(target).put(rule, now_ms)
    except TooManyRulesError as error:
        raise Failure(f"{error}: remove some, or block wider ranges") from None
    if as_json:
        print_json(document(rule))
    else:
        click.echo(f"{network}: {action}. {WITHIN}")


def _store(target: Target) -> AddressStore:
    return AddressStore(target.gate(to_write=True), target.names.gate_table, target.audit_log())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
