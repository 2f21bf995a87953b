"""Parameters of questions, as a URL has them. What is none raises InvalidParameterError, which says what is valid."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from tallygate.core.history import InvalidParameterError
from tallygate.core.identifiers import InvalidIdentifierError, normal_value
from tallygate.core.identity import UNKNOWN_IP
from tallygate.core.names import KINDS, Kind
from tallygate.core.times import time_ms

Word = TypeVar("Word", bound=str)
Query = Mapping[str, str]

_PERIOD: Final = re.compile(r"\d{4}-\d\d(-\d\d)?", re.ASCII)


def only(query: Query, *known: str) -> None:
    """Nothing else is asked for: a misspelt parameter would be answered as if it were not there."""
    for name in query:
        if name not in known:
            allowed = f"allowed are {', '.join(known)}" if known else "there are no parameters"
            raise InvalidParameterError(name, f"is not known here; {allowed}")


def word(query: Query, name: str, allowed: Sequence[Word], default: Word | None = None) -> Word:
    """One of `allowed`."""
    text = query.get(name, default)
    for each in allowed:
        if text == each:
            return each
    raise InvalidParameterError(name, f"one of {', '.join(allowed)}")


def whole_number(query: Query, name: str, default: int, most: int) -> int:
    """A number from 1 to `most`."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise InvalidParameterError(name, f"a whole number from 1 to {most}")
    return int(text)


def flag(query: Query, name: str, default: bool) -> bool:
    """`true` or `false`."""
    return word(query, name, ("true", "false"), "true" if default else "false") == "true"


def identifier(query: Query, ipv6_prefix: int) -> tuple[Kind, str]:
    """`kind` and `value`, in its normal form."""
    kind = word(query, "kind", KINDS)
    return kind, value_of(query, kind, ipv6_prefix)


def value_of(query: Query, kind: Kind, ipv6_prefix: int) -> str:
    """`value` in its normal form."""
    text = query.get("value", "")
    if not text:
        raise InvalidParameterError("value", f"which {kind}: an address, a host, the id of a key, the name of an owner")
    if kind == "ip" and text == UNKNOWN_IP:
        return text
    try:
        return normal_value(kind, text, ipv6_prefix)
    except InvalidIdentifierError as error:
        raise InvalidParameterError("value", str(error)) from None


def period_ms(query: Query, now_ms: int) -> tuple[int, bool]:
    """The start of `period`, by default this month, and whether it is a day."""
    text = query.get("period")
    if text is None:
        return now_ms, False
    try:
        if not _PERIOD.fullmatch(text):
            raise ValueError
        is_day = len(text) > len("2026-11")
        at_ms = time_ms(text if is_day else f"{text}-01")
    except ValueError:
        raise InvalidParameterError("period", "a month like 2026-11 or a day like 2026-11-20, UTC") from None
    if at_ms > now_ms:
        raise InvalidParameterError("period", "a month or a day that has begun")
    return at_ms, is_day
