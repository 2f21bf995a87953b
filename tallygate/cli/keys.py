"""`tallygate keys`: giving out, looking at, changing, rotating and revoking API keys."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from tallygate.aws.key_reader import InvalidCursorError
from tallygate.aws.key_store import KeyStore
from tallygate.cli import suggestions
from tallygate.cli.failures import Failure
from tallygate.cli.identifiers import key_id_of
from tallygate.cli.key_import import import_keys
from tallygate.cli.key_override import override
from tallygate.cli.options import (
    addresses_option,
    duration_ms,
    expires_option,
    not_passed,
    note_option,
    owner_option,
    referers_option,
    taken,
)
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.republishing import retell_key
from tallygate.cli.target import Target, target_options
from tallygate.core.key_admin import MAX_OVERLAP_MS, BusyError, KeyAdminError, UnknownKeyError, UnknownPlanError
from tallygate.core.key_fields import expiry_of, owner_of
from tallygate.core.key_profile import KEY_STATES, KeyProfile, KeyState
from tallygate.core.lines import format_timestamp

NEVER: Final = "never"
WITHIN: Final = "Every region knows within 30 seconds."

key_argument = click.argument("key", shell_complete=suggestions.keys)


@contextmanager
def told() -> Iterator[None]:
    """Turns what cannot be done with a key into one line."""
    try:
        yield
    except UnknownKeyError as error:
        raise Failure(f"{error}: `tallygate keys list` shows those there are") from None
    except UnknownPlanError as error:
        hint = "" if error.plans else ": `tallygate plans apply`"
        raise Failure(f"--plan: {error}{hint}") from None
    except BusyError:
        raise Failure("others are changing the same key at this moment; nothing was changed: try again") from None
    except KeyAdminError as error:
        raise Failure(str(error)) from None


@click.group()
def keys() -> None:
    """Give out, look at, change, rotate and revoke API keys."""


@keys.command()
@owner_option
@click.option(
    "--plan",
    required=True,
    shell_complete=suggestions.plans,
    help="Plan that the key is held to, one of `tallygate plans show`.",
)
@note_option
@expires_option
@referers_option
@addresses_option
@json_option
@target_options
def create(target: Target, as_json: bool, **fields: Any) -> None:
    """Give out a new key. Its secret is printed once, alone on standard output, and kept nowhere.

    \b
    Examples:
      tallygate keys create --owner acme --plan starter
      tallygate keys create --owner acme --plan pro --expires 2027-01-01 --stage prod --json
      tallygate keys create --owner acme --plan pro --referer shop.example --referer '*.shop.example'
      tallygate keys create --owner acme --plan pro --address 203.0.113.0/24
    """
    now_ms = _now_ms()
    fields["expires_ms"] = not_passed(fields["expires_ms"], now_ms)
    with told():
        secret, profile = target.key_admin().create(fields, now_ms)
    _print_secret(secret, profile, now_ms, as_json, f"Key {profile.id} of {profile.owner} on plan {profile.plan}.")


@keys.command("list")
@click.option("--owner", callback=taken(owner_of), shell_complete=suggestions.owners, help="Keys of this owner only.")
@click.option("--plan", shell_complete=suggestions.plans, help="Keys on this plan only.")
@click.option("--status", type=click.Choice(KEY_STATES), help="Keys in this state only.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many.")
@click.option("--cursor", help="Where the page before ended, as it was printed.")
@json_option
@target_options
def list_keys(
    target: Target,
    owner: str | None,
    plan: str | None,
    status: KeyState | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    """List keys, without their secrets. A page is sorted; pages are in no order.

    \b
    Examples:
      tallygate keys list
      tallygate keys list --owner acme --status active --stage prod --json
    """
    now_ms = _now_ms()
    store = KeyStore(target.gate(to_write=False), target.names.gate_table)
    try:
        page = store.page(
            limit, cursor, owner, lambda key: plan in (None, key.plan) and status in (None, key.state(now_ms))
        )
    except InvalidCursorError as error:
        raise click.BadParameter(str(error), param_hint="'--cursor'") from None
    profiles = sorted(page.profiles, key=lambda profile: (profile.owner, profile.created, profile.id))
    if as_json:
        print_json({"keys": [profile.document(now_ms) for profile in profiles], "cursor": page.cursor})
        return
    rows = table("key", "<owner", "<plan", "<status", "<created", "<expires", "<note")
    for profile in profiles:
        dates = profile.created[:10], _expires(profile)[:10]
        rows.add_row(profile.id, profile.owner, profile.plan, profile.state(now_ms), *dates, profile.note or "")
    console().print(rows if profiles else "No such keys: `tallygate keys create` gives one out.")
    if page.cursor is not None:
        console(stderr=True).print(f"There are more: --cursor {page.cursor}", soft_wrap=True)


@keys.command()
@key_argument
@json_option
@target_options
def show(target: Target, key: str, as_json: bool) -> None:
    """Show what is known of KEY, given as its id or secret.

    \b
    Example:
      tallygate keys show 0123456789abcdef --stage prod
    """
    stored = KeyStore(target.gate(to_write=False), target.names.gate_table).find(key_id_of(key))
    with told():
        if stored is None:
            raise UnknownKeyError(key_id_of(key))
    _print(stored.profile, as_json)


@keys.command(short_help="Give out a new secret, and let the old one end.")
@key_argument
@click.option(
    "--overlap",
    "overlap_ms",
    callback=taken(duration_ms),
    default="24h",
    show_default=True,
    help="How long the old key stays good, like 90m, 24h or 7d; 0 ends it now.",
)
@json_option
@target_options
def rotate(target: Target, key: str, overlap_ms: int, as_json: bool) -> None:
    """Give out a new secret that takes over from KEY, and let the old one end.

    Owner, plan, note, restrictions, expiry and what is used of the quota stay the same: both secrets are counted as one
    key. The new secret is printed once, alone on standard output.

    \b
    Examples:
      tallygate keys rotate 0123456789abcdef --stage prod
      tallygate keys rotate 0123456789abcdef --overlap 0     # it leaked
    """
    if overlap_ms > MAX_OVERLAP_MS:
        raise click.BadParameter(f"at most {MAX_OVERLAP_MS // 86_400_000}d", param_hint="'--overlap'")
    now_ms = _now_ms()
    with told():
        secret, profile, old = target.key_admin().rotate(key_id_of(key), overlap_ms, now_ms)
    ends = "is refused from now on" if old.state(now_ms) != "active" else f"is good until {_expires(old)}"
    _print_secret(
        secret, profile, now_ms, as_json, f"Key {profile.id} of {profile.owner} takes over; {old.id} {ends}. {WITHIN}"
    )


@keys.command()
@key_argument
@json_option
@target_options
def revoke(target: Target, key: str, as_json: bool) -> None:
    """Refuse KEY, given as its id or secret, from now on. Every region knows within 30 seconds.

    \b
    Example:
      tallygate keys revoke 0123456789abcdef --stage prod
    """
    now_ms = _now_ms()
    admin = target.key_admin()
    with told():
        profile = admin.revoke(key_id_of(key), now_ms)
    before = admin.keys.find(profile.rotated_from) if profile.rotated_from is not None else None
    _print(profile, as_json, f"Revoked {profile.id} of {profile.owner}. {WITHIN}")
    if before is not None and before.profile.state(now_ms) == "active":
        old = before.profile
        console(stderr=True).print(f"{old.id}, which it took over from, is good until {_expires(old)}: revoke it, too?")


@keys.command("set-plan")
@key_argument
@click.argument("plan", shell_complete=suggestions.plans)
@json_option
@target_options
def set_plan(target: Target, key: str, plan: str, as_json: bool) -> None:
    """Hold KEY, given as its id or secret, to another plan. What it used stays used.

    \b
    Example:
      tallygate keys set-plan 0123456789abcdef pro --stage prod
    """
    id, admin, now_ms = key_id_of(key), target.key_admin(), _now_ms()
    with told():
        before = admin.keys.find(id)
        profile = admin.change(id, {"plan": plan}, now_ms)
    if before is not None:
        retell_key(target, before.profile, profile, now_ms)
    _print(profile, as_json, f"{profile.id} of {profile.owner} is on plan {plan}. {WITHIN}")


@keys.command(short_help="Change the note, the expiry or the restrictions of a key.")
@key_argument
@note_option
@click.option(
    "--expires",
    callback=taken(lambda text: NEVER if text == NEVER else expiry_of(text)),
    help="Day or time in UTC from which the key is refused, like 2027-01-01; or never.",
)
@referers_option
@addresses_option
@click.option("--any-referer", is_flag=True, help="Let any site present it.")
@click.option("--any-address", is_flag=True, help="Let it come from any address.")
@json_option
@target_options
def edit(
    target: Target,
    key: str,
    note: str | None,
    expires: int | str | None,
    referers: tuple[str, ...],
    addresses: tuple[str, ...],
    any_referer: bool,
    any_address: bool,
    as_json: bool,
) -> None:
    """Change the note, the expiry or the restrictions of KEY, given as its id or secret.

    Sites and addresses that are given take the place of those that were.

    \b
    Examples:
      tallygate keys edit 0123456789abcdef --expires 2027-01-01 --stage prod
      tallygate keys edit 0123456789abcdef --referer shop.example --referer '*.shop.example'
      tallygate keys edit 0123456789abcdef --any-address
    """
    now_ms = _now_ms()
    fields: dict[str, Any] = {}
    if note is not None:
        fields["note"] = note
    if expires is not None:
        fields["expires_ms"] = None if expires == NEVER else not_passed(int(expires), now_ms)
    for name, values, any_will_do in (("referers", referers, any_referer), ("addresses", addresses, any_address)):
        if values and any_will_do:
            raise click.UsageError(f"some {name} and any contradict each other")
        if values or any_will_do:
            fields[name] = values
    if not fields:
        raise click.UsageError("nothing to change: --note, --expires, --referer, --address, …")
    with told():
        profile = target.key_admin().change(key_id_of(key), fields, now_ms)
    _print(profile, as_json)


keys.add_command(import_keys)
keys.add_command(override)


def _print_secret(secret: str, profile: KeyProfile, now_ms: int, as_json: bool, said: str) -> None:
    if as_json:
        print_json({"secret": secret, **profile.document(now_ms)})
        return
    click.echo(secret)
    console(stderr=True).print(f"{said} The secret is shown this once and kept nowhere.")


def _print(profile: KeyProfile, as_json: bool, said: str | None = None) -> None:
    document = profile.document(_now_ms())
    if as_json:
        print_json(document)
    elif said is not None:
        click.echo(said)
    else:
        rows = table("", "<")
        for name, value in document.items():
            rows.add_row(name.replace("_", " "), ", ".join(value) if isinstance(value, list) else value or "")
        rows.show_header = False
        console().print(rows)


def _expires(profile: KeyProfile) -> str:
    return NEVER if profile.expires_ms is None else format_timestamp(profile.expires_ms)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
