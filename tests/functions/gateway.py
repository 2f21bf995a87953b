"""What stands around the functions in their tests: the gateway's events, and a gate that answers as told."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tallygate.core.addresses import NO_RULES, AddressRules
from tallygate.core.adjustments import UNADJUSTED, Adjustments
from tallygate.core.credentials import StoredKey
from tallygate.core.gate import Partition, ReadFailure, Reading
from tallygate.core.plans import Limit, Plan
from tallygate.core.routes import ALL_ALIKE, Routes
from tallygate.core.usage import HomeUsage

EVENTS = Path(__file__).parent.parent / "events"
NOW = 1_795_176_000_123  # the timeEpoch of the events: 2026-11-20T12:00:00.123Z
HOME = "us-east-1"
SLOW = ReadFailure("no answer in time", may_pass=True)

ANONYMOUS = Plan("anonymous", (Limit("ip", 200, "day"), Limit("ref", 2000, "day")), anonymous=True)
STARTER = Plan("starter", (Limit("key", 1000, "day"), Limit("key", 5000, "month")))
STRICT = Plan("strict", (Limit("key", 1000, "day"),), on_unavailable="deny")
PLANS = {plan.name: plan for plan in (ANONYMOUS, STARTER, STRICT)}


def authorizer_event(
    headers: Mapping[str, str] | None = None,
    *,
    source_ip: str = "203.0.113.7",
    path: str = "/v1/whoami",
    method: str = "GET",
    query: Mapping[str, str] | None = None,
    at_ms: int = NOW,
    id: str = "UQoMlg7eDoEEPJg=",
) -> dict[str, Any]:
    """The captured event with `headers` in place of its Referer."""
    event: dict[str, Any] = json.loads((EVENTS / "authorizer_v2.json").read_text())
    context = event["requestContext"]
    context |= {"timeEpoch": at_ms, "requestId": id}
    context["http"] |= {"sourceIp": source_ip, "path": path, "method": method}
    event["rawPath"] = path
    if headers is not None:
        del event["headers"]["referer"]
        event["headers"] |= {"x-forwarded-for": source_ip, **headers}
    if query is not None:
        event["queryStringParameters"] = dict(query)
    return event


def published(charged: int, *, at_ms: int = NOW - 1_000, rate: float = 0, home: str = HOME) -> HomeUsage:
    """A row of November, all of it charged on the 20th."""
    return HomeUsage(home, "2026-11", charged, charged, 0, {20: charged}, round(rate * 1000), at_ms, 1_000)


@dataclass
class FakeGate:
    """A gate that holds what it is given. `is_down`: nothing can be read; `unreadable`: these partitions cannot."""

    rows: dict[str, tuple[HomeUsage, ...]] = field(default_factory=dict)
    keys: dict[str, StoredKey] = field(default_factory=dict)
    adjusted: dict[str, Adjustments] = field(default_factory=dict)
    epochs: dict[str, dict[str, int]] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=lambda: dict(PLANS))
    rules: AddressRules = NO_RULES
    routes: Routes = ALL_ALIKE
    is_down: bool = False
    unreadable: set[str] = field(default_factory=set)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    plans_asked: int = 0

    def read(self, partitions: Collection[str], *, plans: bool, now_ms: int) -> Reading:
        self.asked.append(tuple(partitions))
        self.plans_asked += plans
        missing = [pk for pk in partitions if self.is_down or pk in self.unreadable]
        return Reading(
            {
                pk: Partition(
                    self.rows.get(pk, ()), self.keys.get(pk), self.adjusted.get(pk, UNADJUSTED), self.epochs.get(pk, {})
                )
                for pk in partitions
                if pk not in missing
            },
            None if self.is_down or not plans else dict(self.plans),
            (SLOW,) * (len(missing) + (plans and self.is_down)),
            took_ms=150 if missing else 7,
            rules=self.rules,
            routes=self.routes,
        )
