"""The answer to `GET /v1/usage`: what a caller used, exactly, from the tally of each home; where a home cannot be
reached, what it published in the gate, and said to be that."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple, Protocol

from functions.api.sparing import Sparing
from tallygate.core.gate import Gate, ReadFailure
from tallygate.core.lines import format_timestamp
from tallygate.core.names import Kind, pk_of
from tallygate.core.periods import period_of, window_bounds_ms
from tallygate.core.plans import COUNTED_WINDOWS, POLICIES, Policy, Window, is_soft
from tallygate.core.standing import Before
from tallygate.core.usage import HomeUsage, weighs_before
from tallygate.core.verdict import Verdict

Source = Literal["tally", "gate"]


class ExactCounts(Protocol):
    """Where exact counts are read, home by home."""

    @property
    def homes(self) -> tuple[str, ...]: ...

    def read(self, home: str, items: Sequence[tuple[str, str]]) -> list[HomeUsage] | ReadFailure:
        """What `home` counted in each of `items` (a partition and a period, like `month#2026-11`), in order; or why it
        cannot be told. Several homes are read at the same time, each by one thread."""
        ...


class Counted(NamedTuple):
    """What one home counted of one identifier, and where that was read."""

    home: str
    rows: Sequence[HomeUsage]
    source: Source

    def as_of_ms(self, window: Window, now_ms: int) -> int:
        """The time up to which the current window is told; 0 when that is not known."""
        return max((row.at_ms for row in self.rows if row.is_of(window, now_ms)), default=0)


class _Limit(NamedTuple):
    """A limit to report on; `quota` is None where there is none."""

    policy: Policy
    quota: int | None
    bases: Mapping[str, int]
    before: Before | None

    @property
    def window(self) -> Window:
        return POLICIES[self.policy]


class UsageReport:
    """Reports on the identifiers that a call is charged to: the caller's own, and no others."""

    def __init__(
        self, tally: ExactCounts, gate: Gate, sparing: "Sparing[dict[str, list[HomeUsage] | ReadFailure]]"
    ) -> None:
        self._tally = tally
        self._gate = gate
        self._sparing = sparing

    def of(self, verdict: Verdict, now_ms: int) -> tuple[dict[str, Any], list[ReadFailure]]:
        """The report, and what could not be read for it. Raises TooManyReportsError."""
        identifiers = {kind: value for kind in verdict.charge if (value := verdict.identifier(kind)) is not None}
        limits = {kind: _limits_of(verdict, kind) for kind in identifiers}
        wanted = {pk_of(kind, value): _periods(limits[kind], now_ms) for kind, value in identifiers.items()}
        counts, failures = self._counts(wanted, now_ms)
        reports: list[dict[str, Any]] = []
        as_of_ms: list[int] = []
        for kind, value in identifiers.items():
            counted = counts[pk_of(kind, value)]
            for limit in limits[kind]:
                reports.append(_report(kind, value, limit, counted, now_ms))
                # A tally without an item has nothing to tell; a gate without one may just be behind.
                told = [(each.as_of_ms(limit.window, now_ms), each.source) for each in counted]
                as_of_ms += [at_ms for at_ms, source in told if at_ms or source == "gate"]
        return {
            "plan": verdict.plan,
            "source": "gate" if any(each.source == "gate" for found in counts.values() for each in found) else "tally",
            "as_of": _time(min(as_of_ms, default=0)),
            "usage": reports,
        }, failures

    def _counts(
        self, wanted: Mapping[str, Sequence[str]], now_ms: int
    ) -> tuple[dict[str, list[Counted]], list[ReadFailure]]:
        """What each home counted of each partition in the periods wanted."""
        items = [(pk, period) for pk, periods in wanted.items() for period in periods]
        counts: dict[str, list[Counted]] = {pk: [] for pk in wanted}
        failures: list[ReadFailure] = []
        unread: list[str] = []
        caller = next(iter(wanted), "")
        for home, answer in self._sparing.ask(caller, tuple(items), now_ms, lambda: self._ask_homes(items)).items():
            if isinstance(answer, ReadFailure):
                failures.append(answer)
                unread.append(home)
                continue
            for pk, found in counts.items():
                rows = [row for (of, _), row in zip(items, answer, strict=True) if of == pk]
                found.append(Counted(home, rows, "tally"))
        if unread:
            reading = self._gate.read(list(wanted), plans=False, now_ms=now_ms)
            failures += reading.failures
            for pk, found in counts.items():
                partition = reading.partitions.get(pk)
                published = partition.homes if partition else ()
                found += [Counted(home, [row for row in published if row.home == home], "gate") for home in unread]
        return counts, failures

    def _ask_homes(self, items: Sequence[tuple[str, str]]) -> dict[str, list[HomeUsage] | ReadFailure]:
        """The answer of each home. One may be at the other side of the world: they are asked all at once."""
        homes = self._tally.homes
        with ThreadPoolExecutor(len(homes)) as pool:
            return dict(zip(homes, pool.map(lambda home: self._tally.read(home, items), homes), strict=True))


def _limits_of(verdict: Verdict, kind: Kind) -> list[_Limit]:
    """The limits whose use is counted; the month as such where there are none that a caller may know of."""
    caps = {} if verdict.shadow else verdict.caps.get(kind, {})
    bases, before = verdict.bases.get(kind, {}), verdict.before.get(kind, {})
    limits = [
        _Limit(policy, quota, bases.get(POLICIES[policy], {}), before.get(policy))
        for policy, quota in caps.items()
        if POLICIES[policy] in COUNTED_WINDOWS
    ]
    return limits or [_Limit("month", None, {}, None)]


def _periods(limits: Sequence[_Limit], now_ms: int) -> list[str]:
    """The items in which `limits` are counted, each once: days are in those of months."""
    periods = []
    for limit in limits:
        item: Window = "hour" if limit.window == "hour" else "month"
        periods.append(period_of(item, now_ms))
        if limit.before is not None:
            periods.append(period_of(item, window_bounds_ms(limit.window, now_ms)[0] - 1))
    return list(dict.fromkeys(periods))


def _report(kind: Kind, value: str, limit: _Limit, counted: Sequence[Counted], now_ms: int) -> dict[str, Any]:
    """What each home had counted at the last reset is none of the use: a count in the gate may not have come as far
    yet."""
    window, quota, before = limit.window, limit.quota, limit.before
    by_home = {
        each.home: max(0, sum(row.charged_in(window, now_ms) for row in each.rows) - limit.bases.get(each.home, 0))
        for each in counted
    }
    used, end_ms = sum(by_home.values()), window_bounds_ms(window, now_ms)[1]
    if before is not None:
        used += weighs_before([row for each in counted for row in each.rows], window, now_ms, before.allowance)
        end_ms = window_bounds_ms(window, end_ms)[1]  # until then, what is used now weighs something
    return {
        "kind": kind,
        "value": value,
        "window": window,
        "rolling": before is not None,
        "soft": is_soft(limit.policy),
        "limit": quota,
        "used": used,
        "remaining": None if quota is None else max(0, quota - used),
        "reset": format_timestamp(end_ms),
        "homes": {
            each.home: {
                "used": by_home[each.home],
                "as_of": _time(each.as_of_ms(window, now_ms)),
                "source": each.source,
            }
            for each in counted
        },
    }


def _time(at_ms: int) -> str | None:
    return format_timestamp(at_ms) if at_ms else None
