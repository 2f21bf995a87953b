"""The group of all subcommands."""

from typing import Any, Final

import click

from tallygate.cli.addresses import addresses
from tallygate.cli.audit import audit
from tallygate.cli.completion import completion
from tallygate.cli.dashboard import dashboard
from tallygate.cli.demo import demo
from tallygate.cli.exit_codes import EXIT_CODES, INTERRUPTED
from tallygate.cli.failures import one_line_failures
from tallygate.cli.keys import keys
from tallygate.cli.notices import notices
from tallygate.cli.output import escape_what_cannot_be_shown
from tallygate.cli.pipeline import pipeline
from tallygate.cli.plans import plans
from tallygate.cli.quota import quota
from tallygate.cli.rejects import rejects
from tallygate.cli.simulate import simulate
from tallygate.cli.usage import usage
from tallygate.cli.world import down, endpoints, up

SECTIONS: Final[tuple[tuple[str, tuple[click.Command, ...]], ...]] = (
    ("The service on this machine", (demo, up, down, endpoints)),
    ("What is used", (dashboard, usage, quota)),
    ("Who may call, and how much", (keys, addresses, plans, audit)),
    ("What is told, and what goes wrong", (notices, pipeline, rejects)),
    ("What would be", (simulate,)),
    ("Your shell", (completion,)),
)
"""Every command, by what it is for."""


class Tallygate(click.Group):
    """Subcommands in the order in which they are met, failures in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, self.commands))
        for heading, commands in SECTIONS:
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (f"{command.name or '':<{widest}}", command.get_short_help_str(formatter.width))
                        for command in commands
                    ]
                )

    def invoke(self, ctx: click.Context) -> Any:
        escape_what_cannot_be_shown()
        try:
            with one_line_failures():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except click.Abort as end:  # of a question: Ctrl-C, no, or nobody who would answer
            if isinstance(end.__context__, KeyboardInterrupt):
                raise SystemExit(INTERRUPTED) from None
            raise


@click.group(
    "tallygate",
    cls=Tallygate,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"""
\b
Examples:
  tallygate demo                              three regions on this machine, and every count checked
  tallygate up                                the same, to work against; `tallygate down` ends it
  tallygate dashboard                         a page in the browser, to look rather than read
  tallygate usage show ip 203.0.113.7         what one address used this month
  tallygate usage top ref --stage prod        the busiest sites of a deployed stage
  tallygate keys create --owner acme --plan starter
  tallygate quota reset key 0123456789abcdef  what that key used is forgiven, and stays counted

\b
Exit codes: {", ".join(f"{code} {short}" for code, short, _ in EXIT_CODES)}.
TALLYGATE_WORLD: where the world on this machine keeps its state, to have a second one.
docs/commands.md has every command with its options.
""",
)
@click.version_option(package_name="tallygate", prog_name="tallygate", message="%(prog)s %(version)s")
def main() -> None:
    """Tallygate meters and limits the calls of an API that runs in many AWS regions.

    Commands work on the world of `tallygate up` on this machine, unless --stage names a deployed one.
    """


for _, commands in SECTIONS:
    for command in commands:
        main.add_command(command)
