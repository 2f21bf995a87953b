"""What is said of keys and rules on the command line, checked as the API checks it."""

import re
from collections.abc import Callable
from typing import Any, Final

import click

from tallygate.cli import suggestions
from tallygate.core.key_fields import (
    FieldError,
    addresses_of,
    expiry_of,
    future,
    note_of,
    owner_of,
    referers_of,
)

Callback = Callable[[click.Context, click.Parameter, Any], Any]

_DURATION: Final = re.compile(r"(\d{1,6})(m|h|d)", re.ASCII)
_UNIT_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def taken(normal: Callable[[Any], Any]) -> Callback:
    """Turns an option into its normal form; what cannot be taken is a usage error."""

    def callback(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        if value is None or value == ():
            return value
        try:
            return normal(value)
        except FieldError as error:
            raise click.BadParameter(error.said) from None

    return callback


def duration_ms(text: str) -> int:
    """Milliseconds of `90m`, `24h` or `7d`; 0 of `0`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        if text == "0":
            return 0
        raise FieldError("duration", "minutes, hours or days like 90m, 24h or 7d, or 0")
    return int(match[1]) * _UNIT_MS[match[2]]


Since = Callable[[int], int]
"""From now to the time that was asked for, both in ms since 1970."""


def _since(text: str) -> Since:
    """A time, or how long ago."""
    try:
        ago_ms = duration_ms(text)
        return lambda now_ms: max(0, now_ms - ago_ms)
    except FieldError:
        pass
    try:
        at_ms = expiry_of(text)
    except FieldError as error:
        raise FieldError("since", f"{error.said}; or how long ago, like 90m, 24h or 30d") from None
    return lambda now_ms: at_ms


since_option = click.option(
    "--since",
    callback=taken(_since),
    default="30d",
    show_default=True,
    help="A day or time in UTC, like 2026-11-20, or how long ago, like 24h or 30d.",
)


def not_passed(expires_ms: int | None, now_ms: int) -> int | None:
    """For the option --expires: a time that is yet to come, None for never."""
    try:
        return None if expires_ms is None else future(expires_ms, now_ms)
    except FieldError as error:
        raise click.BadParameter(error.said, param_hint="'--expires'") from None


owner_option = click.option(
    "--owner",
    callback=taken(owner_of),
    required=True,
    shell_complete=suggestions.owners,
    help="Whose key it is: any name.",
)
note_option = click.option("--note", callback=taken(note_of), help="A word about it, for those who list keys.")
expires_option = click.option(
    "--expires",
    "expires_ms",
    callback=taken(expiry_of),
    help="Day or time in UTC from which the key is refused, like 2027-01-01.  [default: never]",
)
referers_option = click.option(
    "--referer",
    "referers",
    multiple=True,
    callback=taken(referers_of),
    metavar="HOST",
    help="Site that may present the key, by Origin or Referer; *.HOST for its subdomains. Repeat for more.",
)
addresses_option = click.option(
    "--address",
    "addresses",
    multiple=True,
    callback=taken(addresses_of),
    metavar="CIDR",
    help="Range of addresses that the key may come from. Repeat for more.",
)
