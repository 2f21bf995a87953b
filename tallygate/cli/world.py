"""`tallygate up`, `down` and `endpoints`: the world on this machine, to work against."""

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from tallygate.aws.key_admin import key_admin
from tallygate.cli.failures import Failure
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.phases import Phases
from tallygate.cli.signals import ended_by_signals
from tallygate.demo.keys import DemoKey, give_out_keys
from tallygate.local.errors import WorldError
from tallygate.local.flavour import LOCAL_STAGE
from tallygate.local.world import DIRECTORY, PROJECT, World

DEMO_KEYS: Final = "demo_keys"
WORLD_VARIABLE: Final = "TALLYGATE_WORLD"

port_option = click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of 127.0.0.1 for everything.  [default: any that is free]"
)
config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=PROJECT / "tallygate.toml",
    show_default="the project's tallygate.toml",
    help="Configuration to deploy.",
)


def world_directory() -> Path:
    """Where the world of this machine keeps its state. TALLYGATE_WORLD names another place, for a second one."""
    return Path(os.environ.get(WORLD_VARIABLE, DIRECTORY))


def attach() -> World:
    """The world that is up."""
    world = World.attach(world_directory())
    if not world.endpoints:
        raise Failure(f"the local world is still starting; its log is {world.log_path}")
    return world


def start(config_path: Path, port: int | None, phases: Phases, *, detached: bool) -> tuple[World, list[DemoKey]]:
    """A world that is ready to be called, and the keys given out in it."""
    world = World.start(config_path, port=port, detached=detached, directory=world_directory(), report=phases)
    try:
        with phases.phase("keys"):
            gate = world.aws.client("dynamodb", world.config.service.administrative_region)
            admin = key_admin(gate, world.names.gate_table, LOCAL_STAGE)
            keys = give_out_keys(admin, world.config.plans, time.time_ns() // 1_000_000)
            world.remember(**{DEMO_KEYS: [asdict(key) for key in keys]})
    except BaseException:
        world.stop()
        raise
    return world, keys


@click.command(short_help="Start the regions on this machine.")
@port_option
@config_option
@json_option
def up(port: int | None, config_path: Path, as_json: bool) -> None:
    """Start the regions of tallygate.toml on this machine and leave them running.

    Everything is on 127.0.0.1; `tallygate down` ends it. Working copies and logs are in .tallygate/.

    \b
    Examples:
      tallygate up
      curl -i "$(tallygate endpoints --json | jq -r '.regions["eu-west-1"]')/v1/whoami"
    """
    out = console(stderr=as_json)
    begun = time.monotonic()
    phases = Phases(out)
    with ended_by_signals():
        try:
            world, _ = start(config_path, port, phases, detached=True)
        finally:
            phases.stop()
    out.print(f"Ready after {time.monotonic() - begun:.1f} s: process {world.pid}, log in {world.log_path}")
    if as_json:
        print_json(document(world))
        return
    show_world(world, out)
    out.print("\n`tallygate down` ends it.")


@click.command(short_help="End them.")
@json_option
def down(as_json: bool) -> None:
    """End what `tallygate up` or a demo that was killed left running. No harm when there is nothing.

    \b
    Example:
      tallygate down
    """
    try:
        world = World.attach(world_directory())
    except WorldError as error:
        said, port = f"Nothing to end: {error}", None
    else:
        world.stop()
        said, port = f"Ended the world on port {world.port}.", world.port
    if as_json:
        print_json({"ended": port is not None, "port": port})
    else:
        click.echo(said)


@click.command(short_help="Show their URLs and the demo keys.")
@json_option
def endpoints(as_json: bool) -> None:
    """Show the URL of each region, the AWS endpoint and the demo keys.

    \b
    Examples:
      tallygate endpoints
      tallygate endpoints --json | jq -r .aws
    """
    world = attach()
    if as_json:
        print_json(document(world))
    else:
        show_world(world, console())


def document(world: World) -> dict[str, Any]:
    """What there is to call, and with what."""
    return {
        "regions": {region: endpoint.url for region, endpoint in world.endpoints.items()},
        "ops": world.ops_endpoint.url,
        "aws": world.aws.endpoint,
        "environment": world.aws.environment(world.config.service.administrative_region),
        "keys": world.notes.get(DEMO_KEYS, []),
    }


def show_world(world: World, out: Console, page: str = "`tallygate dashboard` serves it") -> None:
    """The same for people. `page`: where the operators' page is."""
    rows = table("region", "<API")
    for region, endpoint in world.endpoints.items():
        rows.add_row(region, endpoint.url)
    rows.add_row("operators", world.ops_endpoint.url)
    rows.add_row("page", page)
    rows.add_row("AWS", world.aws.endpoint)
    out.print(rows)
    keys = table("demo key", "<plan", "<id")
    for key in world.notes.get(DEMO_KEYS, []):
        keys.add_row(key["secret"], key["plan"], key["id"])
    if keys.row_count:
        out.print()
        out.print(keys)
