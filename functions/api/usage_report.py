"""The answer to `GET /v1/usage`: what a caller used, exactly, from the tally of each home; where a home cannot be
reached, what it published in the gate, and said to be that."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple, Protocol

from tallygate.core.gate import Gate, ReadFailure
from tallygate.core.lines import format_timestamp
from tallygate.core.names import Kind, pk_of
from tallygate.core.periods import day_of, window_bounds_ms
from tallygate.core.plans import POLICIES, Policy, Window
from tallygate.core.usage import HomeUsage
from tallygate.core.verdict import Verdict

Source = Literal["tally", "gate"]


class ExactCounts(Protocol):
    """Where exact counts are read, home by home."""

    @property
    def homes(self) -> tuple[str, ...]: ...

    def read(self, home: str, partitions: Sequence[str], month: str) -> list[HomeUsage] | ReadFailure:
        """What `home` counted for each partition in `month`, in order; or why it cannot be told. Several homes are
        read at the same time, each by one thread."""
        ...


class Counted(NamedTuple):
    """What one home counted of one identifier, and where that was read."""

    usage: HomeUsage
    source: Source


class UsageReport:
    """Reports on the identifiers that a call is charged to: the caller's own, and no others."""

    def __init__(self, tally: ExactCounts, gate: Gate) -> None:
        self._tally = tally
        self._gate = gate

    def of(self, verdict: Verdict, now_ms: int) -> tuple[dict[str, Any], list[ReadFailure]]:
        """The report, and what could not be read for it."""
        identifiers = {kind: value for kind in verdict.charge if (value := verdict.identifier(kind)) is not None}
        counts, failures = self._counts([pk_of(kind, value) for kind, value in identifiers.items()], now_ms)
        limits: list[dict[str, Any]] = []
        for (kind, value), counted in zip(identifiers.items(), counts, strict=True):
            caps: Mapping[Policy, int | None] = verdict.caps.get(kind) or {"month": None}
            bases = verdict.bases.get(kind, {})
            limits += [
                _limit(kind, value, POLICIES[policy], quota, bases.get(POLICIES[policy], {}), counted, now_ms)
                for policy, quota in caps.items()
            ]
        all_counts = [each for counted in counts for each in counted]
        return {
            "plan": verdict.plan,
            "source": "tally" if all(each.source == "tally" for each in all_counts) else "gate",
            "as_of": _time(_complete_up_to_ms(all_counts)),
            "usage": limits,
        }, failures

    def _counts(self, pks: list[str], now_ms: int) -> tuple[list[list[Counted]], list[ReadFailure]]:
        """What each home counted of each partition, in the order of `pks`."""
        month = day_of(now_ms).month
        counts: list[list[Counted]] = [[] for _ in pks]
        failures: list[ReadFailure] = []
        unread: list[str] = []
        for home, answer in self._ask_homes(pks, month).items():
            if isinstance(answer, ReadFailure):
                failures.append(answer)
                unread.append(home)
                continue
            for counted, usage in zip(counts, answer, strict=True):
                counted.append(Counted(usage, "tally"))
        if unread:
            reading = self._gate.read(pks, plans=False, now_ms=now_ms)
            failures += reading.failures
            for counted, pk in zip(counts, pks, strict=True):
                partition = reading.partitions.get(pk)
                published = {row.home: row for row in partition.homes if row.month == month} if partition else {}
                counted += [Counted(published.get(home, HomeUsage(home, month)), "gate") for home in unread]
        return counts, failures

    def _ask_homes(self, pks: list[str], month: str) -> dict[str, list[HomeUsage] | ReadFailure]:
        """The answer of each home. One may be at the other side of the world: they are asked all at once."""
        homes = self._tally.homes
        with ThreadPoolExecutor(len(homes)) as pool:
            return dict(zip(homes, pool.map(lambda home: self._tally.read(home, pks, month), homes), strict=True))


def _complete_up_to_ms(counts: Sequence[Counted]) -> int:
    """The time up to which every home's counts are told; 0 when that is not known. A tally without an item has nothing
    to tell; a gate without one may just be behind."""
    return min((each.usage.at_ms for each in counts if each.usage.at_ms or each.source == "gate"), default=0)


def _limit(
    kind: Kind,
    value: str,
    window: Window,
    quota: int | None,
    bases: Mapping[str, int],
    counted: Sequence[Counted],
    now_ms: int,
) -> dict[str, Any]:
    """`bases` is what each home had counted at the last reset: a count in the gate may not have come as far yet."""
    by_home = {
        each.usage.home: max(0, each.usage.charged_in(window, now_ms) - bases.get(each.usage.home, 0))
        for each in counted
    }
    used = sum(by_home.values())
    return {
        "kind": kind,
        "value": value,
        "window": window,
        "limit": quota,
        "used": used,
        "remaining": None if quota is None else max(0, quota - used),
        "reset": format_timestamp(window_bounds_ms(window, now_ms)[1]),
        "homes": {
            each.usage.home: {
                "used": by_home[each.usage.home],
                "as_of": _time(each.usage.at_ms),
                "source": each.source,
            }
            for each in counted
        },
    }


def _time(at_ms: int) -> str | None:
    return format_timestamp(at_ms) if at_ms else None
