"""What applying plans changes, told plan by plan and limit by limit."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from tallygate.core.plans import Limit, Plan
from tallygate.core.routes import Routes

ChangeKind = Literal["added", "removed", "changed"]


class Difference(NamedTuple):
    """One part of a plan, in words for people; None where there was or is none."""

    part: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class PlanChange:
    """A plan as it is in force and as it will be; None where there is or will be none."""

    name: str
    before: Plan | None
    after: Plan | None

    @property
    def kind(self) -> ChangeKind:
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    def differences(self) -> list[Difference]:
        """Its limits by name, then what else it says."""
        before, after = self.before or _NONE, self.after or _NONE
        was, new = ({limit.name: words_of(limit) for limit in plan.limits} for plan in (before, after))
        found = [Difference(name, was.get(name), new.get(name)) for name in dict.fromkeys((*was, *new))]
        found += [
            Difference(part, *(None if plan is None else words(plan) for plan in (self.before, self.after)))
            for part, words in _SETTINGS.items()
        ]
        changed = [each for each in found if each.before != each.after]
        return changed or [Difference("order of limits", ", ".join(was), ", ".join(new))]


def plan_changes(before: Iterable[Plan], after: Iterable[Plan]) -> list[PlanChange]:
    """Every plan that is not the same in both, by name."""
    was, new = ({plan.name: plan for plan in plans} for plans in (before, after))
    return [
        PlanChange(name, was.get(name), new.get(name))
        for name in sorted({*was, *new})
        if was.get(name) != new.get(name)
    ]


def route_changes(before: Routes, after: Routes) -> list[Difference]:
    """Every pattern whose calls weigh otherwise."""
    return [
        Difference(pattern, *(None if units is None else f"{units:,}" for units in (was, new)))
        for pattern in sorted({*before.units, *after.units})
        if (was := before.units.get(pattern)) != (new := after.units.get(pattern))
    ]


def words_of(limit: Limit) -> str:
    """A limit without its name: `1,000, rolling`."""
    return f"{limit.quota:,}{', rolling' * limit.rolling}"


def levels_in_words(levels: Iterable[int]) -> str:
    """`80 %, 100 %`."""
    return ", ".join(f"{level} %" for level in levels)


_NONE: Final = Plan("", ())
_SETTINGS: Final[Mapping[str, Callable[[Plan], str | None]]] = {
    "governs": lambda plan: "calls without a key" if plan.anonymous else None,
    "burst": lambda plan: None if plan.burst is None else f"{plan.burst:,}",
    "shadow": lambda plan: "refuses nobody" if plan.shadow else None,
    "on_unavailable": lambda plan: plan.on_unavailable,
    "notify_at": lambda plan: levels_in_words(plan.notify_at) or None,
}
