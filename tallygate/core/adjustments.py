"""Adjustments: what was changed about a quota of an identifier in the current periods. Its counts stay what they are.

    used = Σ homes max(0, counted − baseline)        limit = quota + top-ups

A reset remembers what each home had charged by then: its baseline. Whatever a home counts after it, calls that were
still on their way included, is above the baseline and uses up the quota as it is from then on. A top-up adds to the
quota of one period.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tallygate.core.periods import DAY_MS, period_of, window_bounds_ms
from tallygate.core.plans import COUNTED_WINDOWS, Window

MAX_TOP_UPS: Final = 100
"""Of one identifier in one period: every call reads them, and 4 KB are a read unit."""
MAX_ID_CHARS: Final = 40
_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:-]{{0,{MAX_ID_CHARS - 1}}}", re.ASCII)


class Baseline(NamedTuple):
    """What a home had charged in a period when it was reset; calls that arrived by `at_ms` are in it."""

    units: int = 0
    at_ms: int = 0


class TopUp(NamedTuple):
    """Units beyond the quota. The same `id` twice is the same top-up, however often somebody asks for it."""

    id: str
    units: int


class IdTakenError(ValueError):
    """Another top-up has this id."""

    def __init__(self, id: str, units: int, period: str) -> None:
        super().__init__(f"{id} is a top-up of {units} in {period}")
        self.id, self.units, self.period = id, units, period


class TooManyTopUpsError(ValueError):
    """The period has MAX_TOP_UPS already."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """The adjustments of one period: baselines by home, and units beyond the quota."""

    bases: Mapping[str, Baseline] = field(default_factory=dict)
    extra: int = 0

    def base(self, home: str) -> Baseline:
        return self.bases.get(home, Baseline())

    def used(self, home: str, counted: int) -> int:
        """What is used of the quota, where `home` counted so much. A published count may lie below the baseline, which
        is exact: it then says nothing about the other homes."""
        return max(0, counted - self.base(home).units)


@dataclass(frozen=True, slots=True)
class Adjustments:
    """Those of one identifier, by period (`month#2026-11`): baselines by home, and top-ups by id."""

    bases: Mapping[str, Mapping[str, Baseline]] = field(default_factory=dict)
    extras: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def allowance(self, window: Window, at_ms: int) -> Allowance:
        """The adjustments of the period of `window` that holds `at_ms`."""
        if not self.bases and not self.extras:
            return UNCHANGED
        period = period_of(window, at_ms)
        return Allowance(self.bases.get(period, {}), sum(self.extras.get(period, {}).values()))

    def reset(self, counted: Mapping[str, Mapping[str, Baseline]], now_ms: int) -> "Adjustments":
        """With new baselines: `counted` is what each home had charged in each period that is forgiven, the one before
        the current one among them where a limit rolls. A baseline never goes down: of two resets at the same time, the
        one that forgives more stands."""
        kept = self._kept(now_ms)
        bases = dict(kept.bases)
        for period, homes in counted.items():
            stored = bases.get(period, {})
            raised = {home: max(stored.get(home, base), base) for home, base in homes.items() if base.units}
            if raised:
                bases[period] = {**stored, **raised}
        return Adjustments(bases, kept.extras)

    def topped_up(self, window: Window, top_up: TopUp, now_ms: int) -> "Adjustments":
        """With a top-up of the current period; unchanged when it is in already. An id is remembered for a day after its
        period, so that a repetition across midnight is one. Raises IdTakenError, TooManyTopUpsError."""
        kept = self._kept(now_ms)
        for period, top_ups in kept.extras.items():
            units = top_ups.get(top_up.id)
            if units is not None:
                if units != top_up.units or not period.startswith(f"{window}#"):
                    raise IdTakenError(top_up.id, units, period)
                return self
        period = period_of(window, now_ms)
        top_ups = {**kept.extras.get(period, {}), top_up.id: top_up.units}
        if len(top_ups) > MAX_TOP_UPS:
            raise TooManyTopUpsError(period)
        return Adjustments(kept.bases, {**kept.extras, period: top_ups})

    def document(self) -> dict[str, dict[str, dict[str, int]]]:
        """Units by period, as JSON tells them."""
        bases = {period: {home: base.units for home, base in homes.items()} for period, homes in self.bases.items()}
        return {"baselines": bases, "top_ups": {period: dict(top_ups) for period, top_ups in self.extras.items()}}

    def _kept(self, now_ms: int) -> "Adjustments":
        """Those of the current periods, of the ones before, which rolling limits still count, and of a day ago: others
        have been over for a day at least."""
        periods = set()
        for window in COUNTED_WINDOWS:
            start_ms, _ = window_bounds_ms(window, now_ms)
            periods |= {period_of(window, at_ms) for at_ms in (now_ms, start_ms - 1)}
            periods |= {period_of(window, now_ms - DAY_MS)}
        return Adjustments(
            {period: homes for period, homes in self.bases.items() if period in periods},
            {period: top_ups for period, top_ups in self.extras.items() if period in periods},
        )


UNCHANGED: Final = Allowance()
UNADJUSTED: Final = Adjustments()


def is_top_up_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None
