"""How exactly quotas are held, on the traffic simulator: the tables and the picture of docs/accuracy.md.

    python -m benchmarks.accuracy scenarios [--seeds N] [--delays bad]    every scenario, the worst of N seeds
    python -m benchmarks.accuracy tuning [--seeds N]                      one parameter of the decision at a time
    python -m benchmarks.accuracy speed [--seeds N] [--plot FILE]         the faster a quota is spent

Deterministic: the same seeds make the same figures.
"""

import argparse
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.progress import track

from tallygate.core.plans import Limit, Plan
from tallygate.core.tuning import TUNING, Tuning
from tallygate.sim.traffic.arrivals import Callers, Stretch
from tallygate.sim.traffic.bound import bound_percent
from tallygate.sim.traffic.delays import MODELS, TYPICAL, Delays
from tallygate.sim.traffic.runs import Conditions, run
from tallygate.sim.traffic.scenarios import SCENARIOS, Scenario
from tallygate.sim.traffic.setup import REGIONS, Setup, one_home

TOO_LONG = ("zipf", "ten-regions")
"""Of millions of calls: `tallygate simulate traffic --scenario NAME [--aggregated]`."""
TUNED_ON = ("steady", "ramp", "on-off", "on-off-hard", "small-quota", "just-under")
CURVES: dict[str, tuple[int, ...]] = {
    "engage_percent": (50, 90),
    "sure_percent": (80, 95),
    "horizon_delays": (2, 4),
    "readmit_percent": (25, 100),
    "noise_calls": (0, 1_000),
}
"""Other values than those in force."""
SPENT_PERCENT = (1, 2, 4, 6, 8, 10, 13, 16, 20)


@dataclass(frozen=True)
class Job:
    scenario: Scenario
    conditions: Conditions


def _done(job: Job) -> dict[str, Any]:
    return run(job.scenario, job.conditions).document()


def _all(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Every job's figures, in order; one process for each core."""
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(track(pool.map(_done, jobs), "runs", total=len(jobs), transient=True))


def _worst(documents: Iterable[dict[str, Any]], name: str) -> float:
    return max(float(document[name]) for document in documents)


def _mean(documents: Sequence[dict[str, Any]], name: str) -> float:
    return sum(float(document[name]) for document in documents) / len(documents)


def scenarios(seeds: int, delays: Delays) -> None:
    names = [name for name in SCENARIOS if name not in TOO_LONG]
    jobs = [
        Job(SCENARIOS[name], Conditions(seed, delays, naive=naive))
        for name in names
        for naive in (False, True)
        for seed in range(seeds)
    ]
    documents = _all(jobs)
    print(
        "| scenario | overshoot | mean | naive | mean | plain bound | unspent | refused under 90 % | writes | naive |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for place, name in enumerate(names):
        ours = documents[2 * place * seeds : (2 * place + 1) * seeds]
        naive = documents[(2 * place + 1) * seeds : (2 * place + 2) * seeds]
        scenario = SCENARIOS[name]
        bound = bound_percent(scenario.callers, scenario.setup)
        figures = (
            f"{_worst(ours, 'overshoot_percent'):.1f} %",
            f"{_mean(ours, 'overshoot_mean_percent'):.1f} %",
            f"{_worst(naive, 'overshoot_percent'):.1f} %",
            f"{_mean(naive, 'overshoot_mean_percent'):.1f} %",
            "—" if bound is None or delays is not TYPICAL else f"{bound:.1f} %",
            f"{_worst(ours, 'unspent_percent'):.1f} %",
            f"{sum(document['refused_under_90_calls'] for document in ours):,}",
            f"{_mean(ours, 'replicated_writes'):,.0f}",
            f"{_mean(naive, 'replicated_writes'):,.0f}",
        )
        print(f"| {name} | {' | '.join(figures)} |")


def tuning(seeds: int) -> None:
    points: list[tuple[str, Tuning]] = [("**in force**", TUNING)]
    points += [(f"{name} {value}", replace(TUNING, **{name: value})) for name in CURVES for value in CURVES[name]]
    jobs = [
        Job(SCENARIOS[scenario], Conditions(seed, tuning=tuned))
        for _, tuned in points
        for scenario in TUNED_ON
        for seed in range(seeds)
    ]
    documents = iter(_all(jobs))
    print(f"| | {' | '.join(TUNED_ON[:-1])} | unspent | refused under 90 % |")
    print(f"|---|{'---|' * (len(TUNED_ON) + 1)}")
    for name, _ in points:
        of_all = [[next(documents) for _ in range(seeds)] for _ in TUNED_ON]
        everything = [document for of_one in of_all for document in of_one]
        overshoot = [f"{_mean(of_one, 'overshoot_mean_percent'):.1f} %" for of_one in of_all[:-1]]
        refused = sum(document["refused_under_90_calls"] for document in everything)
        unspent = f"{_worst(everything, 'unspent_percent'):.1f} %"
        print(f"| {name} | {' | '.join(overshoot)} | {unspent} | {refused:,} |")


def _spending(percent: float) -> Scenario:
    """A caller who spends `percent` of a quota of 10,000 a day within the mean delay of counting, in ten regions."""
    rate = 10_000 * percent / 100 / (TYPICAL.mean_ms / 1000)
    plan = Plan("anonymous", (Limit("ip", 10_000, "day"),), anonymous=True)
    caller = Callers("over", "ip", plan, (Stretch(13_000 / rate, rate),), REGIONS)
    return Scenario(f"{percent} %", "", (caller,), ("ip", "over-0"), Setup(one_home(len(REGIONS))))


def speed(seeds: int, path: Path | None) -> None:
    made = [_spending(percent) for percent in SPENT_PERCENT]
    jobs = [
        Job(scenario, Conditions(seed, naive=naive))
        for scenario in made
        for naive in (False, True)
        for seed in range(seeds)
    ]
    documents = iter(_all(jobs))
    rows: list[tuple[int, float, float, float, float]] = []
    print("| of the quota spent within the mean delay | overshoot, worst | mean | naive, worst | mean |")
    print("|---|---|---|---|---|")
    for percent in SPENT_PERCENT:
        ours, naive = ([next(documents) for _ in range(seeds)] for _ in range(2))
        row = tuple(f(d, "overshoot_percent") for d in (ours, naive) for f in (_worst, _mean))
        rows.append((percent, *row))  # type: ignore[arg-type]
        print(f"| {percent} % | {' | '.join(f'{figure:.1f} %' for figure in row)} |")
    if path is not None:
        _draw(rows, path)


def _draw(rows: Sequence[tuple[int, float, float, float, float]], path: Path) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    spent = [row[0] for row in rows]
    for worst, mean, label, colour in ((3, 4, "naive counter", "C1"), (1, 2, "Tallygate", "C0")):
        axes.plot(spent, [row[mean] for row in rows], colour, marker="o", markersize=3, label=f"{label}, mean")
        axes.plot(spent, [row[worst] for row in rows], f"{colour}:", label=f"{label}, worst seed")
    axes.set_xlabel("share of the quota that is spent within the mean delay of counting, %")
    axes.set_ylabel("overshoot, % of quota")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.legend(fontsize="small")
    with mpl.rc_context({"svg.hashsalt": "tallygate"}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=("scenarios", "tuning", "speed"))
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0 on")
    parser.add_argument("--delays", choices=sorted(MODELS), default=TYPICAL.name)
    parser.add_argument("--plot", type=Path, help="draw `speed` into this file, .svg or .png")
    options = parser.parse_args()
    tables: dict[str, Callable[[], None]] = {
        "scenarios": lambda: scenarios(options.seeds, MODELS[options.delays]),
        "tuning": lambda: tuning(options.seeds),
        "speed": lambda: speed(options.seeds, options.plot),
    }
    tables[options.table]()


if __name__ == "__main__":
    main()
