"""Questions of operators, asked on the command line: page after page, and what is wrong with one said of its option."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from tallygate.cli.failures import Failure
from tallygate.core.history import InvalidParameterError
from tallygate.operations.errors import UnknownOwnerError

Answer = TypeVar("Answer", bound=Mapping[str, Any])
ARGUMENTS = ("kind", "value")
"""Parameters that are no options here."""


@contextmanager
def asking(period: str = "--period") -> Iterator[None]:
    """Turns what keeps a question from being answered into one line. `period` is the option that named one."""
    try:
        yield
    except InvalidParameterError as error:
        valid = str(error).removeprefix(f"{error.parameter}: ")
        option = period if error.parameter == "period" else f"--{error.parameter}"
        hint = error.parameter.upper() if error.parameter in ARGUMENTS else f"'{option}'"
        raise click.BadParameter(valid, param_hint=hint) from None
    except UnknownOwnerError as error:
        raise Failure(f"{error}: `tallygate keys list` shows whose keys there are") from None


def every_page(
    ask: Callable[[Mapping[str, str], int], Answer], query: Mapping[str, str], now_ms: int
) -> Iterator[Answer]:
    """All pages of an answer, as of one time."""
    while True:
        page = ask(query, now_ms)
        yield page
        if page["cursor"] is None:
            return
        query = {**query, "cursor": page["cursor"]}


def given(**parameters: str | None) -> dict[str, str]:
    """Those parameters of a query that were given; `start` and `end` are `from` and `to`, which Python keeps."""
    called = {"start": "from", "end": "to"}
    return {called.get(name, name): text for name, text in parameters.items() if text is not None}
