"""What callers were answered beside all that is stored, and every difference. Shares nothing with the counting path:
identifiers come from the oracle, marks and ranks from their definition."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tallygate.core.names import KINDS
from tallygate.demo import oracle
from tallygate.demo.comparison import ADMITTED, DENIED
from tallygate.demo.sender import Answer
from tallygate.sim.faults.verdict import marks, rank

Place = tuple[str, str]
"""Keys of a stored item: `("ip#198.18.0.7", "month#2026-11")`."""
Numbers = Mapping[str, int]
"""Numbers of an item, by attribute."""
Quotas = Mapping[str, Mapping[str, int]]
"""Quota by window (of a soft limit `month-soft`), of each partition key; of a whole kind under its name (`ip`)."""

WITHOUT_COUNTS: Final = ("seen#", "writers", "idem#", "told#")


@dataclass(slots=True)
class Count:
    """Calls of an identifier or region. `charged`: to its own quota. `uncertain`: got no answer that says whether they
    count."""

    admitted: int = 0
    denied: int = 0
    charged: int = 0
    uncertain: int = 0


@dataclass(slots=True)
class Answered:
    """Everything that was sent, as it was answered. `ipv6_prefix`: how much of an IPv6 address is one caller."""

    ipv6_prefix: int = 64
    calls: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    counts: dict[str, Count] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def uncertain(self) -> int:
        return len(self.failures)

    def add(self, answer: Answer) -> None:
        call, status = answer.call, answer.status
        self.calls += 1
        self.statuses[str(status or "none")] += 1
        if status not in ADMITTED | DENIED:
            self.failures.append(f"{call.region} {call.client}: {status or answer.failure}")
        payers = ("key",) if call.secret is not None else ("ip", "ref")
        identifiers = oracle.identifiers(call.client, call.referer, call.secret, call.is_key, self.ipv6_prefix)
        for kind, value in (*identifiers, ("all", call.region)):
            count = self.counts.setdefault(f"{kind}#{value}", Count())
            count.admitted += status in ADMITTED
            count.denied += status in DENIED
            count.charged += status in ADMITTED and (kind in payers or kind == "all")
            count.uncertain += status not in ADMITTED | DENIED


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is stored, by home: items of the tally, the rows that the home has published (without its name in their
    keys), what it rejected."""

    tallies: Mapping[str, Mapping[Place, Numbers]]
    gates: Mapping[str, Mapping[Place, Numbers]]
    rejects: Sequence[str] = ()


def differences(answered: Answered, stored: Stored, quotas: Quotas) -> list[str]:
    """Everything that is not as it should be."""
    found = list(_counts(answered, stored, quotas))
    for home, tally in stored.tallies.items():
        found += _items(home, tally)
        found += _published(home, tally, stored.gates[home], quotas, len(stored.tallies))
    return found + [f"rejected although it is countable: {reject}" for reject in stored.rejects]


def _counts(answered: Answered, stored: Stored, quotas: Quotas) -> Iterator[str]:
    """What was answered and what was counted, over months and homes. Calls without a clear answer may be counted as
    either or not at all, and nothing else may. The hours of who has a limit by the hour hold what their months hold."""
    counted: dict[str, Count] = {}
    of_hours: dict[str, int] = {}
    for tally in stored.tallies.values():
        for (pk, sk), item in tally.items():
            if pk.startswith(WITHOUT_COUNTS):
                continue
            if sk.startswith("hour#") and any(policy.startswith("hour") for policy in _quotas_of(pk, quotas)):
                of_hours[pk] = of_hours.get(pk, 0) + item.get("c", 0)
                continue
            if not sk.startswith("hour#" if pk.startswith("all#") else "month#"):
                yield f"{pk} {sk}: nobody asked for this item"
            count = counted.setdefault(pk, Count())
            count.admitted += item.get("n", 0)
            count.denied += item.get("x", 0)
            count.charged += item.get("c", 0)
    for pk in sorted(answered.counts.keys() | counted.keys()):
        sent, found = answered.counts.get(pk, Count()), counted.get(pk, Count())
        for name in ("admitted", "denied", "charged"):
            least, is_counted = getattr(sent, name), getattr(found, name)
            if not least <= is_counted <= least + sent.uncertain:
                yield f"{pk}: {is_counted} counted as {name}, {_answered(least, sent.uncertain)}"
        if pk in of_hours and of_hours[pk] != found.charged:
            yield f"{pk}: {found.charged} charged, but {of_hours[pk]} in its hours"
        if found.admitted + found.denied > sent.admitted + sent.denied + sent.uncertain:
            yield f"{pk}: more counted than was sent"


def _items(home: str, tally: Mapping[Place, Numbers]) -> Iterator[str]:
    for (pk, sk), item in tally.items():
        if not pk.startswith(tuple(f"{kind}#" for kind in KINDS)) or not sk.startswith("month#"):
            continue
        days = sum(count for name, count in item.items() if _is_day(name))
        if days != item.get("c", 0):
            yield f"{home} {pk} {sk}: {item.get('c', 0)} charged, but {days} on its days"
        should_be = rank(item.get("n", 0) + item.get("x", 0))
        if item.get("rank", 0) != should_be:
            yield f"{home} {pk} {sk}: rank {item.get('rank', 0)} should be {should_be}"


def _published(
    home: str, tally: Mapping[Place, Numbers], gate: Mapping[Place, Numbers], quotas: Quotas, homes: int
) -> Iterator[str]:
    """No mark lies between what is published and what is counted, and nothing is published that is not counted."""
    for place, item in tally.items():
        (pk, sk), row = place, gate.get(place, {})
        for name in ("n", "x", "c", *filter(_is_day, {**item, **row})):
            count, told = item.get(name, 0), row.get(name, 0)
            if told > count:
                yield f"{home} {' '.join(place)}: {name} {told} published, {count} counted"
            window = "day" if _is_day(name) else sk.partition("#")[0] if name == "c" else ""
            for policy, quota in _quotas_of(pk, quotas).items():
                if policy.removesuffix("-soft") == window and any(told < mark <= count for mark in marks(quota, homes)):
                    mark_between = f"with a mark between ({quota=})"
                    yield f"{home} {' '.join(place)}: {name} {told} published of {count}, {mark_between}"
    for place in gate.keys() - tally.keys():
        yield f"{home} {' '.join(place)}: published, not counted"


def _quotas_of(pk: str, quotas: Quotas) -> Mapping[str, int]:
    return quotas.get(pk, quotas.get(pk.partition("#")[0], {}))


def _is_day(name: str) -> bool:
    return len(name) == 3 and name[0] == "d" and name[1:].isdecimal()


def _answered(least: int, uncertain: int) -> str:
    return f"{least} to {least + uncertain} by the answers" if uncertain else f"{least} by the answers"
