"""`tallygate simulate`: the real core under conditions that no test machine has. A module for each subcommand."""

import click

from tallygate.cli.simulate_faults import faults
from tallygate.cli.simulate_log import log
from tallygate.cli.simulate_traffic import traffic


@click.group(short_help="Run the real core under faults, in traffic, and on an access log.")
def simulate() -> None:
    """Run the real core in simulation: against faults, in the traffic of many regions, and on an access log."""


for command in (faults, traffic, log):
    simulate.add_command(command)
