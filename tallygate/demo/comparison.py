"""The tally beside the log: every identifier, admitted and denied. Equal or not, there is nothing in between."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from tallygate.core.names import Kind
from tallygate.core.tally import TallyItem
from tallygate.demo import oracle
from tallygate.demo.sender import Answer

ADMITTED: Final = frozenset({200})
DENIED: Final = frozenset({401, 429})


class Count(NamedTuple):
    """Calls of one identifier."""

    admitted: int
    denied: int


NOTHING: Final = Count(0, 0)
Counts = Mapping[oracle.Identifier, Count]


@dataclass(frozen=True, slots=True)
class Difference:
    """An identifier that the log and the tally do not agree on; a count is None where the identifier does not occur."""

    kind: str
    value: str
    log: Count | None
    tally: Count | None

    def __str__(self) -> str:
        return f"{self.kind} {self.value}: {_shown(self.log)} by the log, {_shown(self.tally)} in the tally"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides, and where they differ."""

    log: Counts
    tally: Counts
    differences: Sequence[Difference]

    @property
    def matches(self) -> bool:
        return not self.differences


def compare(
    answers: Iterable[Answer], items: Iterable[tuple[Kind, str, TallyItem]], ipv6_prefix: int = 64
) -> Comparison:
    """The calls that were answered beside all that the tally holds."""
    log, tally = counts_of_answers(answers, ipv6_prefix), counts_of_tally(items)
    return Comparison(log, tally, differences(log, tally))


def counts_of_answers(answers: Iterable[Answer], ipv6_prefix: int) -> dict[oracle.Identifier, Count]:
    """The log's own counts: each call under the identifiers that the oracle sees in it, as it was answered."""
    admitted: dict[oracle.Identifier, int] = defaultdict(int)
    denied: dict[oracle.Identifier, int] = defaultdict(int)
    for answer in answers:
        call = answer.call
        for identifier in oracle.identifiers(call.client, call.referer, call.secret, call.is_key, ipv6_prefix):
            admitted[identifier] += answer.status in ADMITTED
            denied[identifier] += answer.status in DENIED
    counts = {identifier: Count(admitted[identifier], denied[identifier]) for identifier in admitted}
    return {identifier: count for identifier, count in counts.items() if count != NOTHING}  # as nobody was answered


def counts_of_tally(items: Iterable[tuple[Kind, str, TallyItem]]) -> dict[oracle.Identifier, Count]:
    """The tally's counts, over months and homes."""
    counts: dict[oracle.Identifier, Count] = {}
    for kind, value, item in items:
        admitted, denied = counts.get((kind, value), Count(0, 0))
        counts[kind, value] = Count(admitted + item.units, denied + item.denied)
    return counts


def differences(log: Counts, tally: Counts) -> list[Difference]:
    """Every identifier whose counts are not the same on both sides, those of one side only among them."""
    return [
        Difference(*identifier, log.get(identifier), tally.get(identifier))
        for identifier in sorted(log.keys() | tally.keys())
        if log.get(identifier) != tally.get(identifier)
    ]


def _shown(count: Count | None) -> str:
    return f"{count.admitted} admitted and {count.denied} denied" if count else "nothing"
