"""The demo from the lines of a log to an outcome, in a world that is up and that nobody called before."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from tallygate.access_log.entry import Skipped
from tallygate.aws.whole_tally import WholeTally
from tallygate.core.plans import Plan
from tallygate.demo.access_log import LogLine
from tallygate.demo.calls import Call, calls_of
from tallygate.demo.comparison import ADMITTED, DENIED, Comparison, Difference, compare
from tallygate.demo.keys import DemoKey
from tallygate.demo.quotas import Claim, Quotas, kept
from tallygate.demo.sender import Answer, Sender


class World(Protocol):
    """What the demo needs of a world."""

    def wait_until_caught_up(self) -> None:
        """Returns when every call that was answered is counted."""
        ...


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    skipped: Sequence[Skipped]
    answers: Sequence[Answer]
    comparison: Comparison
    claims: list[Claim] = field(default_factory=list)

    @property
    def unexpected(self) -> list[Answer]:
        """Calls neither admitted nor denied: nothing came back, or something that nobody should be answered."""
        return [answer for answer in self.answers if answer.status not in ADMITTED | DENIED]

    @property
    def matches(self) -> bool:
        """Whether every count of the tally is the log's own."""
        return not self.comparison.differences and not self.unexpected

    @property
    def is_well(self) -> bool:
        return self.matches and all(claim.holds is not False for claim in self.claims)

    def by_region(self) -> dict[str, Counter[str]]:
        """How many calls each region answered with which status; `none` when nothing came back."""
        found: dict[str, Counter[str]] = {}
        for answer in self.answers:
            found.setdefault(answer.call.region, Counter())[str(answer.status or "none")] += 1
        return dict(sorted(found.items()))

    def document(self) -> dict[str, Any]:
        """All of it as JSON."""
        counted: dict[str, dict[str, dict[str, int]]] = {"ip": {}, "ref": {}, "key": {}}
        for (kind, value), count in sorted(self.comparison.tally.items()):
            counted[kind][value] = count._asdict()
        return {
            "sent": len(self.answers),
            "skipped": len(self.skipped),
            "skipped_lines": [{"line": line.number, "reason": line.reason} for line in self.skipped],
            "answers": {region: dict(sorted(counts.items())) for region, counts in self.by_region().items()},
            "counted": counted,
            "matches": self.matches,
            "differences": [_difference(difference) for difference in self.comparison.differences],
            "quotas": [{"claim": claim.text, "holds": claim.holds, "seen": claim.seen} for claim in self.claims],
        }


class Reporter(Protocol):
    """Who is told how it goes."""

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Something that takes a while."""
        ...

    def counted(self, name: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """The same in `total` steps; what it gives is called after each."""
        ...

    def compared(self, outcome: Outcome) -> None:
        """The log was sent and compared."""
        ...

    def claimed(self, claim: Claim) -> None:
        """A claim about the quotas was tried."""
        ...


def run(
    urls: Mapping[str, str],
    world: World,
    usage: WholeTally,
    plans: Sequence[Plan],
    keys: Sequence[DemoKey],
    lines: Iterable[LogLine | Skipped],
    reporter: Reporter,
    ipv6_prefix: int = 64,
) -> Outcome:
    """Send the lines of a log to the APIs at `urls` (by region), compare all counts, and show the quotas at work."""
    sender, regions, lines = Sender(urls), list(urls), list(lines)
    sendable = [line for line in lines if isinstance(line, LogLine)]
    saved = kept(plans, keys)
    secrets = [key.secret for key in keys if key not in saved]
    calls = list(calls_of(sendable, regions, secrets))

    answers: list[Answer] = []
    with reporter.counted("sending", len(calls)) as step:
        for answer in sender.send(calls):
            answers.append(answer)
            step()
    with reporter.phase("catching up"):
        world.wait_until_caught_up()
    with reporter.phase("comparing"):
        comparison = compare(answers, usage.everything(), ipv6_prefix)
    outcome = Outcome([line for line in lines if isinstance(line, Skipped)], answers, comparison)
    reporter.compared(outcome)

    further: list[Answer] = []

    def send(calls: Iterable[Call]) -> list[Answer]:
        answered = list(sender.send(calls))
        further.extend(answered)
        return answered

    with reporter.phase("quotas"):
        taken = {line.client for line in sendable}
        for claim in Quotas(send, world.wait_until_caught_up, regions, plans, keys, taken).claims():
            outcome.claims.append(claim)
            reporter.claimed(claim)
        world.wait_until_caught_up()
        claim = _are_counted(further, compare([*answers, *further], usage.everything(), ipv6_prefix))
        outcome.claims.append(claim)
        reporter.claimed(claim)
    return outcome


def _are_counted(further: Sequence[Answer], comparison: Comparison) -> Claim:
    differences = comparison.differences
    seen = f"{len(comparison.tally):,} counts, {len(differences)} of them not the log's" if differences else "all equal"
    return Claim(f"these {len(further):,} calls are counted, too, and nothing else is", not differences, seen)


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "kind": difference.kind,
        "value": difference.value,
        "log": difference.log._asdict() if difference.log else None,
        "tally": difference.tally._asdict() if difference.tally else None,
    }
