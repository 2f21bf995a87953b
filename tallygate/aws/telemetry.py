"""What a function says of itself: its log, and metrics (EMF). Metrics are gathered over some seconds and printed as one
line, since a line for each call would cost as much to ingest as its usage line; what an operator must hear of is
printed at once."""

from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

GATHER_MS: Final = 10_000
"""At most this much is lost, and told late, when a container goes idle or away."""


def function_log() -> Logger:
    """The log of a function. Lambda believes a line's level only beside an RFC 3339 timestamp (Developer Guide, "Log
    and monitor Python Lambda functions"): any other error is filed as INFO."""
    return Logger(use_rfc3339=True)


def place_of(error: BaseException) -> str:
    """File and line at which an error was raised: what may be told of one whose message might quote a caller."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""


class Telemetry:
    """Counts and durations of one container. Powertools itself prints a metric that has a hundred values."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._since_ms: int | None = None
        self._is_urgent = False

    def count(self, name: str, *, urgent: bool = False) -> None:
        self._metrics.add_metric(name, MetricUnit.Count, 1)
        self._is_urgent |= urgent

    def took(self, name: str, milliseconds: int) -> None:
        self._metrics.add_metric(name, MetricUnit.Milliseconds, milliseconds)

    def flush(self, now_ms: int) -> None:
        """Print what was gathered, if it is time. Call it at the end of each invocation."""
        if self._since_ms is None:
            self._since_ms = now_ms
        if self._is_urgent or now_ms - self._since_ms >= GATHER_MS:
            if self._metrics.metric_set:
                self._metrics.flush_metrics()
            self._since_ms, self._is_urgent = None, False
