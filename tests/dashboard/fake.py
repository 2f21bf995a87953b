"""A stand-in for the reading layer: documents in its shapes, made up from the time that it is told."""

import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from tallygate.core.history import GRANULARITIES, InvalidParameterError, starts_ms
from tallygate.core.lines import format_timestamp
from tallygate.core.periods import window_bounds_ms
from tallygate.core.times import time_ms
from tallygate.operations.documents import (
    Counts,
    OwnerDocument,
    OwnersDocument,
    PipelineDocument,
    StandingDocument,
    TopDocument,
    TopRow,
    UsageDocument,
)
from tallygate.operations.errors import UnknownOwnerError, UnreachableError

NOW_MS = 1_795_273_385_000  # 2026-11-21T15:03:05Z
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")
HOMES = ("us-east-1", "eu-west-1")
DAY_MS = 86_400_000

Query = Mapping[str, str]
ROTATED, SUCCESSOR = "57b79580279dcc6a", "9f2c1d0a8b7e6f54"


class FakeOperations:
    """`scale` 0 is a service that nobody called yet. `before` is called with the name of a question before it is
    answered: it may raise or wait."""

    def __init__(self, values: tuple[str, ...] = (), scale: int = 1) -> None:
        self.values = values or tuple(f"203.0.113.{number}" for number in range(10, 20))
        self.scale = scale
        self.asked: Counter[str] = Counter()
        self.before: Callable[[str], None] = lambda _name: None
        self._lock = threading.Lock()

    def usage(self, query: Query, now_ms: int) -> UsageDocument:
        self._ask("usage", query)
        granularity = next(each for each in GRANULARITIES if each == query["granularity"])
        kept_ms = window_bounds_ms("month", now_ms - 9 * DAY_MS)[0]
        from_ms = time_ms(query["from"])
        if from_ms < kept_ms:
            raise InvalidParameterError("from", f"{format_timestamp(kept_ms)} or later")
        start_ms = window_bounds_ms(granularity, from_ms)[0]
        names = REGIONS if query["kind"] == "all" else HOMES
        rows: Any = []
        for at_ms in starts_ms(granularity, start_ms, now_ms):
            by = (
                {name: self._counts(at_ms, place, granularity) for place, name in enumerate(names)}
                if self.scale
                else {}
            )
            rows.append({"start": format_timestamp(at_ms), **_sum(*by.values()), "by": by})
        return {
            "kind": query["kind"],  # type: ignore[typeddict-item]
            "value": query.get("value"),
            "granularity": granularity,
            "kept_from": format_timestamp(kept_ms),
            "from": format_timestamp(start_ms),
            "to": format_timestamp(now_ms),
            "rows": rows,
            "total": _sum(*rows),
            "cursor": None,
        }

    def top(self, query: Query, now_ms: int) -> TopDocument:
        self._ask("top", query)
        values = self.values if self.scale else ()
        top = [self._top(value, place, now_ms) for place, value in enumerate(values)]
        return {"kind": query["kind"], "period": query["period"], "top": top, "complete": True}  # type: ignore[typeddict-item]

    def standing(self, query: Query, now_ms: int) -> StandingDocument:
        self._ask("standing", query)
        if query["kind"] == "ip" and query["value"] == "nonsense":
            raise InvalidParameterError("value", "an IP address")
        resets = format_timestamp(window_bounds_ms("day", now_ms)[1])
        limit: Any = {"policy": "ip-day", "window": "day", "limit": 200, "used": 132, "resets": resets}
        soft = limit | {"policy": "ip-month-soft", "window": "month", "limit": 4_000, "used": 3_700}
        more = {"published": 130, "remaining": 68, "rolling": False, "soft": False}
        return {
            "kind": query["kind"],  # type: ignore[typeddict-item]
            "value": query["value"],
            "plan": "anonymous",
            "owner": "acme <b>& sons</b>" if query["kind"] == "key" else None,
            "state": "active" if query["kind"] == "key" else None,
            "taken_over_by": SUCCESSOR if query["value"] == ROTATED else None,
            "limits": [limit | more, soft | {"published": 3_600, "remaining": 300, "rolling": True, "soft": True}],
            "decision": {
                "allowed": query["value"] != "refused",
                "refused_by": [] if query["value"] != "refused" else ["ip-day"],
            },
            "homes": [
                {
                    "home": home,
                    **_counts(132, 132, 4),
                    "counted_at": format_timestamp(now_ms - 2_000),
                    "published_at": format_timestamp(now_ms - 7_000),
                    "rate": 0.4,
                }
                for home in HOMES
            ],
            "adjustments": {
                "baselines": {"day#2026-11-21": {"us-east-1": 40}},
                "top_ups": {"day#2026-11-21": {"goodwill-1": 25}},
            },
        }

    def owners(self, query: Query, now_ms: int) -> OwnersDocument:
        self._ask("owners", query)
        names = ["acme <b>& sons</b>", "bravo", "charlie"] if self.scale else []
        found = [name for name in names if query.get("q", "").lower() in name]
        return {"owners": [{"owner": name, "keys": place + 1} for place, name in enumerate(found)], "cursor": None}

    def owner(self, owner: str, query: Query, now_ms: int) -> OwnerDocument:
        self._ask("owner", query)
        if owner == "nobody":
            raise UnknownOwnerError
        keys: Any = [
            {
                "id": id,
                "owner": owner,
                "plan": "starter",
                "status": "active",
                "created": format_timestamp(now_ms - DAY_MS),
                "expires": None,
                "note": "for the <shop>",
                "referers": [],
                "addresses": [],
                "rotated_from": None,
                "rotated_to": None,
                "counted_as": id,
                "overrides": [],
                **_counts(120, 110, 3),
            }
            for id in ("0123456789abcdef", "fedcba9876543210")
        ]
        return {"owner": owner, "month": "2026-11", "keys": keys, "total": _sum(*keys), "own": _counts(220, 220, 6)}

    def pipeline(self, query: Query, now_ms: int) -> PipelineDocument:
        self._ask("pipeline", query)
        recent: Any = [
            {
                "at": format_timestamp(now_ms - 5_000 * (60 - number)),
                "lines": 30,
                "arrival_ms": 1_800 + 700 * (number % 5),
                "counted_ms": 3_900 + 800 * (number % 7),
            }
            for number in range(60)
        ]
        writers: Any = [
            {
                "home": home,
                "writer": "shardId-000000000000",
                "counted_at": format_timestamp(now_ms - 1_400),
                "delay_ms": {"arrival": 2_100, "counted": 5_400, "published": 6_900},
                "lines_per_second": 6.2,
                "behind_ms": 0 if home == "us-east-1" else 8_300,
                "waiting_since": None,
                "recent": recent,
            }
            for home in HOMES
        ]
        return {
            "at": format_timestamp(now_ms),
            "writers": writers if self.scale else [],
            "rejects": [{"home": home, "waiting": place * 3, "in_flight": 0} for place, home in enumerate(HOMES)],
        }

    def _ask(self, name: str, query: Query) -> None:
        with self._lock:
            self.asked[name] += 1
        self.before(name)

    def _counts(self, at_ms: int, place: int, granularity: str) -> Counts:
        length = {"hour": 1, "day": 24, "month": 700}[granularity]
        wave = 1 + math.sin(at_ms / DAY_MS * 2 * math.pi + place)
        admitted = round(self.scale * length * (120 + 300 * wave) / (place + 1))
        return _counts(admitted, admitted, round(admitted * (0.02 + 0.05 * (place == 1))))

    def _top(self, value: str, place: int, now_ms: int) -> TopRow:
        admitted = round(2_000 * self.scale / (place + 1))
        counts = _counts(admitted, min(admitted, 200), round(admitted / 8) if place % 3 == 0 else 0)
        limit: Any = {"policy": "ip-day", "window": "day", "limit": 200, "used": max(3, 230 - 28 * place)}
        resets = {"resets": format_timestamp(window_bounds_ms("day", now_ms)[1])}
        return {"value": value, **counts, "by": {HOMES[0]: counts}, "limits": [limit | resets]}


def unreachable(name: str) -> None:
    """For `before`: the tally of one home cannot be read."""
    raise UnreachableError("the tally", "eu-west-1", f"asked for {name}, it said ThrottlingException", may_pass=True)


def _counts(admitted: int, charged: int, denied: int) -> Counts:
    return {"admitted": admitted, "charged": charged, "denied": denied}


def _sum(*counts: Any) -> Counts:
    return _counts(
        sum(each["admitted"] for each in counts),
        sum(each["charged"] for each in counts),
        sum(each["denied"] for each in counts),
    )
