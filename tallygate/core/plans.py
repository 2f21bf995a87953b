"""Plans: what a caller may use. Values only; where they come from (tallygate.toml, the gate) is not known here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from tallygate.core.names import Kind

Window = Literal["day", "month"]
WINDOWS: Final[tuple[Window, ...]] = get_args(Window)
OnUnavailable = Literal["allow", "deny"]
ON_UNAVAILABLE: Final[tuple[OnUnavailable, ...]] = get_args(OnUnavailable)

Caps = Mapping[Kind, Mapping[Window, int]]
"""Limits of one call with their top-ups, in units: `{"key": {"month": 100000}}`. With the baselines of its home
(`adjustments.marked_caps`) they travel in the usage line, so that the consumer knows every mark without a read."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `quota` units per identifier of kind `per` in each calendar `window` (UTC)."""

    per: Kind
    quota: int
    window: Window

    @property
    def name(self) -> str:
        """Name of the policy in headers and problem bodies, e.g. `ip-day`."""
        return f"{self.per}-{self.window}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A named set of limits. The one plan with `anonymous` governs calls without a key, per IP and per Referer; all
    others govern keys. `on_unavailable` says what happens when usage cannot be read and no recent snapshot is left."""

    name: str
    limits: tuple[Limit, ...]
    anonymous: bool = False
    on_unavailable: OnUnavailable = "allow"

    def caps(self) -> dict[Kind, dict[Window, int]]:
        caps: dict[Kind, dict[Window, int]] = {}
        for limit in self.limits:
            caps.setdefault(limit.per, {})[limit.window] = limit.quota
        return caps


def strictest_on_unavailable(plans: Iterable[Plan]) -> OnUnavailable | None:
    """What holds for a caller who is on one of `plans` and nobody knows which: `deny` if any says so; None when there
    is no plan."""
    answers = {plan.on_unavailable for plan in plans}
    return "deny" if "deny" in answers else "allow" if answers else None
