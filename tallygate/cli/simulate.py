"""`tallygate simulate`: the real core under conditions that no test machine has. A module for each subcommand."""

import click

from tallygate.cli.simulate_faults import faults


@click.group()
def simulate() -> None:
    """Run the real core in simulation: against faults."""


for command in (faults,):
    simulate.add_command(command)
