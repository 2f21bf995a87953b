"""`python -m tests.soak`: the soak in a world of its own. Exit code 1 when a count is not what was answered."""

import random
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from tallygate.cli.failures import Failure, one_line_failures
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.phases import Phases
from tallygate.cli.signals import ended_by_signals
from tallygate.demo.sender import NoAnswersError
from tallygate.local.world import DIRECTORY, World
from tests.soak.run import Report, Soak

SHOWN: Final = 20


@click.command("python -m tests.soak")
@click.option("--seconds", type=click.IntRange(5), default=180, show_default=True, help="How long calls are sent.")
@click.option("--seed", type=click.IntRange(0), help="What is called and what goes wrong.  [default: any]")
@json_option
def main(seconds: int, seed: int | None, as_json: bool) -> None:
    """Call every region of a world on this machine while everything goes wrong, then check every count.

    The consumer's process is killed in the middle of batches, payloads are delivered again, the stream is read again
    from before in other batches, and writes are throttled, refused, or lose their answer.
    """
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    out = console(stderr=as_json)
    phases = Phases(out)
    with one_line_failures(), ended_by_signals():
        try:
            with World.start(directory=DIRECTORY / "soak", report=phases) as world:
                report = _soak(world, seed, seconds, out)
        except NoAnswersError as error:
            raise Failure(str(error)) from None
        finally:
            phases.stop()
    if as_json:
        print_json(report.document())
    else:
        show(report, out)
    if not report.holds:
        raise SystemExit(1)


def _soak(world: World, seed: int, seconds: int, out: Console) -> Report:
    out.print(f"\nCalling for {seconds} s while things go wrong (seed {seed})")
    counted = TextColumn("{task.fields[calls]:,} calls")
    bar = Progress(TextColumn("soak"), BarColumn(), counted, TimeRemainingColumn(), console=out, transient=True)
    bar.disable = not out.is_terminal
    with bar:
        task = bar.add_task("soak", total=seconds, calls=0)
        return Soak(world, seed).run(
            seconds, lambda passed, calls: bar.update(task, completed=min(passed, seconds), calls=calls)
        )


def show(report: Report, out: Console) -> None:
    """The report for people."""
    answers = ", ".join(f"{number:,} × {status}" for status, number in sorted(report.answered.statuses.items()))
    rows = table("what happened", "times")
    for fault, times in report.faults.most_common():
        rows.add_row(fault, f"{times:,}")
    for what, times in report.met.items():
        rows.add_row(f"the consumer told of {what}", f"{times:,}")
    out.print(f"\n{report.answered.calls:,} calls in {report.seconds:.0f} s ({answers}); seed {report.seed}")
    out.print(rows)
    out.print(f"Caught up {report.catching_up_seconds:.1f} s after the last call.\n")
    if report.answered.uncertain:
        out.print(f"{report.answered.uncertain:,} calls got no answer that says whether they count, e.g.")
        out.print(f"  {report.answered.failures[0]}")
    if not report.drift:
        out.print(Text(f"All counts of {report.compared:,} identifiers and regions are what was answered.", "green"))
        return
    out.print(Text(f"Drift: {report.drift:,} differences", "bold red"))
    for difference in report.differences[:SHOWN]:
        out.print(f"  {difference}")
    if report.drift > SHOWN:
        out.print(f"  … and {report.drift - SHOWN:,} more (--json lists all)")


if __name__ == "__main__":
    main()
