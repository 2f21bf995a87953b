"""What callers are answered, as values. A field that a newer service adds is left out; `unread` are homes that could
not be asked, whose counts are missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

When = datetime | date | int | str
"""A time: with no zone it is UTC; a number is Unix time in seconds, ms or µs; a text is passed on as it stands."""


@dataclass(frozen=True, slots=True)
class UsedLimit:
    """A limit and what is used of it; `limit` and `remaining` are None where there is none. `homes` is what each home
    counted, where that is told."""

    kind: str
    window: str
    rolling: bool
    soft: bool
    limit: int | None
    used: int
    remaining: int | None
    reset: datetime
    homes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Whoami:
    """What the gate sees of a caller. `key` is the key's id, no secret."""

    ip: str
    ref: str | None
    key: str | None
    plan: str | None
    region: str
    home: str
    limits: tuple[UsedLimit, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a caller used. `source` is `gate` where a home could not be read: what it last published."""

    plan: str | None
    source: str
    as_of: datetime | None
    limits: tuple[UsedLimit, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """Units charged in the hour, day or month that begins at `start`."""

    start: datetime
    charged: int


@dataclass(frozen=True, slots=True)
class CounterShare:
    """What one home counted of a counter, in all and by writer."""

    total: int
    as_of: datetime | None
    writers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CounterTotal:
    """A counter in one epoch. `as_of` is when the newest increment in it arrived, None when there is none."""

    name: str
    epoch: int
    total: int
    as_of: datetime | None
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CounterDetail(CounterTotal):
    """The same with the share of each home."""

    homes: Mapping[str, CounterShare]


@dataclass(frozen=True, slots=True)
class Reset:
    """A counter that is in `epoch` now. `ended` is what the one before stood at: increments that were still on their
    way are added to it."""

    name: str
    epoch: int
    ended: CounterDetail


def time_of(text: str) -> datetime:
    """An RFC 3339 time of the service."""
    return datetime.fromisoformat(text)


def optional_time(text: str | None) -> datetime | None:
    return None if text is None else time_of(text)


def text_of(when: When) -> str:
    """A time as a parameter."""
    if isinstance(when, datetime):
        return (when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)).isoformat()
    return when.isoformat() if isinstance(when, date) else str(when)


def used_limit(fields: Mapping[str, Any]) -> UsedLimit:
    return UsedLimit(
        fields["kind"],
        fields["window"],
        fields["rolling"],
        fields["soft"],
        fields["limit"],
        fields["used"],
        fields["remaining"],
        time_of(fields["reset"]),
        {home: told["used"] for home, told in fields.get("homes", {}).items()},
    )


def counter_total(fields: Mapping[str, Any], unread: list[str]) -> CounterTotal:
    as_of = optional_time(fields["as_of"])
    return CounterTotal(fields["name"], fields["epoch"], fields["total"], as_of, tuple(unread))


def counter_detail(fields: Mapping[str, Any]) -> CounterDetail:
    return CounterDetail(
        fields["name"],
        fields["epoch"],
        fields["total"],
        optional_time(fields["as_of"]),
        tuple(fields["unread"]),
        {
            home: CounterShare(share["total"], optional_time(share["as_of"]), share["writers"])
            for home, share in fields["homes"].items()
        },
    )
