"""The page of a replay: one file, for any browser, that asks nobody for anything.

Identifiers, names of files and lines of a log are strangers' words: the pieces escape all that they are given, and
whatever slips through may run no script.
"""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from tallygate.core.periods import HOUR_MS
from tallygate.core.plans import Limit
from tallygate.sim.replay.findings import Findings, KindFinding, PlanFindings, steps
from tallygate.sim.replay.html import document, figure, paragraph, table, tiles
from tallygate.sim.replay.quotas import Quota
from tallygate.sim.replay.words import KIND_NAMES, limit_words, log_lines, moment, plan_lines, share

MOST_BARS: Final = 240


def page(found: Findings) -> str:
    """The page, in HTML."""
    charts: list[dict[str, Any]] = []
    body = _head(found)
    for place, plan in enumerate(found.plans):
        body += _plan(found, plan, place, charts)
    return document("What these quotas would have done", body, charts)


def _head(found: Findings) -> list[str]:
    log = found.log
    parts = [paragraph(", ".join(log.names), "quiet")]
    if not found.is_complete:
        parts.append(paragraph("Reading was interrupted: this is of the first lines only."))
    parts += [paragraph(line) for line in log_lines(log)]
    if log.first_unreadable:
        lines = "".join(
            f"<li>{escape(name)}, line {line.number}: {escape(line.reason)}: <code>{escape(line.text)}</code></li>"
            for name, line in log.first_unreadable
        )
        parts.append(f"<details><summary>Lines that cannot be read</summary><ul>{lines}</ul></details>")
    if len(found.plans) > 1:
        rows = [
            (
                plan.plan.name,
                f"{plan.calls:,}",
                f"{plan.refused:,}",
                share(plan.refused, plan.calls),
                f"{plan.exactly_refused:,}",
                f"{plan.over:,}",
                f"{plan.early:,}",
            )
            for plan in found.plans
        ]
        head = ("plan", "calls", "refused", "of calls", "by exact counts", "over", "early")
        parts.append(f'<section class="panel">{table("The plans beside each other", head, rows)}</section>')
    return parts


def _plan(found: Findings, plan: PlanFindings, place: int, charts: list[dict[str, Any]]) -> list[str]:
    numbers = [
        ("Calls", f"{plan.calls:,}", f"{plan.left_out:,} not governed by it" if plan.left_out else "held to this plan"),
        ("Refused", share(plan.refused, plan.calls), f"{plan.refused:,} calls"),
        *(
            (f"Refused {KIND_NAMES[kind.kind]}", f"{kind.callers_refused:,}", f"of {kind.callers:,}")
            for kind in plan.kinds
        ),
    ]
    if found.delays != "none":
        numbers.append(("Let over a quota", f"{plan.over:,}", "calls, since counts are late"))
    parts = [f"<h2>Plan {escape(plan.plan.name)}</h2>", paragraph(_limits_words(plan), "quiet"), tiles(numbers)]
    parts += [paragraph(line) for line in plan_lines(plan, found.delays)]
    if not plan.calls:
        return parts
    parts.append(f'<section class="panel">{_limits(plan)}</section>')
    parts.append(_over_time(plan, f"time-{place}", charts))
    if plan.top:
        parts.append(_most_refused(plan, f"callers-{place}", charts))
    for kind in plan.kinds:
        limits = [limit for limit in plan.plan.limits if limit.per == kind.kind]
        parts.append(_which_quota(kind, limits, f"quota-{place}-{kind.kind}", charts))
    return parts


def _limits_words(plan: PlanFindings) -> str:
    return "; ".join(limit_words(limit) for limit in plan.plan.limits)


def _limits(plan: PlanFindings) -> str:
    head = ("limit", "callers refused", "calls refused", "by exact counts", "over", "most over", "first refused, UTC")
    rows = [
        (
            limit_words(each.limit),
            f"{each.callers_refused:,}",
            f"{each.refused:,}",
            f"{each.exactly_refused:,}",
            f"{each.over:,}",
            f"{each.worst:,} ({each.worst_percent:.1f} %)" if each.worst else "–",
            moment(each.first_refused_ms),
        )
        for each in plan.limits
    ]
    return table("What each limit did", head, rows)


def _over_time(plan: PlanFindings, id: str, charts: list[dict[str, Any]]) -> str:
    hours, step = steps(plan.hours, MOST_BARS)
    unit = f"{step} h" if step < 24 else f"{step // 24} d"
    charts.append(
        {
            "kind": "over_time",
            "id": id,
            "step": "hour" if step == 1 else "day" if step == 24 else unit,
            "step_ms": step * HOUR_MS,
            "at": [moment(hour.at_ms) for hour in hours],
            "admitted": [hour.calls - hour.refused for hour in hours],
            "refused": [hour.refused for hour in hours],
        }
    )
    rows = [
        (
            moment(hour.at_ms)[:16],
            f"{hour.calls:,}",
            f"{hour.refused:,}",
            share(hour.refused, hour.calls),
            f"{hour.exactly_refused:,}",
        )
        for hour in hours
    ]
    head = (f"from (UTC), each {unit}", "calls", "refused", "of calls", "by exact counts")
    return figure(id, "When", "Calls admitted and refused, in UTC", table("Calls over time", head, rows), folded=True)


def _most_refused(plan: PlanFindings, id: str, charts: list[dict[str, Any]]) -> str:
    charts.append(
        {
            "kind": "most_refused",
            "id": id,
            "names": [escape(_shortened(f"{each.kind} {each.value}")) for each in plan.top],  # it reads tags in labels
            "admitted": [each.calls - each.refused for each in plan.top],
            "refused": [each.refused for each in plan.top],
        }
    )
    rows = [
        (
            f"{each.kind} {each.value}",
            f"{each.calls:,}",
            f"{each.refused:,}",
            share(each.refused, each.calls),
            f"{each.exactly_refused:,}",
            f"{each.over:,}",
            moment(each.first_refused_ms),
        )
        for each in plan.top
    ]
    head = ("caller", "calls", "refused", "of theirs", "by exact counts", "over", "first refused, UTC")
    caption = "Callers whose own quota refused most calls"
    return figure(id, "Who", caption, table("Callers refused most", head, rows))


def _shortened(text: str) -> str:
    return text if len(text) <= 28 else f"{text[:27]}…"


def _which_quota(kind: KindFinding, limits: Sequence[Limit], id: str, charts: list[dict[str, Any]]) -> str:
    charts.append(
        {
            "kind": "which_quota",
            "id": id,
            "quotas": [{"quota": limit.quota, "name": limit.name} for limit in limits],
            "lines": [
                {
                    "window": window,
                    "quota": [quota for quota, refused in curve if refused],
                    "percent": [round(100 * refused / kind.callers, 5) for _, refused in curve if refused],
                }
                for window, curve in kind.curves.items()
            ],
        }
    )
    shares = [quota.most_percent for quota in next(iter(kind.quotas.values()), [])]
    head = ("a quota per", *(f"refuses ≤ {percent:g} %" if percent else "refuses nobody" for percent in shares))
    rows = [
        (
            window,
            *(_quota(quota, kind.calls) for quota in quotas),
        )
        for window, quotas in kind.quotas.items()
    ]
    name = KIND_NAMES[kind.kind]
    caption = (
        f"How many of {kind.callers:,} {name} each quota would have refused at least once, counted exactly, as if it "
        "were the only one"
    )
    least = table(f"The least quota that refuses no more than so many {name}", head, rows)
    return figure(id, f"Which quota, for {name}", caption, least)


def _quota(quota: Quota, calls: int) -> str:
    refused = f" ({share(quota.calls_refused, calls)} of calls)" if quota.calls_refused else ""
    return f"{quota.quota:,}{refused}"
