"""`tallygate demo`: an access log through three regions of this machine, and every count beside the log's own."""

import os
import shlex
import shutil
import sys
import time
from itertools import islice
from pathlib import Path

import click
from rich.console import Console

from tallygate.access_log.entry import Skipped
from tallygate.aws.whole_tally import WholeTally
from tallygate.cli.dashboard import served_world
from tallygate.cli.demo_report import DemoReport, skipped_lines
from tallygate.cli.failures import Failure
from tallygate.cli.output import console, print_json
from tallygate.cli.phases import Phases
from tallygate.cli.signals import ended_by_signals
from tallygate.cli.world import (
    DEMO_KEYS,
    WORLD_VARIABLE,
    config_option,
    port_option,
    show_world,
    start,
    world_directory,
)
from tallygate.demo.access_log import LogLine, read_log
from tallygate.demo.run import run
from tallygate.demo.sample import SAMPLE, SCRAPER
from tallygate.demo.sender import NoAnswersError
from tallygate.local.world import World


@click.command(short_help="Send an access log through, check every count.")
@click.option(
    "--log",
    "log_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True),
    default=SAMPLE,
    show_default="a sample that ships with tallygate",
    help="Access log in the combined format, gzip or not.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Read this many lines only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; progress goes to stderr.")
@port_option
@config_option
@click.option("--stay/--no-stay", default=None, help="Stay up afterwards, to try things.  [default: on a terminal]")
def demo(
    log_path: Path, limit: int | None, as_json: bool, port: int | None, config_path: Path, stay: bool | None
) -> None:
    """Send an access log through every region, on this machine, and check every count.

    Starts an emulated AWS on 127.0.0.1 and deploys the stacks to each region. Sends each line of the log as a call with
    its own address and Referer, some with a key. Then compares what was counted for every address, site and key with
    the log, and shows the quotas at work. Exit code 1 if anything is not as it should be.

    \b
    Examples:
      tallygate demo
      tallygate demo --log /var/log/nginx/access.log.1 --limit 2000
      tallygate demo --json --no-stay | jq .matches
    """
    out = console(stderr=as_json)
    lines = list(islice(read_log(log_path), limit))
    if not any(isinstance(line, LogLine) for line in lines):
        skipped = [line for line in lines if isinstance(line, Skipped)]
        reasons = "\n".join(skipped_lines(skipped))
        raise Failure(f"{log_path} has no line that can be sent:\n{reasons}" if skipped else f"{log_path} has no lines")
    out.print("Starting the regions on this machine")
    phases = Phases(out)
    begun = time.monotonic()
    with ended_by_signals():
        try:
            world, keys = start(config_path, port, phases, detached=False)
            with world:
                ready_seconds = time.monotonic() - begun
                out.print(f"Ready after {ready_seconds:.1f} s on port {world.port}\n")
                urls = {region: endpoint.url for region, endpoint in world.endpoints.items()}
                tallies = {home: world.aws.client("dynamodb", home) for home in world.config.service.homes}
                usage = WholeTally(tallies, world.names.tally_table)
                report, prefix = DemoReport(out, phases), world.config.service.ipv6_prefix
                outcome = run(urls, world, usage, world.config.plans, keys, lines, report, prefix)
                if as_json:
                    print_json({**outcome.document(), "seconds": {"ready": round(ready_seconds, 2), **phases.seconds}})
                if stay if stay is not None else not as_json and sys.stdin.isatty() and out.is_terminal:
                    with served_world(world) as page:
                        stay_up(world, out, page)
        except NoAnswersError as error:
            raise Failure(f"{error}; see {world.log_path}") from None
        finally:
            phases.stop()
    if not outcome.is_well:
        raise SystemExit(1)


def this_command() -> str:
    """What to type in another terminal, in whatever directory, to reach this world."""
    found, own = shutil.which("tallygate"), os.path.abspath(sys.argv[0])
    command = "tallygate" if found and os.path.realpath(found) == os.path.realpath(own) else shlex.quote(own)
    if WORLD_VARIABLE in os.environ:
        return f"{WORLD_VARIABLE}={shlex.quote(str(world_directory().absolute()))} {command}"
    return command


def stay_up(world: World, out: Console, page: str) -> None:
    """Until a signal comes or the world is ended from elsewhere. `page` is the URL of the operators' page."""
    endpoint = next(iter(world.endpoints.values()))
    out.print()
    show_world(world, out, page)
    keys = world.notes[DEMO_KEYS]
    command = this_command()
    tries = [
        f"curl -i {endpoint.url}/v1/whoami",
        f"curl -i {endpoint.url}/v1/whoami -H 'x-forwarded-for: {SCRAPER}'",
        f"{command} usage top ip",
    ]
    if keys:
        tries += [
            f"curl -s {endpoint.url}/v1/usage -H 'x-api-key: {keys[-1]['secret']}'",
            f"{command} usage show key {keys[-1]['secret']}",
            f"{command} keys create --owner me --plan {keys[0]['plan']}",
        ]
    out.print("\nTry, in another terminal (here X-Forwarded-For says who is calling)")
    for line in tries:
        out.print(f"  {line}", soft_wrap=True)
    out.print("\nCtrl-C ends everything.")
    try:
        while world.is_running():
            time.sleep(0.5)
        out.print("Ended from elsewhere.")
    except KeyboardInterrupt:
        out.print("Ended.")
