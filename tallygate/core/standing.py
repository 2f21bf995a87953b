"""The limits of one call as they stand: quota and top-ups, the baselines of the last resets, and what the window before
still weighs. Whoever decides tells them to whoever counts, in terms of what its home counts in the current window."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from tallygate.core.adjustments import Allowance
from tallygate.core.names import Kind
from tallygate.core.periods import window_bounds_ms
from tallygate.core.plans import POLICIES, Caps, Plan, Policy, Window
from tallygate.core.usage import Usage, weighs_before

Bases = Mapping[Kind, Mapping[Window, Mapping[str, int]]]
"""Baselines of one call's identifiers in the current windows in units, by home; only those that there are."""


class Before(NamedTuple):
    """The window before, of a rolling limit: units of it that still weigh, as far as they are published, and its
    adjustments, by which they were reckoned."""

    weighs: int
    allowance: Allowance


Befores = Mapping[Kind, Mapping[Policy, Before]]
"""An entry for every rolling limit, and for no other."""


class Standing(NamedTuple):
    """`caps` are limits with their top-ups. A rolling limit leaves less of its cap: see `before`."""

    caps: Caps
    bases: Bases
    before: Befores


NO_LIMITS: Final = Standing({}, {}, {})
"""Of a call that no plan governs."""


def standing_limits(plan: Plan, usages: Mapping[Kind, Usage], at_ms: int) -> Standing:
    """The limits of `plan` that homes count for, or publish a rate for, of each kind in `usages`."""
    caps: dict[Kind, dict[Policy, int]] = {}
    bases: dict[Kind, dict[Window, dict[str, int]]] = {}
    before: dict[Kind, dict[Policy, Before]] = {}
    for limit in plan.limits:
        usage = usages.get(limit.per)
        if usage is None:
            continue
        allowance = usage.adjustments.allowance(limit.window, at_ms)
        caps.setdefault(limit.per, {})[limit.policy] = limit.quota + allowance.extra
        if allowance.bases:
            units = {home: baseline.units for home, baseline in allowance.bases.items()}
            bases.setdefault(limit.per, {})[limit.window] = units
        if limit.rolling:
            start_ms, _ = window_bounds_ms(limit.window, at_ms)
            past = usage.adjustments.allowance(limit.window, start_ms - 1)
            weighs = weighs_before(usage.homes, limit.window, at_ms, past)
            before.setdefault(limit.per, {})[limit.policy] = Before(weighs, past)
    return Standing(caps, bases, before)


def marked_caps(standing: Standing, home: str) -> Caps:
    """The caps of a usage line: limits in terms of what `home` counts in the current window, so that its marks lie in
    what is left since the reset and beside what the window before weighs, and one of them at the limit itself."""
    caps, bases, before = standing
    marked: dict[Kind, dict[Policy, int]] = {}
    for kind, policies in caps.items():
        for policy, cap in policies.items():
            past = before.get(kind, {}).get(policy)
            left = cap if past is None else max(1, cap - past.weighs)
            base = bases.get(kind, {}).get(POLICIES[policy], {}).get(home, 0)
            marked.setdefault(kind, {})[policy] = left + base
    return marked
