"""What a run came to, in figures: how exactly quotas were held, and what that cost."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tallygate.sim.traffic.truth import Tallied


@dataclass(slots=True)
class Costs:
    """`replicated_writes`: rows written to the gate, each of which is written again in every other region.
    `tally_writes`: ranks and the refused writes of repeats included. `reads`: of the gate, each one Query."""

    replicated_writes: int = 0
    tally_writes: int = 0
    repeats: int = 0
    reads: int = 0
    hottest_reads_per_second: int = 0
    hottest_read: str = ""
    hottest_writes_per_second: int = 0
    hottest_written: str = ""
    containers: int = 0


@dataclass(slots=True)
class Figures:
    """One run. `seconds` of processor time are what it took; `series` is the watched caller's: second, offered,
    admitted."""

    calls: int
    admitted: int
    seconds: float
    tallied: Tallied
    costs: Costs
    series: list[tuple[float, int, int]] = field(default_factory=list)

    @property
    def calls_per_second(self) -> float:
        """Of one core."""
        return self.calls / self.seconds if self.seconds else 0.0

    def document(self) -> dict[str, Any]:
        """The figures as JSON has them."""
        tallied, costs = self.tallied, self.costs
        return {
            "calls": self.calls,
            "admitted": self.admitted,
            "callers": tallied.windows,
            "callers_over_quota": len(tallied.overshoot),
            "overshoot_percent": _rounded(max(tallied.overshoot, default=0.0)),
            "overshoot_mean_percent": _rounded(mean(tallied.overshoot)),
            "unspent_percent": _rounded(max(tallied.unspent, default=0.0)),
            "unspent_mean_percent": _rounded(mean(tallied.unspent)),
            "refused_under_90_percent": _rounded(
                100 * tallied.under_refused / tallied.under_offered if tallied.under_offered else 0.0
            ),
            "refused_under_90_calls": tallied.under_refused,
            "refused_under_90_callers": tallied.under_windows_refused,
            "enforced_after_p50_seconds": percentile(tallied.enforced_ms, 50) / 1000,
            "enforced_after_p99_seconds": percentile(tallied.enforced_ms, 99) / 1000,
            "replicated_writes": costs.replicated_writes,
            "tally_writes": costs.tally_writes,
            "repeated_writes": costs.repeats,
            "reads": costs.reads,
            "hottest_reads_per_second": costs.hottest_reads_per_second,
            "hottest_read": costs.hottest_read,
            "hottest_writes_per_second": costs.hottest_writes_per_second,
            "hottest_written": costs.hottest_written,
            "containers": costs.containers,
            "calls_per_second": round(self.calls_per_second),
        }


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def percentile(values: Sequence[int], percent: int) -> int:
    """The least value that so many percent of all do not exceed; 0 of none."""
    if not values:
        return 0
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def _rounded(percent: float) -> float:
    return round(percent, 3)
