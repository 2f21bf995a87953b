"""What is left of one limit, as far as one container can know. Published counts are some seconds old and are told only
at marks, so what came since is estimated, home by home, in two ways:

    by the published rate:      rate × time since
    by what it saw itself:      units that it admitted since / its share of what the home counts

Below `sure_percent` of a quota the smaller of the two counts, so that a caller who has slowed down, or who only comes
back from a pause, is not refused for what they did before. From there on it is the larger: a burst shows at once in
every container that serves it, seconds before it is counted. What a container itself admitted counts in any case.

A minute is over soon after it was counted, so what a container itself admitted in it is as much as a count; and of
callers who are certainly much faster than the limit, it lets through the share that keeps to it. Were they refused
altogether, nothing would be published of them, and the next minute would begin as if nobody knew them.

A rate is believed for a horizon only: when a home stays silent for longer, the count has passed no further mark, and
callers still under it are let back in, the fewer the harder they hammered. That memory then fades by half with each
further horizon: nobody is held off by what they did an hour ago.
"""

from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

from tallygate.core.adjustments import Allowance
from tallygate.core.periods import SECOND_MS, window_bounds_ms
from tallygate.core.plans import Limit
from tallygate.core.tuning import Tuning
from tallygate.core.usage import HomeUsage, Usage

_NEVER_READ: Final = HomeUsage("", "")
_CERTAINLY_FASTER: Final = 2
"""A flush may hold the calls of two, of which one came late: its rate is then twice that of the caller."""


@dataclass(frozen=True, slots=True)
class Leeway:
    """What is left of `limit`, top-ups included, at one time. `counted` is certain, `uncounted` estimated; `chance` is
    the share of calls that are let through of those that fit. By `reset_ms`, nothing used now counts any more;
    `retry_ms` is when an estimate is due to be better, `free_ms` when a count that is full leaves room for a call of
    the units asked for."""

    limit: Limit
    counted: int
    uncounted: float
    chance: float
    window_ms: int
    reset_ms: int
    retry_ms: int
    free_ms: int

    @property
    def used(self) -> int:
        return self.counted + int(self.uncounted)

    @property
    def is_full(self) -> bool:
        return self.counted >= self.limit.quota

    @property
    def room(self) -> float:
        """Units that may still be admitted; negative when more than that is estimated to be used."""
        return self.limit.quota - self.counted - self.uncounted

    def share(self, units: int) -> float:
        """The share of calls of so many `units` that are let through."""
        return self.chance if self.used + units <= self.limit.quota else 0.0


def leeway(limit: Limit, usage: Usage, here: str, units: int, now_ms: int, tuning: Tuning) -> Leeway:
    """What is left of `limit` for a call of `units` in a container whose calls are counted by `here`."""
    if limit.window == "second":
        return _burst(limit, usage, now_ms)
    start_ms, end_ms = window_bounds_ms(limit.window, now_ms)
    allowance = usage.adjustments.allowance(limit.window, now_ms)
    if allowance.extra:
        limit = replace(limit, quota=limit.quota + allowance.extra)
    current = usage.charged_in(limit.window, now_ms)
    counted = current + (usage.weighs_before(limit.window, now_ms) if limit.rolling else 0)
    # Of the window before, a rolling limit counts nearly all at first: what is on its way from there as well.
    estimate = _estimate(usage, limit, allowance, here, counted, 0 if limit.rolling else start_ms, now_ms, tuning)
    left = limit.quota - counted - estimate.uncounted
    held_off = estimate.held_off
    chance = min(1.0, max(0.0, left) * tuning.readmit_percent / 100 / held_off) if held_off else 1.0
    if limit.window == "minute":
        known = max(counted, usage.pace.units_in("minute", now_ms))
        estimate.uncounted = max(0.0, counted + estimate.uncounted - known)
        counted = known
        chance = min(chance, _pace(usage, limit, now_ms, tuning))
    return Leeway(
        limit,
        counted,
        estimate.uncounted,
        chance,
        end_ms - start_ms,
        window_bounds_ms(limit.window, end_ms)[1] if limit.rolling else end_ms,
        min(max(estimate.until_ms, now_ms + SECOND_MS), end_ms),
        _rolls_free_ms(usage, limit, current, units, now_ms) if limit.rolling else end_ms,
    )


def _burst(limit: Limit, usage: Usage, now_ms: int) -> Leeway:
    """A second is over before anybody else knows of it: each container counts its own admissions."""
    start_ms, end_ms = window_bounds_ms(limit.window, now_ms)
    used = usage.pace.units_in(limit.window, now_ms)
    return Leeway(limit, used, 0.0, 1.0, end_ms - start_ms, end_ms, end_ms, end_ms)


def _pace(usage: Usage, limit: Limit, now_ms: int, tuning: Tuning) -> float:
    """The share of calls that keeps to a minute's limit, of callers who by the rates last published are certainly
    faster: twice as fast, three standard deviations of the calls that these were measured on taken off. 1 for all
    others, who are held by counts."""
    start_ms, end_ms = window_bounds_ms(limit.window, now_ms)
    offered = certain = 0.0
    for row in usage.newest(limit.window).values():
        if now_ms - row.at_ms <= _horizon_ms(row, tuning):
            measured = row.rate_milli * _delay_ms(row, tuning) / 1e6
            in_a_minute = (end_ms - start_ms) / _delay_ms(row, tuning)
            offered += measured * in_a_minute
            certain += max(0.0, measured - 3 * sqrt(measured)) * in_a_minute
    return limit.quota / offered if certain > limit.quota * _CERTAINLY_FASTER else 1.0


@dataclass(slots=True)
class _Estimate:
    """Units beyond the published counts; units per delay that callers would offer whose rate is no longer believed; and
    when the first is due to be asked again."""

    uncounted: float = 0.0
    held_off: float = 0.0
    until_ms: int = 0


def _estimate(
    usage: Usage,
    limit: Limit,
    allowance: Allowance,
    here: str,
    counted: int,
    begun_ms: int,
    now_ms: int,
    tuning: Tuning,
) -> _Estimate:
    """`begun_ms`: calls from before do not count in the window."""
    newest = usage.newest(limit.window)
    own = _OwnCalls(usage, newest.get(here, _NEVER_READ), max(begun_ms, allowance.base(here).at_ms))
    engaged = counted * 100 >= limit.quota * tuning.engage_percent
    sure = (counted + own.certain()) * 100 >= limit.quota * tuning.sure_percent
    estimate = _Estimate()
    for home in dict.fromkeys((here, *newest)):
        row = newest.get(home, _NEVER_READ)
        horizon_ms = _horizon_ms(row, tuning)
        silent_ms = max(0, now_ms - row.at_ms)
        believed = silent_ms <= horizon_ms
        since_ms = max(row.at_ms, begun_ms, allowance.base(home).at_ms)  # a baseline holds what came before it
        by_rate = _without_noise(row.rate_milli * max(0, now_ms - since_ms) / 1e6, tuning) if believed else 0.0
        by_share, admitted = 0.0, 0
        if home == here:
            by_share = own.scaled(now_ms - horizon_ms)
            # Of what came between `at` and that publication, a part is counted. For a while it is taken to be none;
            # then, with nothing heard, all: a caller must not lose their last call to a doubt that never ends.
            admitted = own.since(row.at_ms) if believed else own.certain()
        guess = 0.0
        if sure or engaged:
            guess = max(by_rate, by_share) if sure else min(by_rate, by_share)
        if believed and guess > admitted:
            estimate.until_ms = max(estimate.until_ms, row.at_ms + horizon_ms)
        if sure and not believed:
            delay_ms = _delay_ms(row, tuning)
            faded = 0.5 ** min(silent_ms / horizon_ms - 1, 64)
            estimate.held_off += _without_noise(row.rate_milli * delay_ms / 1e6, tuning) * faded
            estimate.until_ms = max(estimate.until_ms, now_ms + delay_ms)
        estimate.uncounted += max(guess, admitted)
    return estimate


class _OwnCalls:
    """What this container admitted from `begun_ms` on, beside the last row of its home."""

    __slots__ = ("_admitted", "_begun_ms", "_row", "_share")

    def __init__(self, usage: Usage, row: HomeUsage, begun_ms: int) -> None:
        self._admitted = usage.admitted
        self._share = usage.share
        self._row = row
        self._begun_ms = begun_ms

    def since(self, after_ms: int) -> int:
        """Units admitted after a time."""
        begun_ms = self._begun_ms
        return sum(units for at_ms, units in self._admitted if at_ms > after_ms and at_ms >= begun_ms)

    def certain(self) -> int:
        """Units that cannot be in the row: they came after it was written."""
        return self.since(self._row.at_ms + self._row.lag_ms)

    def scaled(self, after_ms: int) -> float:
        """Units that all containers of this home admitted, as far as this one's are a measure; 0 when it does not know
        its share."""
        return self.since(max(self._row.at_ms, after_ms)) / self._share if self._share else 0.0


def _delay_ms(row: HomeUsage, tuning: Tuning) -> int:
    return min(max(row.lag_ms, tuning.least_delay_ms), tuning.most_delay_ms)


def _horizon_ms(row: HomeUsage, tuning: Tuning) -> int:
    return _delay_ms(row, tuning) * tuning.horizon_delays


def _without_noise(units: float, tuning: Tuning) -> float:
    return units if units >= tuning.noise_calls else max(0.0, units - 3 * sqrt(units))


def _rolls_free_ms(usage: Usage, limit: Limit, current: int, units: int, now_ms: int) -> int:
    """When a rolling limit that is full has room for `units`: in this window, as the one before loses weight, or in the
    next, as this one does."""
    start_ms, end_ms = window_bounds_ms(limit.window, now_ms)
    before = usage.weighs_before(limit.window, start_ms)
    if current + units <= limit.quota:
        return max(now_ms + 1, _lighter_ms(start_ms, end_ms, before, limit.quota - current - units))
    return _lighter_ms(*window_bounds_ms(limit.window, end_ms), current, max(0, limit.quota - units))


def _lighter_ms(start_ms: int, end_ms: int, before: int, weight: int) -> int:
    """The first time in a window at which `before` units of the one before it weigh no more than `weight`."""
    if before <= weight:
        return start_ms
    # before · (end − t) // length ≤ weight, for whole numbers: before · (end − t) < (weight + 1) · length
    return end_ms - -(-(weight + 1) * (end_ms - start_ms) // before) + 1
