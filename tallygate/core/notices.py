"""Notices: that an identifier has reached a level of a quota, told to operators once for each identifier, period and
level, whatever homes and regions its calls came to.

A level is a percentage that is a mark (see `marks`), so that a count is published when it reaches it. What is told is
reckoned from what homes published, never from a change: a record of a change only says where to look. So a repeated
record says nothing new, and one that comes late says what was missed. A notice has an id made of what it tells; whoever
is told twice can know.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from tallygate.core.gate import Partition
from tallygate.core.limit_use import limit_use
from tallygate.core.lines import format_timestamp
from tallygate.core.names import DAY_PERIOD, HOUR_SK, MONTH_SK, Kind, pk_of
from tallygate.core.periods import day_of, hour_of, period_of, start_ms_of, window_bounds_ms
from tallygate.core.plans import COUNTED_WINDOWS, Limit, Plan, Policy, Window
from tallygate.core.usage import HomeUsage, Usage

LEVELS: Final = frozenset({*range(5, 501, 5), *range(91, 100)})
"""Percentages that are marks of every quota. A soft limit may be used beyond 100 %."""
ID_PREFIX: Final = "ntc_"
ID_HEX_CHARS: Final = 32
VERSION: Final = 1
"""Of the document: grows when a field goes or means something else. Fields may be added without."""
SOURCE: Final = "tallygate"
DETAIL_TYPE: Final = "Quota Level Reached"
"""What the events say of themselves."""


class Subject(NamedTuple):
    """Whom a notice is about. Of a key, `owner` is whose it is and `key` the newest of its line of rotations, which is
    counted as the first."""

    kind: Kind
    value: str
    owner: str | None = None
    key: str | None = None

    @property
    def pk(self) -> str:
        return pk_of(self.kind, self.value)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a caller when a change is looked at: the plans that govern it (one, but for an owner whose keys
    are on several) and its partition of the gate, rows of periods that are over included."""

    subject: Subject
    plans: tuple[Plan, ...]
    partition: Partition


@dataclass(frozen=True, slots=True)
class Change:
    """What a home published anew of the caller `pk`. `days` are those of the month on which it counted more than it had
    published before."""

    kind: Kind
    value: str
    row: HomeUsage
    days: frozenset[int] = frozenset()

    @property
    def hour_before(self) -> str | None:
        """The hour before the one that the row counts, which a rolling limit counts too; None when it counts a
        month."""
        return hour_of(start_ms_of(HOUR_SK + self.row.hour) - 1) if self.row.hour else None


@dataclass(frozen=True, slots=True)
class Notice:
    """`used` of the quota of `limit`, top-ups included, at `as_of_ms`, in `period` (`day#2026-11-20`). A `test` says
    nothing about anybody: it carries its own id in place of what it would tell."""

    subject: Subject
    plan: str
    limit: Limit
    level: int
    period: str
    used: int
    as_of_ms: int
    test: str | None = None

    @property
    def place(self) -> str:
        """What it tells, in its month: the same for every notice of the same."""
        return f"{self.subject.pk}#{self.period}#{self.limit.name}#{self.level:03d}"

    @property
    def month(self) -> str:
        """The month in which the period began, as `2026-11`."""
        return day_of(start_ms_of(self.period)).month

    def id(self, service: str, stage: str) -> str:
        """The same for the same identifier, limit, period and level of a stage, and for nothing else: whatever plan
        the caller is on, and whatever the quota is by now."""
        told = [service, stage, self.subject.kind, self.subject.value, self.period, self.limit.name, self.level]
        told += [self.test] if self.test is not None else []
        digest = hashlib.sha256(json.dumps(told).encode())
        return ID_PREFIX + digest.hexdigest()[:ID_HEX_CHARS]

    def document(self, service: str, stage: str) -> dict[str, Any]:
        """The event's `detail`, as JSON values. docs/notices.md has its schema."""
        limit, subject = self.limit, self.subject
        start_ms, end_ms = window_bounds_ms(limit.window, start_ms_of(self.period))
        return {
            "id": self.id(service, stage),
            "version": VERSION,
            "test": self.test is not None,
            "service": service,
            "stage": stage,
            "kind": subject.kind,
            "value": subject.value,
            "owner": subject.owner,
            "key": subject.key,
            "plan": self.plan,
            "limit": limit.name,
            "window": limit.window,
            "rolling": limit.rolling,
            "soft": limit.soft,
            "level": self.level,
            "quota": limit.quota,
            "used": self.used,
            "as_of": format_timestamp(self.as_of_ms),
            "period": {
                "name": self.period.partition("#")[2],
                "start": format_timestamp(start_ms),
                "end": format_timestamp(end_ms),
            },
            "text": self.text(service, stage),
        }

    def text(self, service: str, stage: str) -> str:
        """The same in a sentence, for people."""
        subject, limit = self.subject, self.limit
        whose = f" of {subject.owner}" if subject.kind == "key" and subject.owner else ""
        name = {"key": "key", "owner": "owner", "ip": "address", "ref": "site"}[subject.kind]
        test = "This is a test. " if self.test is not None else ""
        return (
            f"{test}{service} {stage}: {name} {subject.value}{whose} has used {self.used:,} of {limit.quota:,} units, "
            f"{self.level} % or more, of its {'soft ' * limit.soft}limit by the {limit.window} "
            f"({limit.name}, {self.period.partition('#')[2]}, plan {self.plan})."
        )


def kinds_watched(plans: Iterable[Plan]) -> frozenset[Kind]:
    """Kinds of identifiers of which something might be told. Keys may have limits of their own, of which no plan
    knows."""
    found: set[Kind] = set()
    for plan in plans:
        found.update(limit.per for _, limit, _ in _watched([plan]))
        if plan.notify_at and not plan.shadow and not plan.anonymous:
            found.add("key")
    return frozenset(found)


def changed_days(before: HomeUsage | None, after: HomeUsage) -> frozenset[int]:
    """The days of the month on which `after` has more than what was published `before` it."""
    told: Mapping[int, int] = before.days if before is not None else {}
    return frozenset(day for day, units in after.days.items() if units > told.get(day, 0))


def notices_of(changes: Iterable[Change], known: Known) -> Iterator[Notice]:
    """Every level that is reached, of each limit that the changes of a caller count for, be it told already or not.

    What a home published is taken from its change and what the others did from the gate: the last of several that
    change finds all of them there. A rolling limit is reckoned at the time of the count, so that a repetition finds the
    same; of a period that is over, at its end."""
    watched = [each for each in _watched(known.plans) if each.limit.per == known.subject.kind]
    for change in changes:
        others = [row for row in known.partition.homes if _place(row) != _place(change.row)]
        usage = Usage((*others, change.row), (), known.partition.adjustments)
        for plan, limit, levels in watched:
            for at_ms in _times_ms(change, limit.window):
                use = limit_use(limit, usage, at_ms)
                reached = [level for level in levels if use.used * 100 >= use.quota * level]
                if reached:
                    period = period_of(limit.window, at_ms)
                    as_it_stands = replace(limit, quota=use.quota)
                    for level in reached:
                        yield Notice(known.subject, plan, as_it_stands, level, period, use.used, change.row.at_ms)


class _Watched(NamedTuple):
    plan: str
    limit: Limit
    levels: tuple[int, ...]


def _watched(plans: Iterable[Plan]) -> list[_Watched]:
    """Limits whose levels are told. Where several plans have the same, the tightest: that of an owner whose keys are on
    several; at the levels of all of them that are as tight. Of a plan in shadow nothing is told: nobody is held to
    it."""
    found: dict[tuple[Kind, Policy], _Watched] = {}
    for plan in plans:
        for limit in plan.limits if plan.notify_at and not plan.shadow else ():
            other = found.get((limit.per, limit.policy))
            if limit.window not in COUNTED_WINDOWS:
                continue
            if other is None or limit.quota < other.limit.quota:
                found[limit.per, limit.policy] = _Watched(plan.name, limit, plan.notify_at)
            elif limit.quota == other.limit.quota:
                levels = tuple(sorted({*other.levels, *plan.notify_at}))
                found[limit.per, limit.policy] = other._replace(levels=levels)
    return list(found.values())


def _place(row: HomeUsage) -> tuple[str, str, str]:
    return row.home, row.month, row.hour


def _times_ms(change: Change, window: Window) -> Iterator[int]:
    """A time in each period of `window` in which the change counts."""
    row = change.row
    if (window == "hour") != bool(row.hour):
        return
    match window:
        case "hour":
            periods = [f"{HOUR_SK}{row.hour}"]
        case "day":
            periods = [f"{DAY_PERIOD}{row.month}-{day:02d}" for day in sorted(change.days)]
        case _:
            periods = [f"{MONTH_SK}{row.month}"]
    for period in periods:
        start_ms, end_ms = window_bounds_ms(window, start_ms_of(period))
        yield min(max(row.at_ms, start_ms), end_ms - 1)
