"""Plans: what a caller may use. Values only; where they come from (tallygate.toml, the gate) is not known here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from tallygate.core.names import Kind

Window = Literal["second", "minute", "hour", "day", "month"]
WINDOWS: Final[tuple[Window, ...]] = ("minute", "hour", "day", "month")
"""Those that a limit may have. A second is that of a burst."""
COUNTED_WINDOWS: Final[tuple[Window, ...]] = ("hour", "day", "month")
"""Those that homes keep counts of. A minute is over soon after it was counted: each container goes by what it admitted
itself, and by how the month's count and its rate grow, of those who are fast enough to be published."""
CALLERS: Final[tuple[Kind, ...]] = ("key", "ip")
"""Kinds that are one caller: a Referer is many."""
Policy = Literal["burst", "minute", "hour", "day", "month", "minute-soft", "hour-soft", "day-soft", "month-soft"]
"""One limit among those of an identifier: its window, and whether it only warns."""
POLICIES: Final[Mapping[Policy, Window]] = {
    "burst": "second",
    "minute": "minute",
    "hour": "hour",
    "day": "day",
    "month": "month",
    "minute-soft": "minute",
    "hour-soft": "hour",
    "day-soft": "day",
    "month-soft": "month",
}
MAX_QUOTA: Final = 10**15
"""Far from the 38 digits of a DynamoDB number, and exact in a JSON reader that keeps numbers as doubles."""
OnUnavailable = Literal["allow", "deny"]
ON_UNAVAILABLE: Final[tuple[OnUnavailable, ...]] = get_args(OnUnavailable)


def is_soft(policy: Policy) -> bool:
    return policy.endswith("-soft")


HOUR_POLICIES: Final[frozenset[Policy]] = frozenset({"hour", "hour-soft"})
"""Those that have items and rows of their own: all others are told by the month's."""

Caps = Mapping[Kind, Mapping[Policy, int]]
"""Limits of one call with their top-ups, in units: `{"key": {"month": 100000, "day-soft": 8000}}`. With the baselines
of its home (`adjustments.marked_caps`) they travel in the usage line, so that the consumer knows every mark without a
read."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `quota` units per identifier of kind `per` in each calendar `window` (UTC). A `rolling` one also counts
    the window before, the less the more of this one has passed. A `soft` one warns, and never refuses."""

    per: Kind
    quota: int
    window: Window
    rolling: bool = False
    soft: bool = False

    @property
    def policy(self) -> Policy:
        if self.window == "second":
            return "burst"
        return _SOFT[self.window] if self.soft else self.window

    @property
    def name(self) -> str:
        """Name of the policy in headers and problem bodies, e.g. `ip-day`; of a soft one `ip-day-soft`. A plan has
        each name once."""
        return f"{self.per}-{self.policy}"


_SOFT: Final[Mapping[Window, Policy]] = {
    "minute": "minute-soft",
    "hour": "hour-soft",
    "day": "day-soft",
    "month": "month-soft",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A named set of limits. The one plan with `anonymous` governs calls without a key, per IP and per Referer; all
    others govern keys. `on_unavailable` says what happens when usage cannot be read and no recent snapshot is left.

    `burst` is the most units of one identifier that one container admits within a second. A plan in `shadow` is decided
    by and logged, but refuses nobody, and its callers see nothing of it. `notify_at` are the percentages of a quota at
    which operators are told (see `notices`), in rising order."""

    name: str
    limits: tuple[Limit, ...]
    anonymous: bool = False
    on_unavailable: OnUnavailable = "allow"
    burst: int | None = None
    shadow: bool = False
    notify_at: tuple[int, ...] = ()

    def limits_of(self, charge: Collection[Kind]) -> list[Limit]:
        """The limits of a call that is charged to `charge`, in the order of the plan. A burst is of the caller: of
        their key, or else of their address."""
        limits = [limit for limit in self.limits if limit.per in charge]
        if self.burst is not None:
            limits += [Limit(kind, self.burst, "second") for kind in CALLERS if kind in charge]
        return limits

    def overridden(self, overrides: Sequence[Limit]) -> "Plan":
        """This plan with quotas of one key: each takes the place of the quota of the limit of its name, and is a limit
        of its own where there is none."""
        if not overrides:
            return self
        quotas = {limit.name: limit.quota for limit in overrides}
        limits = [replace(limit, quota=quotas.get(limit.name, limit.quota)) for limit in self.limits]
        known = {limit.name for limit in limits}
        return replace(self, limits=(*limits, *(limit for limit in overrides if limit.name not in known)))

    def caps(self) -> dict[Kind, dict[Policy, int]]:
        caps: dict[Kind, dict[Policy, int]] = {}
        for limit in self.limits:
            caps.setdefault(limit.per, {})[limit.policy] = limit.quota
        return caps


def strictest_on_unavailable(plans: Iterable[Plan]) -> OnUnavailable | None:
    """What holds for a caller who is on one of `plans` and nobody knows which: `deny` if any says so that
    refuses at all; None when there is no plan."""
    answers = {"allow" if plan.shadow else plan.on_unavailable for plan in plans}
    return "deny" if "deny" in answers else "allow" if answers else None
