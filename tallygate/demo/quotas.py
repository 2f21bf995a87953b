"""The quotas at work: a few statements about them, each made true or false by calls over HTTP."""

import ipaddress
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tallygate.core.names import Kind
from tallygate.core.plans import COUNTED_WINDOWS, Limit, Plan
from tallygate.demo.calls import Call
from tallygate.demo.keys import DemoKey
from tallygate.demo.sender import Answer

PLACES: Final = {"us-east-1": "Virginia", "eu-west-1": "Ireland", "ap-southeast-2": "Sydney"}
ADDRESSES: Final = ipaddress.ip_network("198.18.0.0/15")
"""For tests of networks (RFC 2544): nobody's visitor comes from there."""
SETTLE_SECONDS: Final = 1.1
"""An authorizer that saw a caller far from every limit may take a second until it looks again."""
FEW_CALLS: Final = 8
"""Too few to be a rate in the eyes of the limiter."""
MOST_SPENDING_SECONDS: Final = 300
"""How long spending a quota may take. Seconds usually; a busy machine needs more of them, not other results."""
MOST_WAIT_SECONDS: Final = 60
MOST_CALLS: Final = 1_000
"""A quota above it is not spent for a demonstration."""

Send = Callable[[Iterable[Call]], list[Answer]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement, whether it turned out true, and what was seen. `holds` is None for one that these plans and regions
    do not allow to try; `seen` says why."""

    text: str
    holds: bool | None
    seen: str


class Quotas:
    """`send` returns when all calls are answered, `catch_up` when all that were answered are counted. `taken` are
    addresses that somebody used before."""

    def __init__(
        self,
        send: Send,
        catch_up: Callable[[], None],
        regions: Sequence[str],
        plans: Iterable[Plan],
        keys: Iterable[DemoKey],
        taken: Collection[str],
    ) -> None:
        self._send = send
        self._catch_up = catch_up
        self._regions = regions
        self._plans = {plan.name: plan for plan in plans}
        self._keys = list(keys)
        self._fresh = (str(ip) for ip in ADDRESSES.hosts() if str(ip) not in taken)

    def claims(self) -> Iterator[Claim]:
        """Every claim, one after the other, those that cannot be tried among them."""
        free = next((plan for plan in self._plans.values() if plan.anonymous), None)
        limit = _smallest(free, "ip") if free else None
        if limit is None:
            yield Claim("addresses share one quota in all regions", None, f"no quota for them up to {MOST_CALLS:,}")
        else:
            yield self._is_one_limiter(limit)
            yield self._is_refused_everywhere(limit)
        yield from self._key_is_refused_everywhere()

    def _is_one_limiter(self, limit: Limit) -> Claim:
        """Calls in two regions, asked for in a third."""
        client, regions = next(self._fresh), self._regions
        here, there, asked = regions[-1], regions[len(regions) // 2], regions[0]
        few, many = max(1, limit.quota // 20), max(1, limit.quota // 4)
        text = f"{few} calls in {place(here)} and {many} in {place(there)} are {few + many} for the limiter"
        if few + many >= limit.quota:
            return Claim(text, None, f"{limit.quota} a {limit.window} are too few to show it")
        if here == there:
            return Claim(text, None, "there is one region only")
        self._send([Call(here, client)] * few + [Call(there, client)] * many)
        self._catch_up()
        left = _remaining(self._ask(Call(asked, client)), limit)
        used = None if left is None else limit.quota - left - 1
        return Claim(
            text,
            used == few + many,
            f"{place(asked)}, after a call of its own, leaves {left} of {limit.quota}",
        )

    def _is_refused_everywhere(self, limit: Limit) -> Claim:
        """As many addresses as there are regions; each spends its quota in one, and asks in all."""
        spenders = {region: next(self._fresh) for region in self._regions}
        spent = self._spend([Call(region, client) for region, client in spenders.items()], limit.quota)
        asked = [Call(region, client) for client in spenders.values() for region in self._regions]
        refused = [answer for answer in self._send(asked) if answer.status == 429 and "retry-after" in answer.headers]
        return Claim(
            f"an address past {limit.quota} free calls a {limit.window} is refused in every region",
            spent and len(refused) == len(asked),
            f"429 to {len(refused)} of {len(asked)} more calls ({len(spenders)} addresses, one region each)"
            + (f"; Retry-After: {refused[0].headers['retry-after']}" if refused else "")
            + ("" if spent else "; the quota was not spent before"),
        )

    def _key_is_refused_everywhere(self) -> Iterator[Claim]:
        plan = plan_to_spend(self._plans.values())
        limit = _smallest(plan, "key") if plan else None
        key = next((key for key in self._keys if plan and key.plan == plan.name), None)
        if not limit or not key or len(self._regions) < 2:
            why = "there is one region only" if limit and key else f"no plan for keys has a quota up to {MOST_CALLS:,}"
            yield Claim("a key that spent its quota in one region is refused elsewhere", None, why)
            return
        other = next((other for other in self._keys if other != key and other.plan == key.plan), None)
        first, *others = reversed(self._regions)
        client = next(self._fresh)
        spent = self._spend([Call(first, client, secret=key.secret)], limit.quota)
        answers = self._send([Call(region, client, secret=key.secret) for region in others])
        yield Claim(
            f"a key that spent its {limit.quota} calls a {limit.window} in {place(first)} is refused elsewhere",
            spent and all(answer.status == 429 for answer in answers),
            ", ".join(f"{place(answer.call.region)} {answer.status}" for answer in answers),
        )
        if other:
            both = [Call(first, client, secret=secret) for secret in (key.secret, other.secret)]
            seen = {answer.call.secret: answer.status for answer in self._send(both)}
            yield Claim(
                "a call in the same moment with another key goes through",
                seen == {key.secret: 429, other.secret: 200},
                f"{seen[key.secret]} and {seen[other.secret]}",
            )

    def _spend(self, calls: Sequence[Call], quota: int) -> bool:
        """Make each of `calls` until it was admitted `quota` times; whether that succeeded. Half at once, the rest
        a few at a time: whoever hammers near a limit is held off by an estimate before the count gets there."""
        left, at_once = dict.fromkeys(calls, quota), max(FEW_CALLS, quota // 2)
        deadline = time.monotonic() + MOST_SPENDING_SECONDS
        while time.monotonic() < deadline:
            answers = self._send(_in_turn({call: min(at_once, count) for call, count in left.items()}))
            for answer in answers:
                left[answer.call] -= answer.status == 200
            self._catch_up()
            if not any(left.values()):
                time.sleep(SETTLE_SECONDS)
                return True
            if all(answer.status != 200 for answer in answers):
                waits = [int(answer.headers.get("retry-after", 1)) for answer in answers if answer.status == 429]
                if not waits or min(waits) > MOST_WAIT_SECONDS:
                    return False
                time.sleep(min(waits))
            at_once = FEW_CALLS
        return False

    def _ask(self, call: Call) -> Answer:
        return self._send([call])[0]


def plan_to_spend(plans: Iterable[Plan]) -> Plan | None:
    """The plan for keys that is spent first."""
    limits = [(limit.quota, plan) for plan in plans if (limit := _smallest(plan, "key"))]
    return min(limits, key=lambda pair: pair[0])[1] if limits else None


def kept(plans: Iterable[Plan], keys: Iterable[DemoKey]) -> list[DemoKey]:
    """The keys that nobody may call with before the quotas are shown: one to spend, and one to call beside it."""
    plan = plan_to_spend(plans)
    return [key for key in keys if plan and key.plan == plan.name][:2]


def place(region: str) -> str:
    return PLACES.get(region, region)


def _in_turn(left: dict[Call, int]) -> Iterator[Call]:
    for number in range(max(left.values())):
        yield from (call for call, count in left.items() if number < count)


def _smallest(plan: Plan, kind: Kind) -> Limit | None:
    """The limit that is spent first, if it is small enough to be, refuses, and is counted from its window's start."""
    limits = [
        limit
        for limit in plan.limits
        if limit.per == kind and limit.window in COUNTED_WINDOWS and not (limit.soft or limit.rolling or plan.shadow)
    ]
    smallest = min(limits, key=lambda limit: limit.quota, default=None)
    return smallest if smallest is not None and smallest.quota <= MOST_CALLS else None


def _remaining(answer: Answer, limit: Limit) -> int | None:
    """`r` of a limit in the RateLimit header; None when it is not there."""
    found = re.search(rf'"{re.escape(limit.name)}";r=(\d+)', answer.headers.get("ratelimit", ""))
    return int(found[1]) if found else None
