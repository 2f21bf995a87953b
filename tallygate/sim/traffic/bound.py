"""The plain bound: how far past its quota a caller can come, from their rate and the delays alone.

Whoever knows a caller's rate and lets it go on in thought is wrong by no more than what the rate changed meanwhile:

    overshoot ≤ (highest rate − lowest rate, from two delays before the quota is reached to one after) × delay
                + six standard deviations of chance arrivals within a delay + one mark

Three of the six are chance itself, and three what an estimate of few calls takes off for it (`Tuning.noise_calls`).
The delay is the longest that there is from a call until every region knows of it. For a counter that does not estimate,
the rate itself stands in place of its change.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import ceil, sqrt
from typing import Final

from tallygate.core.names import Kind
from tallygate.core.periods import window_bounds_ms
from tallygate.core.plans import Limit
from tallygate.sim.traffic.arrivals import Callers, zipf_weights
from tallygate.sim.traffic.setup import Replayed, Setup

MARK_PERCENT: Final = 1
"""Marks near the quota are so far apart (`tallygate/core/marks.py`)."""
SIGMAS: Final = 6
_MOST_STEPS: Final = 20_000


def bound_percent(groups: Sequence[Callers], setup: Setup) -> float | None:
    """The largest bound of any caller, in % of their quota; 0 when nobody reaches one. Of callers drawn by Zipf's law
    the first is meant, who calls most. None where a home or a region is lost or cut off: no delay holds then."""
    if any(not isinstance(fault, Replayed) for fault in setup.faults):
        return None
    seconds = max(callers.seconds for callers in groups)
    step_seconds = max(1.0, seconds / _MOST_STEPS)
    rates: defaultdict[tuple[str, Kind, Limit], list[float]] = defaultdict(lambda: [0.0] * ceil(seconds / step_seconds))
    for callers in groups:
        for limit, name, share in _pays(callers):
            of_all = rates[name, limit.per, limit]
            for step, rate in enumerate(_rates(callers, step_seconds)):
                of_all[step] += rate * share
    delay_seconds = setup.delays.longest_ms / 1000
    return max(
        (
            _bound(rate, limit, setup.start_ms, step_seconds, delay_seconds) / limit.quota * 100
            for (_, _, limit), rate in rates.items()
        ),
        default=0.0,
    )


def _pays(callers: Callers) -> Iterator[tuple[Limit, str, float]]:
    """Each limit that the busiest of `callers` pays into, under which name, and the share of all their calls."""
    share = 1 / zipf_weights(callers.count)[-1] if callers.zipf else 1 / callers.count
    for limit in callers.plan.limits:
        if limit.per == callers.kind:
            yield limit, callers.name, share
        elif limit.per == "ref" and callers.site is not None:
            yield limit, callers.site, 1.0


def _rates(callers: Callers, step_seconds: float) -> Iterator[float]:
    """Mean rate of all callers within each step."""
    step = 0
    for begun, stretch in callers.rates():
        while (step + 0.5) * step_seconds < begun + stretch.seconds:
            yield stretch.rate_at((step + 0.5) * step_seconds - begun)
            step += 1


def _bound(rates: Sequence[float], limit: Limit, start_ms: int, step_seconds: float, delay_seconds: float) -> float:
    """In units, over all windows in which the quota is reached."""
    delay_steps = max(1, round(delay_seconds / step_seconds))
    offered, window_end_ms, most = 0.0, 0, 0.0
    for step, rate in enumerate(rates):
        at_ms = start_ms + int(step * step_seconds * 1000)
        if at_ms >= window_end_ms:
            offered, window_end_ms = 0.0, window_bounds_ms(limit.window, at_ms)[1]
        was_below = offered < limit.quota
        offered += rate * step_seconds
        if was_below and offered >= limit.quota:
            near = rates[max(0, step - 2 * delay_steps) : step + delay_steps + 1]
            change = max(near) - min(near)
            noise = SIGMAS * sqrt(max(near) * delay_seconds)
            most = max(most, change * delay_seconds + noise + max(1.0, limit.quota * MARK_PERCENT / 100))
    return most
