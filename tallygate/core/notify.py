"""Telling operators: changes of what homes published, in whatever order and however often they come, into events that
are each told at least once.

First the event is put on the bus, then it is remembered as told: who dies between the two tells it again, with the same
id. What cannot be told for now raises, when all else is told, and the same changes come again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tallygate.core.names import Kind
from tallygate.core.notices import Change, Known, Notice, kinds_watched, notices_of
from tallygate.core.plans import Plan
from tallygate.core.tally import StoreError

MAX_EVENTS: Final = 10
"""Entries of one PutEvents (EventBridge API reference)."""


class WatchedGate(Protocol):
    """What is known of callers, as strongly consistent as the region whose changes are read has it. Raises StoreError
    as TallyStore does."""

    def plans(self) -> Mapping[str, Plan]:
        """The plans in force, by name."""
        ...

    def known(
        self, kind: Kind, value: str, from_hour: str | None, plans: Mapping[str, Plan], now_ms: int
    ) -> Known | None:
        """A caller with the rows of all months and of the hours from `from_hour` on (`2026-11-20T14`; of no hour when
        it is None), be they over or not; None for one that none of `plans` governs any more."""
        ...


class ToldStore(Protocol):
    """Which notices were told. Raises StoreError as TallyStore does."""

    def told(self, notices: Sequence[Notice]) -> set[str]:
        """The places of those that were."""
        ...

    def remember(self, notice: Notice, now_ms: int) -> None:
        """That it was told. The first time stands."""
        ...


class Bus(Protocol):
    """Where events go. Raises StoreError when it takes none for now."""

    def put(self, notices: Sequence[Notice]) -> list[bool]:
        """Put up to MAX_EVENTS events; whether each was taken."""
        ...


@dataclass(slots=True)
class Told:
    """What came of some changes: how many notices were told, and how many were known."""

    told: int = 0
    known: int = 0


class Notifier:
    """Tells what changes call for. Keeps nothing between calls."""

    def __init__(self, gate: WatchedGate, store: ToldStore, bus: Bus) -> None:
        self._gate = gate
        self._store = store
        self._bus = bus

    def notify(self, changes: Sequence[Change], now_ms: int) -> Told:
        """Tell what is due after `changes`. StoreError when a part of it could not be told: give them again."""
        due = self._due(changes, now_ms)
        told = self._store.told(due)
        new = [notice for notice in due if notice.place not in told]
        refused = 0
        for start in range(0, len(new), MAX_EVENTS):
            part = new[start : start + MAX_EVENTS]
            for notice, taken in zip(part, self._bus.put(part), strict=True):
                if taken:
                    self._store.remember(notice, now_ms)
                else:
                    refused += 1
        if refused:
            raise StoreError(f"the bus refused {refused} of {len(new)} events for now")
        return Told(len(new), len(due) - len(new))

    def _due(self, changes: Iterable[Change], now_ms: int) -> list[Notice]:
        """Every notice that these changes call for, once."""
        plans = self._gate.plans()
        watched = kinds_watched(plans.values())
        by_caller: dict[tuple[Kind, str], list[Change]] = {}
        for change in changes:
            if change.kind in watched:
                by_caller.setdefault((change.kind, change.value), []).append(change)
        due: dict[str, Notice] = {}
        for (kind, value), of_caller in by_caller.items():
            hours = [change.hour_before for change in of_caller if change.hour_before is not None]
            known = self._gate.known(kind, value, min(hours, default=None), plans, now_ms)
            if known is not None:
                due |= {notice.place: notice for notice in notices_of(of_caller, known)}
        return list(due.values())
