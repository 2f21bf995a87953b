"""`tallygate simulate traffic`: how well quotas hold in many regions, beside the counter that one would write first."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any, Final

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tallygate.cli.output import NewFile, console, json_option, print_json, table
from tallygate.cli.signals import ended_by_signals
from tallygate.sim.traffic.bound import bound_percent
from tallygate.sim.traffic.delays import MODELS
from tallygate.sim.traffic.report import Figures
from tallygate.sim.traffic.runs import MOST_CALLS, Conditions, expected_calls, run
from tallygate.sim.traffic.scenarios import SCENARIOS, Scenario

PICTURES: Final = (".svg", ".png")
_SHOWN: Final = {
    "overshoot_percent": "overshoot, % of quota",
    "overshoot_mean_percent": "  mean of all callers",
    "unspent_percent": "unspent, % of quota",
    "unspent_mean_percent": "  mean of all callers",
    "refused_under_90_percent": "refused though under 90 %, % of calls",
    "refused_under_90_calls": "  calls",
    "enforced_after_p50_seconds": "refused for good after, s, p50",
    "enforced_after_p99_seconds": "  p99",
    "replicated_writes": "replicated writes",
    "tally_writes": "tally writes",
    "reads": "gate reads",
    "hottest_reads_per_second": "hottest partition, reads/s",
    "hottest_writes_per_second": "hottest item, writes/s",
}


def _with_scenarios(command: Callable[..., Any]) -> Callable[..., Any]:
    width = max(len(name) for name in SCENARIOS)
    lines = "\n".join(f"      {name:<{width}}  {scenario.what}" for name, scenario in SCENARIOS.items())
    command.__doc__ = (command.__doc__ or "").replace("{scenarios}", lines.lstrip())
    return command


@click.command()
@click.option(
    "--scenario",
    "names",
    type=click.Choice([*SCENARIOS, "all"]),
    metavar="NAME",
    multiple=True,
    required=True,
    help="Which of those above, or `all`; again for several.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another seed is another chance.")
@click.option(
    "--delays",
    type=click.Choice(list(MODELS)),
    default="typical",
    show_default=True,
    help="How late things are: `bad` has deliveries of up to three minutes.",
)
@click.option(
    "--aggregated",
    is_flag=True,
    help="Simulate many calls of a caller at once: a billion in minutes.",
)
@click.option(
    "--calls",
    type=click.IntRange(1),
    show_default=f"{MOST_CALLS:,}, all when aggregated",
    help="Stop after so many calls.",
)
@click.option(
    "--plot",
    "picture",
    type=NewFile(),
    help="Draw what one caller offered and was given over time into this file: .svg or .png.",
)
@json_option
@_with_scenarios
def traffic(
    names: Sequence[str],
    seed: int,
    delays: str,
    aggregated: bool,
    calls: int | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Hold callers in many regions to their quotas, on a virtual clock.

    The real core decides, counts and publishes, while logs, flushes and replication are late and things go wrong.
    Beside it, in the same traffic, stands the naive asynchronous counter: every flush published, nothing estimated.
    Overshoot, and what was left unspent, are those of the worst caller of all who offered more than their quota.

    \b
    Scenarios:
      {scenarios}

    \b
    Examples:
      tallygate simulate traffic --scenario steady --seed 7
      tallygate simulate traffic --scenario on-off --scenario step-burst --delays bad --json
      tallygate simulate traffic --scenario ramp --plot ramp.svg
      tallygate simulate traffic --scenario ten-regions --aggregated    a billion calls
    """
    if picture is not None and picture.suffix not in PICTURES:
        raise click.BadParameter(f"{picture} does not end in {' or '.join(PICTURES)}", param_hint="--plot")
    conditions = Conditions(seed, MODELS[delays], aggregated=aggregated, calls=calls)
    chosen = [SCENARIOS[name] for name in (SCENARIOS if "all" in names else dict.fromkeys(names))]
    documents, panels = [], []
    for scenario in chosen:
        ours, naive = _both(scenario, conditions)
        panels.append((scenario, ours, naive))
        documents.append(_document(scenario, conditions, ours, naive))
        if not as_json:
            _show(scenario, documents[-1])
    if picture is not None:
        from tallygate.sim.traffic.plots import Panel, plot  # half a second of imports

        plot([Panel(*panel) for panel in panels], picture)
    if as_json:
        print_json(documents[0] if len(documents) == 1 else documents)


def _both(scenario: Scenario, conditions: Conditions) -> tuple[Figures, Figures]:
    """The scenario by Tallygate, and by the naive counter in a process beside it."""
    terminal = console(stderr=True)
    columns = TextColumn(scenario.name), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    bar = Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal)
    with ended_by_signals(), ProcessPoolExecutor(1) as beside, bar:
        naive = beside.submit(_run_naive, scenario.name, conditions)
        task = bar.add_task(scenario.name, total=expected_calls(scenario, conditions))
        try:
            ours = run(scenario, conditions, lambda done: bar.advance(task, done))
            return ours, naive.result()
        except BaseException:  # whoever ends this does not wait until the other has ended by itself
            for process in active_children():
                process.kill()  # a signal that it handles is lost while it starts
            raise


def _run_naive(name: str, conditions: Conditions) -> Figures:
    return run(SCENARIOS[name], replace(conditions, naive=True))


def _document(scenario: Scenario, conditions: Conditions, ours: Figures, naive: Figures) -> dict[str, Any]:
    groups = scenario.groups(aggregated=conditions.aggregated)
    bound = bound_percent(groups, replace(scenario.setup, delays=conditions.delays))
    return {
        "scenario": scenario.name,
        "seed": conditions.seed,
        "delays": conditions.delays.name,
        "aggregated": conditions.aggregated,
        "bound_percent": None if bound is None else round(bound, 3),
        "ours": ours.document(),
        "naive": naive.document(),
    }


def _show(scenario: Scenario, document: dict[str, Any]) -> None:
    ours, naive, bound = document["ours"], document["naive"], document["bound_percent"]
    console().print(f"{scenario.name}: {scenario.what}", soft_wrap=True)
    rows = table("", "Tallygate", "naive")
    for figure, label in _SHOWN.items():
        rows.add_row(label, *(f"{run[figure]:,}" for run in (ours, naive)))
    console().print(rows)
    bounded = "" if bound is None else f" By rate and delays alone overshoot is at most {bound:.1f} %."
    console().print(
        f"{ours['calls']:,} calls of {ours['callers']:,} callers, {ours['callers_over_quota']:,} over their quota; "
        f"seed {document['seed']}, {document['delays']} delays.{bounded} {ours['calls_per_second']:,} calls a second "
        "of one core.\n",
        soft_wrap=True,
    )
