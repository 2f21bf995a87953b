"""`tallygate simulate faults`: counting under fault schedules, compared with what was sent."""

import os
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tallygate.cli.output import console, json_option, print_json, table
from tallygate.sim.faults.campaign import Report, describe, outcome, run, shrink
from tallygate.sim.faults.schedule import draw


@click.command()
@click.option("--runs", type=click.IntRange(1), default=2_000, show_default=True, help="How many schedules to run.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the first schedule.")
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default="one for each processor",
    help="How many schedules run at once.",
)
@json_option
def faults(runs: int, seed: int, processes: int, as_json: bool) -> None:
    """Count under fault schedules, and compare with what was sent.

    A schedule sends 200 calls or more to a consumer whose deliveries repeat, whose shards split and merge, whose stores
    refuse or lose answers, and whose processes die or stand still; what it publishes goes to a notifier that fares
    no better. Afterwards every count, publication and reject must be as if nothing had happened, and each notice
    that is due told under one id. Exit code 1 when one is not; the smallest failing schedule found is printed.

    \b
    Examples:
      tallygate simulate faults --runs 10000
      tallygate simulate faults --runs 1 --seed 4711    one schedule again
    """
    bar = Progress(
        TextColumn("schedules"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console(stderr=True)
    )
    with bar:
        task = bar.add_task("schedules", total=runs)
        report = run(runs, seed, processes, lambda done: bar.advance(task, done))
    smallest = _smallest(report)
    if as_json:
        print_json(_document(report, smallest))
    else:
        _show(report, smallest)
    if report.drift:
        raise SystemExit(1)


def _smallest(report: Report) -> dict[str, Any] | None:
    if report.failing is None:
        return None
    schedule = shrink(draw(report.failing), lambda smaller: bool(outcome(smaller)[1]))
    return {"seed": report.failing, "moves": describe(schedule), "wrong": outcome(schedule)[1]}


def _document(report: Report, smallest: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "schedules": report.schedules,
        "events": report.events,
        "faults": dict(report.faults.most_common()),
        "drift": report.drift,
        "schedules_per_second": round(report.schedules_per_second, 1),
        "smallest_failing": smallest,
    }


def _show(report: Report, smallest: dict[str, Any] | None) -> None:
    rows = table("fault", "times")
    for fault, times in report.faults.most_common():
        rows.add_row(fault, f"{times:,}")
    console().print(rows)
    console().print(
        f"\n{report.schedules:,} schedules, {report.events:,} calls, {report.faults.total():,} faults: "
        f"drift {report.drift}. {report.schedules_per_second:.0f} schedules a second."
    )
    if smallest:
        console().print(f"\nThe smallest failing schedule found, from seed {smallest['seed']}:")
        for line in (*smallest["moves"], "", *smallest["wrong"]):
            console().print(f"  {line}")
