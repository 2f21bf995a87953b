"""What a replay found, in words: the same on a terminal and on the page."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from tallygate.core.plans import Limit
from tallygate.sim.replay.findings import LogFindings, PlanFindings

KIND_NAMES: Final = {"ip": "addresses", "ref": "sites", "key": "keys"}


def log_lines(log: LogFindings) -> Iterator[str]:
    """What was read, in sentences."""
    between = f", {moment(log.first_ms)} to {moment(log.last_ms)} UTC" if log.calls else ""
    yield f"{log.calls:,} calls in {log.lines:,} lines{between}"
    if log.unreadable:
        yield f"{log.unreadable:,} lines cannot be read, the first of them:"
    if log.late:
        yield (
            f"{log.late:,} lines came more than {log.window_ms / 1000:,.0f} s late, up to "
            f"{log.latest_ms / 1000:,.0f} s: they count at the time of those around them"
        )
    if log.was_429:
        yield f"{log.was_429:,} calls had been answered 429 then; they are held to the plan as all others"


def plan_lines(found: PlanFindings, delays: str) -> Iterator[str]:
    """What a plan would have done, in sentences."""
    if found.refused:
        yield (
            f"It would have refused {found.refused:,} of {found.calls:,} calls ({share(found.refused, found.calls)}), "
            f"the first on {moment(found.first_refused_ms)} UTC."
        )
    else:
        yield f"It would have refused none of {found.calls:,} calls."
    if found.left_out:
        which = "have a key or a user" if found.plan.anonymous else "have no key"
        yield f"{found.left_out:,} calls {which}: this plan does not govern them."
    if delays != "none":
        yield (
            f"Exact counts would have refused {found.exactly_refused:,}. With {delays} delays of counting, "
            f"{found.over:,} calls came through over a quota, and {found.early:,} were refused under it."
        )
    if found.unfollowed:
        yield f"{found.unfollowed:,} calls were decided by exact counts: too many callers were near a quota at once."


def moment(at_ms: int | None) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}" if at_ms is not None else "–"


def share(part: int, whole: int) -> str:
    """A share in percent, with as many digits as it takes to see it."""
    percent = 100 * part / whole if whole else 0.0
    return f"{percent:.0f} %" if percent == round(percent) else f"{percent:.{1 if percent >= 1 else 3}f} %"


def limit_words(limit: Limit) -> str:
    """A limit as somebody would say it: `200 per ip and day`."""
    kind = " rolling" if limit.rolling else ""
    return f"{limit.quota:,} per {limit.per} and{kind} {limit.window}" + (", which only warns" if limit.soft else "")
