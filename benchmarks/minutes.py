"""How far off limits by the minute and bursts are: `python -m benchmarks.minutes [--json]`.

Four callers alike, each with a quota of 600 calls a minute (or a burst of 20 a second), who offer a half to ten times
that for four minutes: evenly, or all of a minute within its first six seconds, from one region or from any of three.
Each run is one of the traffic simulator, call by call, with typical delays.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from rich.progress import track

from tallygate.core.periods import MINUTE_MS, SECOND_MS
from tallygate.core.plans import Limit, Plan
from tallygate.sim.traffic.arrivals import Callers, Stretch, arrivals
from tallygate.sim.traffic.setup import REGIONS, START_MS, Setup, one_home
from tallygate.sim.traffic.truth import UNDER_PERCENT
from tallygate.sim.traffic.world import World

CALLERS = 4
MINUTES = 4
PER_MINUTE, BURST = 600, 20
TIMES = (0.5, 0.8, 1.0, 2.0, 10.0)
ON_SECONDS = 6
SHAPES = ("minute, even", "minute, at once", "burst, even")


@dataclass(frozen=True)
class Row:
    """Percents of the quota that were admitted, of the windows in which more than it was offered; and of the calls in
    windows with less than 90 % of it, those refused. `containers`: how many came, in all regions."""

    shape: str
    times: float
    regions: int
    windows_over: int
    mean_percent: float
    most_percent: float
    under_90_calls: int
    under_90_refused_percent: float
    containers: int


def rows() -> Iterator[tuple[str, float, int]]:
    return ((shape, times, regions) for shape in SHAPES for regions in (1, 3) for times in TIMES)


def measured(shape: str, times: float, regions: int, seed: int) -> Row:
    is_burst = shape.startswith("burst")
    quota, window_ms = (BURST, SECOND_MS) if is_burst else (PER_MINUTE, MINUTE_MS)
    limits = () if is_burst else (Limit("ip", PER_MINUTE, "minute"),)
    plan = Plan("tried", limits, anonymous=True, burst=BURST if is_burst else None)
    rate = CALLERS * times * quota * SECOND_MS / window_ms
    shape_of_all: tuple[Stretch, ...] = (Stretch(60.0 * MINUTES, rate),)
    if shape == "minute, at once":
        shape_of_all = (Stretch(ON_SECONDS, rate * 60 / ON_SECONDS), Stretch(60 - ON_SECONDS, 0)) * MINUTES
    world = World(Setup(one_home(regions)), seed)
    offered, admitted = Counter[object](), Counter[object]()
    for call in arrivals([Callers("caller", "ip", plan, shape_of_all, REGIONS[:regions], CALLERS)], START_MS, seed):
        window = call.charge, call.at_ms // window_ms
        offered[window] += 1
        admitted[window] += world.call(call).allowed
    over = [100 * admitted[window] / quota for window, calls in offered.items() if calls > quota]
    under = [window for window, calls in offered.items() if calls * 100 < quota * UNDER_PERCENT]
    calls_under = sum(offered[window] for window in under)
    refused_under = calls_under - sum(admitted[window] for window in under)
    return Row(
        shape,
        times,
        regions,
        len(over),
        round(sum(over) / len(over), 1) if over else 0.0,
        round(max(over, default=0.0), 1),
        calls_under,
        round(100 * refused_under / calls_under, 2) if calls_under else 0.0,
        world.containers_started,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.minutes", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="another seed is another chance")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    arguments = parser.parse_args()
    cases = list(rows())
    done = [measured(*case, arguments.seed) for case in track(cases, "limits", transient=True, disable=arguments.json)]
    if arguments.json:
        print(json.dumps([asdict(row) for row in done], indent=2))
        return
    print("| limit, calls | × quota | regions | given, mean | most | refused under 90 % | containers |")
    print("|---|---|---|---|---|---|---|")
    for row in done:
        given = f"{row.mean_percent:.0f} % | {row.most_percent:.0f} %" if row.windows_over else "– | –"
        under = f"{row.under_90_refused_percent:.2f} %" if row.under_90_calls else "–"
        print(f"| {row.shape} | {row.times:g} | {row.regions} | {given} | {under} | {row.containers} |")


if __name__ == "__main__":
    main()
