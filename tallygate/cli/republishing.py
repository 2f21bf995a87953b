"""Looking at the callers whose limits change, and telling the regions anew what they used."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import track

from tallygate.aws.callers import Callers
from tallygate.aws.plan_reader import InForce
from tallygate.aws.plan_store import PlanStore
from tallygate.cli.failures import Failure
from tallygate.cli.output import console, table
from tallygate.cli.target import Target
from tallygate.core.key_profile import KeyProfile
from tallygate.core.names import Kind
from tallygate.core.publish import Publication
from tallygate.core.republish import Group


@dataclass(slots=True)
class Touched:
    """Callers of one kind that passed a mark, by the limits before or after: how many, how many had no room left, how
    many have none; and how many are behind in the gate by the new marks."""

    callers: int = 0
    were_over: int = 0
    are_over: int = 0
    behind: int = 0


@dataclass(slots=True)
class Survey:
    """What a change of limits means for its callers at this moment, and the publications that it calls for."""

    touched: dict[Kind, Touched] = field(default_factory=dict)
    due: list[Publication] = field(default_factory=list)

    def print(self, out: Console) -> None:
        if not self.touched:
            return
        rows = table("callers whose limits change", "used some of it", "were over", "are over", "to be published")
        for kind, touched in self.touched.items():
            numbers = (touched.callers, touched.were_over, touched.are_over, touched.behind)
            rows.add_row(f"per {kind}", *(f"{number:,}" for number in numbers))
        out.print(rows)

    def document(self) -> dict[str, Any]:
        return {
            kind: {
                "callers": touched.callers,
                "were_over": touched.were_over,
                "are_over": touched.are_over,
                "behind": touched.behind,
            }
            for kind, touched in self.touched.items()
        }


def in_force(store: PlanStore) -> InForce:
    """Failure when a version that knows more has applied what is in force."""
    try:
        return store.in_force()
    except (KeyError, TypeError, ValueError) as error:
        raise Failure(f"a newer version has applied plans that this one cannot read: {error}") from None


def callers_of(target: Target) -> Callers:
    mode = target.config.service.publish
    return Callers(target.every_home, target.administrative_client, target.names, mode)


def retell_key(target: Target, before: KeyProfile, after: KeyProfile, now_ms: int) -> tuple[Survey, int]:
    """After a key was changed: what that means for its limits, and how many counts were told anew."""
    plans = in_force(PlanStore(target.administrative_client, target.names.gate_table)).plans
    was = next((plan.overridden(before.overrides) for plan in plans if plan.name == before.plan), None)
    new = next((plan.overridden(after.overrides) for plan in plans if plan.name == after.plan), None)
    if new is None or was == new:
        return Survey(), 0
    callers = callers_of(target)
    groups = [Group("key", was, new, (after.counted_under,)), Group("owner", was, new, (after.owner,))]
    found = survey(callers, [group for group in groups if group.is_changed], now_ms)
    return found, callers.publish(found.due)


def survey(callers: Callers, groups: Sequence[Group], now_ms: int) -> Survey:
    """Look at everybody in `groups`; on a terminal with a bar."""
    found = Survey()
    out = console(stderr=True)
    for group in groups:
        touched = found.touched.setdefault(group.kind, Touched())
        with out.status(f"looking for callers per {group.kind} …"):
            values = callers.find(group, now_ms)
        assessed = callers.assess(group, values, now_ms)
        for assessment in track(
            assessed,
            f"callers per {group.kind}",
            total=len(values),
            console=out,
            transient=True,
            disable=not out.is_terminal,
        ):
            touched.callers += assessment.is_touched
            touched.were_over += assessment.was_over
            touched.are_over += assessment.is_over
            touched.behind += bool(assessment.due)
            found.due += assessment.due
    return found
