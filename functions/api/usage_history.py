"""The answer to `GET /v1/usage` with a range: what was charged to the caller in each period of it, exactly, from the
tallies of all homes. Never from the gate, which knows the last periods only: a 0 here is one."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol
from urllib.parse import urlencode

from functions.api.sparing import Sparing
from tallygate.core.gate import ReadFailure
from tallygate.core.history import first_page
from tallygate.core.lines import format_timestamp
from tallygate.core.names import Kind, pk_of
from tallygate.core.plans import CALLERS, HOUR_POLICIES
from tallygate.core.retention import Retention
from tallygate.core.routes import USAGE_PATH
from tallygate.core.usage import HomeUsage
from tallygate.core.verdict import Verdict

NOTE = (
    "Units charged in each period (UTC), as counted: resets and top-ups change none. Days are told as long as their "
    "month is kept. Hours are counted only while a plan limits them by the hour."
)


class NobodyError(Exception):
    """Nothing is charged to this caller, who so has no past. That of a Referer is nobody's: anybody may send it."""


class HistoryUnreadError(Exception):
    """The tally of a home cannot be read: what is missing would look like nothing."""

    def __init__(self, failures: Sequence[ReadFailure]) -> None:
        super().__init__("; ".join(failure.reason for failure in failures))
        self.failures = failures


class PastCounts(Protocol):
    """Where exact counts are read, home by home."""

    @property
    def homes(self) -> tuple[str, ...]: ...

    def between(self, home: str, pk: str, first: str, last: str) -> list[HomeUsage] | ReadFailure:
        """What `home` counted of a partition in the periods from `first` to `last` (`month#2026-11`), where it counted
        anything; or why it cannot be told."""
        ...


class UsageHistory:
    """Tells callers their own past, a page at a time."""

    def __init__(
        self,
        tally: PastCounts,
        retention: Retention,
        sparing: "Sparing[dict[str, list[HomeUsage] | ReadFailure]]",
    ) -> None:
        self._tally = tally
        self._retention = retention
        self._sparing = sparing

    def of(self, verdict: Verdict, query: Mapping[str, str], now_ms: int) -> dict[str, Any]:
        """A page of what was charged to the caller: to their key, or else to their address. Raises
        InvalidParameterError, NobodyError, HistoryUnreadError, TooManyReportsError."""
        kind, value = _caller(verdict)
        hours = not verdict.shadow and not HOUR_POLICIES.isdisjoint(verdict.caps.get(kind, {}))
        page = first_page(query, kind, value, self._retention, now_ms, hours=hours)
        pk, (first, last) = pk_of(kind, value), page.items
        answers = self._sparing.ask(pk, (first, last), now_ms, lambda: self._ask_homes(pk, first, last))
        failures = [answer for answer in answers.values() if isinstance(answer, ReadFailure)]
        if failures:
            raise HistoryUnreadError(failures)
        counted = {home: answer for home, answer in answers.items() if not isinstance(answer, ReadFailure)}
        # Of a home that counted nothing in these periods, there is nothing to be behind with.
        as_of_ms = [max(row.at_ms for row in rows) for rows in counted.values() if rows]
        return {
            "kind": kind,
            "value": value,
            "granularity": page.granularity,
            "from": format_timestamp(page.start_ms),
            "to": format_timestamp(page.end_ms),
            "kept_from": format_timestamp(self._retention.kept_from_ms(kind, page.granularity, now_ms)),
            "source": "tally",
            "as_of": format_timestamp(min(as_of_ms)) if as_of_ms else None,
            "note": NOTE,
            "usage": [
                {"start": format_timestamp(row.start_ms), "charged": row.charged}
                for row in page.rows(row for rows in counted.values() for row in rows)
            ],
            "next": f"{USAGE_PATH}?{urlencode(page.next)}" if page.next else None,
        }

    def _ask_homes(self, pk: str, first: str, last: str) -> dict[str, list[HomeUsage] | ReadFailure]:
        homes = self._tally.homes
        with ThreadPoolExecutor(len(homes)) as pool:
            told = pool.map(lambda home: self._tally.between(home, pk, first, last), homes)
            return dict(zip(homes, told, strict=True))


def _caller(verdict: Verdict) -> tuple[Kind, str]:
    for kind in CALLERS:
        value = verdict.identifier(kind) if kind in verdict.charge else None
        if value is not None:
            return kind, value
    raise NobodyError
