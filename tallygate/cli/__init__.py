"""The `tallygate` command: one module for each subcommand."""

from tallygate.cli.main import main

__all__ = ["main"]
