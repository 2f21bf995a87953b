"""The `tallygate` command: one module for each subcommand."""

try:
    from tallygate.cli.main import main
except KeyboardInterrupt:  # importing takes half a second, and ends as quietly as the rest
    raise SystemExit(130) from None

__all__ = ["main"]
