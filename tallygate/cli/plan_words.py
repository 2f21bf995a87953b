"""Plans and what changes of them, for people and for programs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console

from tallygate.cli.output import table
from tallygate.core.plan_changes import Difference, PlanChange, levels_in_words
from tallygate.core.plans import Limit, Plan
from tallygate.core.routes import Routes

NO_PLANS = "No plans: `tallygate plans apply` writes those of the configuration."


def print_plans(out: Console, plans: Iterable[Plan]) -> None:
    rows = table("plan", "<for", "<limits", "<when usage cannot be read")
    for plan in plans:
        rows.add_row(plan.name, _who(plan), _limits(plan), plan.on_unavailable)
    out.print(rows if rows.row_count else NO_PLANS)


def print_changes(out: Console, changes: Iterable[PlanChange], keys_on: Mapping[str, int]) -> None:
    """Each plan that changes, and of it each part that does. `keys_on`: keys on plans that go."""
    for change in changes:
        keys = keys_on.get(change.name, 0)
        out.print(f"{change.name}: {change.kind}" + (f", with {_keys(keys)} on it" if keys else ""))
        rows = table("", "", "<", "<")
        rows.show_header = False
        for part, before, after in change.differences():
            rows.add_row(f"  {part}", before or "-", "→", after or "-")
        out.print(rows)


def print_route_changes(out: Console, differences: Sequence[Difference]) -> None:
    if not differences:
        return
    out.print("routes, in units for a call:")
    rows = table("", "", "<", "<")
    rows.show_header = False
    for part, before, after in differences:
        rows.add_row(f"  {part}", before or "1", "→", after or "1")
    out.print(rows)


def print_routes(out: Console, routes: Routes) -> None:
    if not routes.units:
        return
    rows = table("route", "units")
    for pattern, units in sorted(routes.units.items()):
        rows.add_row(pattern, f"{units:,}" if units else "free")
    out.print()
    out.print(rows)


def plan_document(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "anonymous": plan.anonymous,
        "limits": [limit_document(limit) for limit in plan.limits],
        "on_unavailable": plan.on_unavailable,
        "burst": plan.burst,
        "shadow": plan.shadow,
        "notify_at": list(plan.notify_at),
    }


def limit_document(limit: Limit) -> dict[str, Any]:
    return {
        "per": limit.per,
        "quota": limit.quota,
        "window": limit.window,
        "rolling": limit.rolling,
        "soft": limit.soft,
    }


def change_document(change: PlanChange, keys_on: Mapping[str, int]) -> dict[str, Any]:
    before, after = (None if plan is None else plan_document(plan) for plan in (change.before, change.after))
    keys = {"keys": keys_on[change.name]} if change.name in keys_on else {}
    return {"plan": change.name, "change": change.kind, "before": before, "after": after, **keys}


def _keys(number: int) -> str:
    return "1 key" if number == 1 else f"{number:,} keys"


def _who(plan: Plan) -> str:
    whose = "calls without a key" if plan.anonymous else "keys"
    return f"{whose}, in shadow" if plan.shadow else whose


def _limits(plan: Plan) -> str:
    limits = [
        f"{limit.quota:,} per {limit.per} and {'rolling ' * limit.rolling}{limit.window}{' (warns only)' * limit.soft}"
        for limit in plan.limits
    ]
    limits += [f"{plan.burst:,} at once"] if plan.burst is not None else []
    notices = f"; notices at {levels_in_words(plan.notify_at)}" if plan.notify_at else ""
    return ", ".join(limits) + notices
