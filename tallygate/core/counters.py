"""Named counters of a key: what callers may add to them, and to which epoch it goes.

A counter is counted like usage, from lines, so an increment costs no write on the request path and is seen some seconds
later. It begins anew by another epoch: a line says in which one its call was made, so what is still on its way when a
counter is reset goes to the epoch that it was meant for.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tallygate.core.history import InvalidParameterError
from tallygate.core.lines import COUNTER_NAME, MAX_EPOCH, MAX_INCREMENTS, MAX_UNITS, Increment, UsageLine

MAX_RESET_COUNTERS: Final = 64
"""Of one key, those that were ever reset. Their epochs are in its profile, which each of its calls reads: at most 5 KB,
where 4 KB are a read unit. The authorizer tells them to whoever counts, with the calls to counters only."""
MAX_BODY_CHARS: Final = 16_384
"""Twice what MAX_INCREMENTS of the longest names take."""
MAX_TOKEN_CHARS: Final = 255
NAMES: Final = "a name of 1 to 64 letters, digits, dots, hyphens and underscores that begins with a letter or digit"
ADDS: Final = f"a whole number from -{MAX_UNITS} to {MAX_UNITS}"


@dataclass(frozen=True, slots=True)
class Counted:
    """What a call counts besides itself; once in 24 hours where it has a `token`, its caller's own."""

    increments: tuple[Increment, ...] = ()
    token: str | None = field(default=None, repr=False)


def counter_name(text: str) -> str:
    """`text` if it names a counter; InvalidParameterError otherwise."""
    if not COUNTER_NAME.fullmatch(text):
        raise InvalidParameterError("name", NAMES)
    return text


def one_addition(name: str, body: str) -> dict[str, int]:
    """What `{"add": 5}` adds to the counter `name`: 1 where it says nothing. InvalidParameterError."""
    fields = object_of(body, ("add",))
    return {counter_name(name): _addend("add", fields.get("add", 1))}


def several_additions(body: str) -> dict[str, int]:
    """What `{"increments": {"orders": 1, "items": 3}}` adds, by name. InvalidParameterError names what is wrong with
    the first that is: it is all of them or none."""
    wanted = object_of(body, ("increments",)).get("increments")
    if not isinstance(wanted, dict) or not 1 <= len(wanted) <= MAX_INCREMENTS:
        raise InvalidParameterError("increments", f"an object of 1 to {MAX_INCREMENTS} names and what to add to each")
    for name in wanted:
        if not COUNTER_NAME.fullmatch(name):
            raise InvalidParameterError("increments", NAMES)
    return {name: _addend(f"increments.{name}", add) for name, add in wanted.items()}


def ended_epoch(body: str) -> int | None:
    """Which epoch a reset is to end, `{"epoch": 3}`; None for whichever it is. InvalidParameterError."""
    epoch = object_of(body, ("epoch",)).get("epoch")
    if epoch is not None and (type(epoch) is not int or not 0 <= epoch < MAX_EPOCH):
        raise InvalidParameterError("epoch", "the epoch that the counter is in, a whole number; leave it out for any")
    return epoch


def token_of(text: str | None) -> str | None:
    """An idempotency key as its caller may choose it. InvalidParameterError."""
    if text is not None and not (0 < len(text) <= MAX_TOKEN_CHARS and text.isascii() and text.isprintable()):
        raise InvalidParameterError("Idempotency-Key", f"1 to {MAX_TOKEN_CHARS} printable ASCII characters")
    return text


def asked_epoch(text: str | None, current: int) -> int:
    """The epoch that a query asks for, `current` where it names none. It may name one that this region has not heard of
    yet. InvalidParameterError."""
    if text is None:
        return current
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        raise InvalidParameterError("epoch", f"a whole number up to {MAX_EPOCH}")
    return int(text)


def object_of(body: str, known: Sequence[str]) -> dict[str, Any]:
    """The JSON object of a body, empty for none, with no other fields than `known`. InvalidParameterError."""
    try:
        if len(body) > MAX_BODY_CHARS:
            raise ValueError
        fields = json.loads(body, object_pairs_hook=_once) if body else {}
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not fields.keys() <= set(known):
        allowed = f"a JSON object with {', '.join(known)}, each name in it once" if known else "an empty JSON object"
        raise InvalidParameterError("body", f"{allowed}, or nothing")
    return fields


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name twice: one of the two would be lost")
    return fields


def _addend(parameter: str, add: object) -> int:
    if type(add) is not int or abs(add) > MAX_UNITS:
        raise InvalidParameterError(parameter, ADDS)
    return add


def increments_of(additions: Mapping[str, int], epochs: Mapping[str, int]) -> tuple[Increment, ...]:
    """The additions, each to the epoch that its counter is in as far as this region knows."""
    return tuple(Increment(name, add, epochs.get(name, 0)) for name, add in additions.items())


def lines_of(line: UsageLine, counted: Counted) -> tuple[UsageLine, ...]:
    """The lines to print for a call: its own with what it counts. With a token these are two: the call is charged
    however often it is repeated, and what it counts is counted once."""
    if not counted.increments:
        return (line,)
    if counted.token is None:
        return (replace(line, ctr=counted.increments),)
    counts = replace(
        line,
        id=f"{line.id}/ctr",
        units=0,
        charge=(),
        caps={},
        would=None,
        ctr=counted.increments,
        idem=f"ctr/{counted.token}",  # so that it is none of a reject's (tally.RETRY_PREFIX)
    )
    return line, counts
