"""What came out of a replay: values, and the document that `--json` prints (docs/simulate-log.md has its shape)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tallygate.access_log.entry import Skipped
from tallygate.core.names import Kind
from tallygate.core.periods import HOUR_MS
from tallygate.core.plans import Limit, Plan, Window
from tallygate.sim.replay.quotas import Quota

STEPS_HOURS: Final = (1, 3, 6, 12, 24, 7 * 24, 30 * 24, 365 * 24)


@dataclass(frozen=True, slots=True)
class Hour:
    """Calls of one hour. `exactly_refused`: had counts been exact and at once."""

    at_ms: int
    calls: int
    refused: int
    exactly_refused: int


@dataclass(frozen=True, slots=True)
class LimitFinding:
    """What one limit did. `over`: calls let through although it was used up, by a soft limit with a warning; `worst` is
    the most units beyond the quota that one caller got in one window, `worst_value` that caller."""

    limit: Limit
    refused: int
    exactly_refused: int
    callers_refused: int
    first_refused_ms: int | None
    over: int
    worst: int
    worst_value: str

    @property
    def worst_percent(self) -> float:
        return 100 * self.worst / self.limit.quota


@dataclass(frozen=True, slots=True)
class CallerFinding:
    """A caller whose own limits refused calls."""

    kind: Kind
    value: str
    calls: int
    refused: int
    exactly_refused: int
    first_refused_ms: int | None
    over: int
    early: int


@dataclass(frozen=True, slots=True)
class KindFinding:
    """Callers of one kind: how many, how many of them were refused, and what other quotas would have done, by window:
    for some shares of the callers, and as (quota, callers refused) from 1 up to the quota that refuses nobody."""

    kind: Kind
    callers: int
    callers_refused: int
    calls: int
    quotas: Mapping[Window, Sequence[Quota]]
    curves: Mapping[Window, Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class PlanFindings:
    """What a plan did. `left_out` are calls that it does not govern. `over` are calls let through although a quota was
    used up, `early` those refused although none was: both for the delay of counting. `unfollowed`: calls decided
    by exact counts, since too many callers were near a quota at once."""

    plan: Plan
    calls: int
    left_out: int
    refused: int
    exactly_refused: int
    first_refused_ms: int | None
    over: int
    early: int
    unfollowed: int
    limits: Sequence[LimitFinding]
    kinds: Sequence[KindFinding]
    top: Sequence[CallerFinding]
    hours: Sequence[Hour]

    @property
    def admitted(self) -> int:
        return self.calls - self.refused


@dataclass(frozen=True, slots=True)
class LogFindings:
    """What was read. `late` calls came too late to be put in their place, the latest by `latest_ms`; `was_429` were
    refused by the log's own server."""

    names: Sequence[str]
    lines: int
    calls: int
    unreadable: int
    first_unreadable: Sequence[tuple[str, Skipped]]
    first_ms: int | None
    last_ms: int | None
    window_ms: int
    late: int
    latest_ms: int
    was_429: int


@dataclass(frozen=True, slots=True)
class Findings:
    """All of it. `is_complete` is false when reading was interrupted."""

    log: LogFindings
    delays: str
    regions: Sequence[str]
    plans: Sequence[PlanFindings]
    is_complete: bool = True

    def document(self) -> dict[str, Any]:
        log = self.log
        return {
            "complete": self.is_complete,
            "log": {
                "files": list(log.names),
                "lines": log.lines,
                "calls": log.calls,
                "first": iso(log.first_ms),
                "last": iso(log.last_ms),
                "unreadable": log.unreadable,
                "first_unreadable": [
                    {"file": name, "line": line.number, "reason": line.reason, "text": line.text}
                    for name, line in log.first_unreadable
                ],
                "order": {
                    "window_seconds": log.window_ms / 1000,
                    "late": log.late,
                    "latest_seconds": log.latest_ms / 1000,
                },
                "answered_429": log.was_429,
            },
            "delays": self.delays,
            "regions": list(self.regions),
            "plans": [_plan(found) for found in self.plans],
        }


def steps(hours: Sequence[Hour], most: int) -> tuple[list[Hour], int]:
    """Hours put together so that `most` or fewer are left, and of how many each is made."""
    span = (hours[-1].at_ms - hours[0].at_ms) // HOUR_MS + 1 if hours else 1
    step = next((step for step in STEPS_HOURS if span <= step * most), STEPS_HOURS[-1])
    sums: dict[int, list[int]] = {}
    for hour in hours:
        row = sums.setdefault(hour.at_ms // (step * HOUR_MS) * step * HOUR_MS, [0, 0, 0])
        for place, number in enumerate((hour.calls, hour.refused, hour.exactly_refused)):
            row[place] += number
    return [Hour(at_ms, *row) for at_ms, row in sums.items()], step


def percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 4) if whole else 0.0


def iso(at_ms: int | None) -> str | None:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat().replace("+00:00", "Z") if at_ms is not None else None


def _plan(found: PlanFindings) -> dict[str, Any]:
    return {
        "plan": found.plan.name,
        "calls": found.calls,
        "left_out": found.left_out,
        "admitted": found.admitted,
        "refused": found.refused,
        "refused_percent": percent(found.refused, found.calls),
        "first_refused": iso(found.first_refused_ms),
        "exact": {"refused": found.exactly_refused},
        "over": found.over,
        "early": found.early,
        "decided_exactly": found.unfollowed,
        "limits": [_limit(each) for each in found.limits],
        "callers": [_kind(each) for each in found.kinds],
        "top": [_caller(each) for each in found.top],
        "hours": [
            {"at": iso(hour.at_ms), "calls": hour.calls, "refused": hour.refused, "exact_refused": hour.exactly_refused}
            for hour in found.hours
        ],
    }


def _limit(found: LimitFinding) -> dict[str, Any]:
    limit = found.limit
    return {
        "name": limit.name,
        "per": limit.per,
        "quota": limit.quota,
        "window": limit.window,
        "rolling": limit.rolling,
        "soft": limit.soft,
        "refused": found.refused,
        "exact_refused": found.exactly_refused,
        "callers_refused": found.callers_refused,
        "first_refused": iso(found.first_refused_ms),
        "over": found.over,
        "most_over": {
            "units": found.worst,
            "percent": round(found.worst_percent, 4),
            "caller": found.worst_value or None,
        },
    }


def _kind(found: KindFinding) -> dict[str, Any]:
    return {
        "per": found.kind,
        "callers": found.callers,
        "refused": found.callers_refused,
        "refused_percent": percent(found.callers_refused, found.callers),
        "quotas": {
            window: [
                {
                    "refuses_at_most_percent": quota.most_percent,
                    "quota": quota.quota,
                    "callers_refused": quota.callers_refused,
                    "calls_refused": quota.calls_refused,
                    "calls_refused_percent": percent(quota.calls_refused, found.calls),
                }
                for quota in quotas
            ]
            for window, quotas in found.quotas.items()
        },
    }


def _caller(found: CallerFinding) -> dict[str, Any]:
    return {
        "per": found.kind,
        "caller": found.value,
        "calls": found.calls,
        "refused": found.refused,
        "refused_percent": percent(found.refused, found.calls),
        "exact_refused": found.exactly_refused,
        "first_refused": iso(found.first_refused_ms),
        "over": found.over,
        "early": found.early,
    }
