"""The decision: may this call be answered? Published counts are some seconds old and are told only at marks, so what
came since is estimated.

    used ≈ Σ homes counted + max(rate × time since, what this container admitted since)

Counted is what came after the last reset, and the quota what it is with its top-ups (see `adjustments`). A count at the
quota refuses whatever the estimate says. An estimate is believed for a horizon only: when a home stays
silent for longer, the count has passed no further mark, and callers still under it are let back in, the fewer the
harder they hammered. The horizon passed once over, that memory fades by half: nobody is held off by what they did an
hour ago.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final, Literal

from tallygate.core.adjustments import Allowance
from tallygate.core.names import Kind
from tallygate.core.periods import SECOND_MS, window_bounds_ms
from tallygate.core.plans import Limit, Plan, Window
from tallygate.core.usage import HomeUsage, Usage

Refusal = Literal["quota", "key", "unavailable"]


@dataclass(frozen=True, slots=True)
class Tuning:
    """The parameters of the estimate, in one place for whoever measures better ones."""

    least_delay_ms: int = 1_000
    """A delay of counting seen shorter than this was luck; rates are measured over a second at least."""
    most_delay_ms: int = 60_000
    """A pipeline later than this is in trouble: guessing on would refuse callers for its sake."""
    horizon_delays: int = 2
    """How long a rate is believed, in delays. After one, the calls that it was measured on are counted; after two,
    those that followed them, and had they gone on, a mark would have been passed."""
    engage_percent: int = 50
    """Share of the quota that must be counted before an estimate may refuse: who stays below it never meets one."""
    noise_sigmas: float = 3.0
    """Taken off an extrapolated number of calls, in standard deviations of chance arrivals (√n): three calls in one
    second are no rate of three a second. A hundred are a rate."""
    readmit_percent: int = 50
    """Share of what is left that may be used up within one delay by callers who are let back in."""
    reuse_ms: int = 1_000
    """How long a snapshot of a caller far from every limit stands in for a read: a hot key would otherwise meet the
    3,000 reads/s of its partition."""
    reuse_below_percent: int = 50
    """How far from every limit that is."""


TUNING: Final = Tuning()


@dataclass(frozen=True, slots=True)
class Request:
    """One call to decide on. `id` is the gateway's, and nobody's choice; `home` counts this region's calls; `charge`
    names the identifiers whose quota pays for `units`, of which a free call has none."""

    id: str
    home: str
    units: int
    charge: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """One limit, top-ups included, and how much of it is used, this call included when it was admitted. `reset_ms` is
    the end of the window, `opens_ms` when a refused caller may try again: the same when it is the count that
    refuses."""

    limit: Limit
    used: int
    window_ms: int
    reset_ms: int
    refuses: bool = False
    opens_ms: int = 0
    exceeded: bool = False

    @property
    def remaining(self) -> int:
        return 0 if self.refuses else max(0, self.limit.quota - self.used)

    @property
    def renews_ms(self) -> int:
        """When there will be more than `remaining`."""
        return self.opens_ms if self.refuses else self.reset_ms


@dataclass(frozen=True, slots=True)
class Decision:
    """`limits` are all that were checked; `refusal` says why a call is refused, None when it is admitted."""

    limits: tuple[Checked, ...] = ()
    refusal: Refusal | None = None
    retry_after_seconds: int | None = None
    would: Refusal | None = None

    @property
    def allowed(self) -> bool:
        return self.refusal is None

    def is_below(self, percent: int) -> bool:
        """Whether every limit is used to less than `percent`."""
        return all(checked.used * 100 < checked.limit.quota * percent for checked in self.limits)


def decide(request: Request, usage: Mapping[Kind, Usage], plan: Plan, now_ms: int, tuning: Tuning = TUNING) -> Decision:
    """Check every limit of `plan` that this call is charged to. `usage` may lack an identifier: nothing is known of it
    then, and nothing was used."""
    checked = [
        _check(limit, usage.get(limit.per, Usage()), request, now_ms, tuning)
        for limit in plan.limits
        if limit.per in request.charge
    ]
    opens_ms = [each.opens_ms for each in checked if each.refuses]
    if opens_ms:
        return Decision(tuple(checked), "quota", seconds_until(max(opens_ms), now_ms))
    return Decision(tuple(replace(each, used=each.used + request.units) for each in checked))


def seconds_until(at_ms: int, now_ms: int) -> int:
    """Whole seconds after which `at_ms` has come."""
    return max(0, -((now_ms - at_ms) // SECOND_MS))


def _check(limit: Limit, usage: Usage, request: Request, now_ms: int, tuning: Tuning) -> Checked:
    start_ms, end_ms = window_bounds_ms(limit.window, now_ms)
    allowance = usage.adjustments.allowance(limit.window, now_ms)
    limit = replace(limit, quota=limit.quota + allowance.extra)
    counted = sum(allowance.used(row.home, row.charged_in(limit.window, now_ms)) for row in usage.homes)
    engaged = counted * 100 >= limit.quota * tuning.engage_percent
    estimate = _estimate(usage, limit.window, allowance, request.home, start_ms, now_ms, tuning, engaged=engaged)
    checked = Checked(limit, counted + int(estimate.uncounted), end_ms - start_ms, end_ms)
    if not request.units:
        return checked
    if counted + request.units > limit.quota:
        return replace(checked, refuses=True, opens_ms=end_ms)
    left = limit.quota - counted - estimate.uncounted
    is_held_off = _draw(request.id) * estimate.held_off * 100 > left * tuning.readmit_percent
    if is_held_off or checked.used + request.units > limit.quota:
        opens_ms = max(estimate.until_ms, now_ms + SECOND_MS)
        return replace(checked, refuses=True, opens_ms=min(opens_ms, end_ms))
    return checked


@dataclass(frozen=True, slots=True)
class _Estimate:
    """Units beyond the published counts; units per delay that callers would offer whose rate is no longer believed; and
    when the first is due to be asked again."""

    uncounted: float
    held_off: float
    until_ms: int


def _estimate(
    usage: Usage,
    window: Window,
    allowance: Allowance,
    here: str,
    start_ms: int,
    now_ms: int,
    tuning: Tuning,
    *,
    engaged: bool,
) -> _Estimate:
    newest = usage.newest(window)
    uncounted, held_off, until_ms = 0.0, 0.0, 0
    for home in dict.fromkeys((here, *newest)):
        row = newest.get(home, HomeUsage(home, ""))
        delay_ms = min(max(row.lag_ms, tuning.least_delay_ms), tuning.most_delay_ms)
        horizon_ms = delay_ms * tuning.horizon_delays
        silent_ms = max(0, now_ms - row.at_ms)
        believed = silent_ms <= horizon_ms
        begun_ms = max(start_ms, allowance.base(home).at_ms)  # what arrived before a reset is in its baseline
        extrapolated = 0.0
        if engaged and believed:
            extrapolated = _without_noise(row.rate_milli * max(0, now_ms - max(row.at_ms, begun_ms)) / 1e6, tuning)
            until_ms = max(until_ms, row.at_ms + horizon_ms)
        elif engaged:
            faded = 0.5 ** min(silent_ms / horizon_ms - 1, 64)
            held_off += _without_noise(row.rate_milli * delay_ms / 1e6, tuning) * faded
            until_ms = max(until_ms, now_ms + delay_ms)
        admitted = 0
        if home == here:
            # Of what came between `at` and that publication, a part is counted. For a while it is taken to be none;
            # then, with nothing heard, all: a caller must not lose their last call to a doubt that never ends.
            since_ms = row.at_ms if believed else row.at_ms + row.lag_ms
            admitted = sum(units for at_ms, units in usage.admitted if at_ms > since_ms and at_ms >= begun_ms)
        uncounted += max(extrapolated, admitted)
    return _Estimate(uncounted, held_off, until_ms)


def _without_noise(units: float, tuning: Tuning) -> float:
    return max(0.0, units - tuning.noise_sigmas * sqrt(units))


def _draw(request_id: str) -> float:
    """A number from 0 to 1 that this call, and whoever decides on it again, always gets."""
    digest = hashlib.blake2b(request_id.encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
