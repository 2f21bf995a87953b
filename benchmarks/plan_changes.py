"""How soon applied plans hold in each region of the world on this machine: `python -m benchmarks.plan_changes`.

Starts a world of its own. A key that has used 60 of 100,000 units, of which no region knows, is put under a quota of
50, and then of a million, by `tallygate plans apply --no-wait`, while each region is called without a pause; likewise
under a quota of its own by `tallygate keys override`. Told is the time from the command's end to the first call that is
answered accordingly; with `--json`, as JSON. Containers read plans again after 30 s, profiles after one. Replication
takes no time here: on AWS, add it (mostly less than a second).
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.key_changes import command, effects, sign_up, status
from tallygate.local.world import PROJECT, World

CALLS: Final = 60


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "tallygate.toml"
        shipped = (PROJECT / "tallygate.toml").read_text()

        def write(quota: int) -> None:
            limit = f'{{ per = "key", quota = {quota}, window = "day" }}'
            file.write_text(shipped.replace("[plans.pro]", f"[plans.timed]\nlimits = [{limit}]\n\n[plans.pro]"))

        write(100_000)
        with World.start(file, directory=Path(directory) / "world") as world:
            measured = measure(world, lambda quota: (write(quota), command(world, *_apply(file)))[1])
    if "--json" in sys.argv:
        print(json.dumps(measured, indent=2))
        return
    regions = list(next(iter(measured.values())))
    print(f"{'seconds from the end of the command':36}" + "".join(f"{region:>16}" for region in regions))
    for change, seconds in measured.items():
        print(f"{change:36}" + "".join(f"{seconds[region]:>16.2f}" for region in regions))


def measure(world: World, apply: Callable[[int], None]) -> dict[str, dict[str, float]]:
    """By change and region, seconds from the end of the command to its effect."""
    made = sign_up(world)
    command(world, "keys", "set-plan", made["id"], "timed")
    caller = {"x-api-key": made["secret"]}
    hosts = [endpoint.host for endpoint in world.endpoints.values()]
    for number in range(CALLS):
        status(world, hosts[number % len(hosts)], "/v1/whoami", caller)
    world.wait_until_caught_up()
    changes: list[tuple[str, int, Callable[[], None]]] = [
        ("plan: 100,000 to 50, 60 used", 429, lambda: apply(50)),
        ("plan: 50 to 1,000,000", 200, lambda: apply(1_000_000)),
        ("key: override of 50", 429, lambda: command(world, "keys", "override", made["id"], "--limit", "key=50/day")),
        ("key: override removed", 200, lambda: command(world, "keys", "override", made["id"], "--remove")),
    ]
    measured = {}
    for name, answered, change in changes:
        found = effects(world, caller, answered, change)
        measured[name] = {region: round(seconds, 2) for region, (_, seconds) in found.items()}
        world.wait_until_caught_up()
    return measured


def _apply(file: Path) -> tuple[str, ...]:
    return "plans", "apply", "--no-wait", "--config", str(file)


if __name__ == "__main__":
    main()
