"""`tallygate keys override`: quotas of one key in place of those of its plan."""

import time

import click

from tallygate.cli import suggestions
from tallygate.cli.failures import Failure
from tallygate.cli.identifiers import key_id_of
from tallygate.cli.options import taken
from tallygate.cli.output import console, json_option, print_json
from tallygate.cli.republishing import retell_key
from tallygate.cli.target import Target, target_options
from tallygate.core.key_admin import BusyError, KeyAdminError, UnknownKeyError
from tallygate.core.key_fields import overrides_of
from tallygate.core.plans import Limit


@click.command("override", short_help="Hold a key to quotas of its own.")
@click.argument("key", shell_complete=suggestions.keys)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    callback=taken(overrides_of),
    metavar="key=QUOTA/WINDOW",
    help="Quota by minute, hour, day or month; day-soft and so on for one that only warns. Repeat for more.",
)
@click.option(
    "--remove", is_flag=True, help="Take back all that were given; those of --limit, if any, take their place."
)
@json_option
@target_options
def override(target: Target, key: str, limits: tuple[Limit, ...], remove: bool, as_json: bool) -> None:
    """Hold KEY, given as its id or secret, to quotas of its own in place of those of its plan.

    A quota takes the place of that of the plan's limit by the same window, and is a limit of its own where the plan has
    none. What was used is used; every region knows within seconds. A key that takes over from this one keeps them.

    \b
    Examples:
      tallygate keys override 0123456789abcdef --limit key=5000/day
      tallygate keys override 0123456789abcdef --limit key=100000/month --limit key=80000/month-soft --stage prod
      tallygate keys override 0123456789abcdef --remove
    """
    if not limits and not remove:
        raise click.UsageError("nothing to change: --limit or --remove")
    id, admin, now_ms = key_id_of(key), target.key_admin(), time.time_ns() // 1_000_000
    try:
        stored = admin.keys.find(id)
        if stored is None:
            raise UnknownKeyError(id)
        before = stored.profile
        kept = () if remove else before.overrides
        wanted = {limit.name: limit for limit in (*kept, *limits)}
        profile = admin.change(id, {"overrides": tuple(wanted[name] for name in sorted(wanted))}, now_ms)
    except BusyError:
        raise Failure("others are changing the same key at this moment; nothing was changed: try again") from None
    except KeyAdminError as error:
        raise Failure(str(error)) from None
    found, published = retell_key(target, before, profile, now_ms)
    document = profile.document(now_ms)
    if as_json:
        print_json({**document, "touched": found.document(), "published": published})
        return
    said = ", ".join(document["overrides"]) or "the quotas of its plan"
    over = any(touched.are_over for touched in found.touched.values())
    console().print(
        f"{id} is held to {said}{', and has used them up' * over}. Every region knows within seconds.", soft_wrap=True
    )
