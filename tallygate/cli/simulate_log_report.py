"""How `tallygate simulate log` tells people what it found."""

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tallygate.access_log.entry import printable
from tallygate.cli.output import table
from tallygate.sim.replay.findings import Findings, KindFinding, PlanFindings, steps
from tallygate.sim.replay.quotas import Quota
from tallygate.sim.replay.words import KIND_NAMES, limit_words, log_lines, moment, plan_lines, share

MOST_ROWS: Final = 24
"""Of calls over time: more are put together."""


def show(found: Findings, out: Console) -> None:
    """Print what was read, and for each plan what it would have done."""
    for line in log_lines(found.log):
        out.print(line, soft_wrap=True)
    for name, skipped in found.log.first_unreadable:
        file = f"{printable(name)}, " if len(found.log.names) > 1 else ""
        text = f"  {file}line {skipped.number}: {skipped.reason}: {skipped.text}"
        out.print(Text(text, "dim"), no_wrap=True, overflow="ellipsis")
    if len(found.plans) > 1:
        out.print()
        out.print(_comparison(found))
    for plan in found.plans:
        out.print()
        _show_plan(plan, found.delays, out)


def _comparison(found: Findings) -> Table:
    rows = table("plan", "calls", "refused", "of calls", "exactly", "over", "early", title="The plans")
    for plan in found.plans:
        numbers = (plan.exactly_refused, plan.over, plan.early)
        refused = f"{plan.refused:,}", share(plan.refused, plan.calls)
        rows.add_row(plan.plan.name, f"{plan.calls:,}", *refused, *(f"{number:,}" for number in numbers))
    return rows


def _show_plan(found: PlanFindings, delays: str, out: Console) -> None:
    out.print(Text(f"Plan {found.plan.name}", "bold"))
    for line in plan_lines(found, delays):
        out.print(line, soft_wrap=True)
    if not found.calls:
        return
    out.print()
    out.print(_limits(found))
    if found.top:
        out.print()
        out.print(_top(found))
    if found.refused:
        out.print()
        out.print(_over_time(found))
    for kind in found.kinds:
        name = f"{kind.callers:,} {KIND_NAMES[kind.kind]}"
        out.print(Text(f"\nThe quota that refuses so many of {name} (and so many of their calls)"), soft_wrap=True)
        out.print(_quotas(kind))


def _limits(found: PlanFindings) -> Table:
    rows = table("limit", "callers", "refused", "calls", "exactly", "over", "most", "<first")
    callers = {kind.kind: kind.callers for kind in found.kinds}
    for limit in found.limits:
        rows.add_row(
            limit_words(limit.limit),
            f"{callers[limit.limit.per]:,}",
            f"{limit.callers_refused:,}",
            f"{limit.refused:,}",
            f"{limit.exactly_refused:,}",
            f"{limit.over:,}",
            f"+{limit.worst_percent:.1f} %" if limit.worst else "–",
            moment(limit.first_refused_ms)[5:16],
        )
    return rows


def _top(found: PlanFindings) -> Table:
    rows = table("refused most", "calls", "refused", "of theirs", "exactly", "over", "<first")
    for caller in found.top:
        rows.add_row(
            f"{caller.kind} {printable(caller.value)}",
            f"{caller.calls:,}",
            f"{caller.refused:,}",
            share(caller.refused, caller.calls),
            f"{caller.exactly_refused:,}",
            f"{caller.over:,}",
            moment(caller.first_refused_ms)[5:16],
        )
    return rows


def _over_time(found: PlanFindings) -> Table:
    hours, step = steps(found.hours, MOST_ROWS)
    unit = f"{step} h" if step < 24 else f"{step // 24} d"
    rows = table(f"from (UTC), each {unit}", "calls", "refused", "of calls", "exactly")
    for hour in hours:
        refused = f"{hour.refused:,}", share(hour.refused, hour.calls)
        rows.add_row(moment(hour.at_ms)[:16], f"{hour.calls:,}", *refused, f"{hour.exactly_refused:,}")
    return rows


def _quotas(found: KindFinding) -> Table:
    """For each window, the quota that refuses so many callers, and how many calls with them."""
    shares = [quota.most_percent for quota in next(iter(found.quotas.values()), [])]
    titles = [f"≤ {percent:g} %" if percent else "nobody" for percent in shares]
    rows = table("a quota per", *titles)
    for window, quotas in found.quotas.items():
        rows.add_row(f"{found.kind} and {window}", *(_quota(quota, found.calls) for quota in quotas))
    return rows


def _quota(quota: Quota, calls: int) -> str:
    return f"{quota.quota:,} ({share(quota.calls_refused, calls)})" if quota.calls_refused else f"{quota.quota:,}"
