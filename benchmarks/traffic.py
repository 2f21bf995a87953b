"""Calls per second of one core that the traffic simulator runs: `python -m benchmarks.traffic [--calls N]`.

Tallygate alone, one process: call by call, where each call is a decision, a line, and its part of a fold, and
aggregated, where a caller's calls of one tick are simulated at once.
"""

import argparse

from rich.progress import track

from tallygate.sim.traffic.runs import Conditions, run
from tallygate.sim.traffic.scenarios import SCENARIOS

ONE_BY_ONE = ("steady", "on-off", "hot-key", "botnet", "zipf")
AGGREGATED = ("steady", "hot-key", "ten-regions")
AS_MANY = 200
"""How many times more calls are aggregated than are simulated one by one."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.traffic", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000, help="most calls of a scenario, one by one")
    calls = parser.parse_args().calls
    runs = [(name, Conditions(0, calls=calls)) for name in ONE_BY_ONE]
    runs += [(name, Conditions(0, aggregated=True, calls=calls * AS_MANY)) for name in AGGREGATED]
    print("| scenario | | calls | calls a second of one core |")
    print("|---|---|---|---|")
    for name, conditions in track(runs, "scenarios", transient=True):
        figures = run(SCENARIOS[name], conditions)
        how = "aggregated" if conditions.aggregated else "one by one"
        print(f"| {name} | {how} | {figures.calls:,} | {figures.calls_per_second:,.0f} |")


if __name__ == "__main__":
    main()
