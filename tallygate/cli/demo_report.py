"""How the demo goes, for people."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tallygate.access_log.entry import Skipped
from tallygate.cli.output import table
from tallygate.cli.phases import Phases
from tallygate.core.names import SHOWN_KINDS
from tallygate.demo.comparison import NOTHING, Count, Counts
from tallygate.demo.quotas import Claim, place
from tallygate.demo.run import Outcome

SHOWN_PER_KIND: Final = 4
SHOWN_DIFFERENCES: Final = 20
SHOWN_SKIPPED: Final = 5
MARKS: Final = {True: Text("✓ ", "green"), False: Text("✗ ", "bold red"), None: Text("– not tried: ", "yellow")}
KIND_NAMES: Final = {"ip": "addresses", "ref": "sites", "key": "keys"}


class DemoReport:
    """Prints what a run of the demo reports."""

    def __init__(self, out: Console, phases: Phases) -> None:
        self._out = out
        self._phases = phases

    def phase(self, name: str) -> AbstractContextManager[None]:
        return self._phases.phase(name)

    @contextmanager
    def counted(self, name: str, total: int) -> Iterator[Callable[[], None]]:
        with self._phases.counted(name, total) as step:
            yield step

    def compared(self, outcome: Outcome) -> None:
        out = self._out
        out.print()
        out.print(_answers(outcome))
        if any(counts["429"] for counts in outcome.by_region().values()):
            out.print(Text("429: over quota; who calls very fast gets a few more in before the count arrives", "dim"))
        if outcome.skipped:
            out.print(f"\nskipped {len(outcome.skipped):,} lines of the log")
            for line in skipped_lines(outcome.skipped):
                out.print(Text(line, "dim"), no_wrap=True, overflow="ellipsis")
        out.print()
        out.print(_counts(outcome))
        _verdict(outcome, out)
        out.print("\nThe quotas at work")

    def claimed(self, claim: Claim) -> None:
        self._out.print(MARKS[claim.holds], claim.text, sep="")
        self._out.print(Text(f"    {claim.seen}", "dim"))


def skipped_lines(skipped: Sequence[Skipped]) -> list[str]:
    """The first of the lines that cannot be sent, with their reasons."""
    shown = [f"  line {line.number}: {line.reason}: {line.text}" for line in skipped[:SHOWN_SKIPPED]]
    return shown + ([f"  … and {len(skipped) - SHOWN_SKIPPED:,} more"] if len(skipped) > SHOWN_SKIPPED else [])


def _answers(outcome: Outcome) -> Table:
    """Calls by region and status."""
    by_region = outcome.by_region()
    statuses = ["200", "429", "401"]
    statuses += sorted({status for counts in by_region.values() for status in counts} - set(statuses))
    rows = table("region", "calls", *statuses, title="Answered")
    for region, counts in by_region.items():
        rows.add_row(
            f"{region} ({place(region)})", f"{counts.total():,}", *(f"{counts[status]:,}" for status in statuses)
        )
    return rows


def _counts(outcome: Outcome) -> Table:
    """The largest counts of each kind beside the log's own, and all of them summed."""
    tally, log = outcome.comparison.tally, outcome.comparison.log
    wrong = {(difference.kind, difference.value) for difference in outcome.comparison.differences}
    rows = table("counted", "admitted", "denied", "by the log", "denied", "", title="Counted")
    for kind in SHOWN_KINDS:
        of_kind = {identifier for identifier in tally.keys() | log.keys() if identifier[0] == kind}
        largest = sorted(of_kind, key=lambda identifier: (-sum(tally.get(identifier, NOTHING)), identifier))
        for identifier in largest[:SHOWN_PER_KIND]:
            counts = tally.get(identifier, NOTHING), log.get(identifier, NOTHING)
            rows.add_row(f"{kind} {identifier[1]}", *_numbers(*counts), _mark(identifier not in wrong))
        sums = _sum(tally, of_kind), _sum(log, of_kind)
        are_equal = wrong.isdisjoint(of_kind)
        rows.add_row(
            f"all {len(of_kind):,} {KIND_NAMES[kind]}",
            *_numbers(*sums),
            _mark(are_equal),
            style="bold",
            end_section=True,
        )
    return rows


def _verdict(outcome: Outcome, out: Console) -> None:
    differences, unexpected = outcome.comparison.differences, outcome.unexpected
    if outcome.matches:
        out.print(Text(f"All {len(outcome.comparison.log):,} counts in the tally equal the log's own.", "bold green"))
        return
    if differences:
        out.print(Text(f"{len(differences):,} counts in the tally are not the log's own:", "bold red"))
        for difference in differences[:SHOWN_DIFFERENCES]:
            out.print(f"  {difference}")
        if len(differences) > SHOWN_DIFFERENCES:
            out.print(f"  … and {len(differences) - SHOWN_DIFFERENCES:,} more (--json lists all)")
    if unexpected:
        first = unexpected[0]
        said = first.failure or first.body[:200].decode("utf-8", "replace")
        out.print(Text(f"{len(unexpected):,} calls were answered neither 200, 429 nor 401; the first:", "bold red"))
        out.print(f"  {first.call.region} {first.status or 'no answer'}: {said}")


def _numbers(tally: Count, log: Count) -> tuple[str, ...]:
    return tuple(f"{number:,}" for number in (*tally, *log))


def _sum(counts: Counts, identifiers: set[tuple[str, str]]) -> Count:
    found = [counts.get(identifier, NOTHING) for identifier in identifiers]
    return Count(sum(count.admitted for count in found), sum(count.denied for count in found))


def _mark(is_right: bool) -> Text:
    return Text("=", "green") if is_right else Text("≠", "bold red")
