"""`tallygate keys`: giving out and revoking API keys."""

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

import click

from tallygate.aws.key_store import KeyProfile, KeyStore, UnknownKeyError
from tallygate.aws.plan_store import PlanStore
from tallygate.cli.failures import Failure
from tallygate.cli.identifiers import key_id_of
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.target import Target, target_options
from tallygate.core.keys import mint
from tallygate.core.lines import format_timestamp

Check = Callable[[click.Context, click.Parameter, str | None], str | None]


def words(most_chars: int) -> Check:
    """For text that people read: not blank, on one line, up to `most_chars`."""

    def check(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
        found = None if value is None else value.strip()
        if found is not None and not (found and len(found) <= most_chars and found.isprintable()):
            raise click.BadParameter(f"allowed are 1 to {most_chars} characters on one line")
        return found

    return check


OWNER: Final = words(128)
NOTE: Final = words(256)
"""Every authorizer that meets the key reads its profile: 4,096 bytes of it and of the usage rows are one read unit."""


@click.group()
def keys() -> None:
    """Give out, list and revoke API keys."""


@keys.command()
@click.option("--owner", callback=OWNER, required=True, help="Whose key it is: any name; `keys list --owner` finds it.")
@click.option("--plan", required=True, help="Plan that the key is held to, one of `tallygate plans show`.")
@click.option("--note", callback=NOTE, help="A word about it, for those who list keys.")
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    help="Day (UTC) from which the key is refused.  [default: never]",
)
@json_option
@target_options
def create(target: Target, owner: str, plan: str, note: str | None, expires: datetime | None, as_json: bool) -> None:
    """Give out a new key. Its secret is printed once and kept nowhere.

    \b
    Examples:
      tallygate keys create --owner acme --plan starter
      tallygate keys create --owner acme --plan pro --expires 2027-01-01 --stage prod --json
    """
    now_ms = time.time_ns() // 1_000_000
    expires_ms = int(expires.replace(tzinfo=UTC).timestamp() * 1000) if expires else None
    if expires_ms is not None and expires_ms <= now_ms:
        raise click.BadParameter(f"{format_timestamp(expires_ms)} has passed", param_hint="'--expires'")
    gate = target.gate(to_write=True)
    plans = [known.name for known in PlanStore(gate, target.names.gate_table).plans() if not known.anonymous]
    if plan not in plans:
        found = f"plans for keys are {', '.join(plans)}" if plans else "there are none yet: `tallygate plans apply`"
        raise Failure(f"--plan: {plan!r} is no plan for keys; {found}")
    secret = mint(target.names.stage, secrets.choice)
    profile = KeyStore(gate, target.names.gate_table).create(
        secret,
        owner=owner,
        plan=plan,
        now_ms=now_ms,
        expires_ms=expires_ms,
        note=note,
    )
    if as_json:
        print_json({"secret": secret, **_document(profile)})
        return
    click.echo(secret)
    console(stderr=True).print(
        f"Key {profile.id} of {owner} on plan {plan}. Its secret is shown this once and kept nowhere."
    )


@keys.command("list")
@click.option("--owner", callback=OWNER, help="Keys of this owner only.")
@json_option
@target_options
def list_keys(target: Target, owner: str | None, as_json: bool) -> None:
    """List keys, without their secrets.

    \b
    Examples:
      tallygate keys list
      tallygate keys list --owner acme --stage prod --json
    """
    profiles = sorted(
        KeyStore(target.gate(to_write=False), target.names.gate_table).profiles(owner),
        key=lambda profile: (profile.owner, profile.created, profile.id),
    )
    if as_json:
        print_json([_document(profile) for profile in profiles])
        return
    rows = table("key", "<owner", "<plan", "<status", "<created", "<expires", "<note")
    for profile in profiles:
        expires = _expires(profile) or "never"
        dates = profile.created[:10], expires[:10]
        rows.add_row(profile.id, profile.owner, profile.plan, profile.status, *dates, profile.note or "")
    console().print(rows if profiles else "No keys: `tallygate keys create` gives one out.")


@keys.command()
@click.argument("key")
@json_option
@target_options
def revoke(target: Target, key: str, as_json: bool) -> None:
    """Refuse KEY, given as its id or secret, from now on. Every region knows within 30 seconds.

    \b
    Example:
      tallygate keys revoke 0123456789abcdef --stage prod
    """
    id = key_id_of(key)
    try:
        profile = KeyStore(target.gate(to_write=True), target.names.gate_table).revoke(id)
    except UnknownKeyError:
        raise Failure(f"there is no key {id}: `tallygate keys list` shows those there are") from None
    if as_json:
        print_json(_document(profile))
    else:
        click.echo(f"Revoked {profile.id} of {profile.owner}.")


def _document(profile: KeyProfile) -> dict[str, str | None]:
    document = asdict(profile)
    del document["expires_ms"]
    return {**document, "expires": _expires(profile)}


def _expires(profile: KeyProfile) -> str | None:
    return None if profile.expires_ms is None else format_timestamp(profile.expires_ms)
