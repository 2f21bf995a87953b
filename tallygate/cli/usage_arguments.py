"""Whom commands ask about, and of which month."""

import re
from typing import Final

import click

from tallygate.cli import suggestions
from tallygate.core.names import KINDS

kind_argument = click.argument("kind", type=click.Choice(KINDS))
value_argument = click.argument("value", shell_complete=suggestions.values)

MONTH_HELP: Final = "Month in UTC, like 2026-11."
_MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)


def month_of(text: str | None) -> str | None:
    """A month that was given."""
    if text is not None and not _MONTH.fullmatch(text):
        raise click.BadParameter("a month is written like 2026-11")
    return text
