"""`tallygate pipeline`: how far counting is behind."""

import time
from typing import TYPE_CHECKING

import click

from tallygate.cli.operations import operations_of
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.questions import asking
from tallygate.cli.target import Target, target_options

if TYPE_CHECKING:
    from tallygate.operations.documents import PipelineDocument


@click.command(short_help="Show how far counting is behind.")
@json_option
@target_options
def pipeline(target: Target, as_json: bool) -> None:
    """Show how long it takes until calls are counted and known everywhere, what waits, and what was rejected.

    A writer is one shard of a home's stream. Delays are of its last batch, from the time of a call to its arrival in
    the stream, to the end of counting it, and to the last published row.

    \b
    Examples:
      tallygate pipeline
      tallygate pipeline --stage prod --region us-east-1 --json
    """
    with asking():
        found = operations_of(target).pipeline({}, time.time_ns() // 1_000_000)
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: "PipelineDocument") -> None:
    out = console()
    writers = table(
        "home", "<writer", "<counted", "arrival", "counting", "publishing", "lines/s", "behind", "<waiting since"
    )
    for writer in found["writers"]:
        delay = writer["delay_ms"]
        writers.add_row(
            writer["home"],
            writer["writer"],
            writer["counted_at"] or "not of late",
            *(_seconds(delay[part]) for part in ("arrival", "counted", "published")),
            f"{writer['lines_per_second']:,.1f}",
            _seconds(writer["behind_ms"]),
            writer["waiting_since"] or "nothing waits",
        )
    out.print(writers if found["writers"] else "Nothing was counted yet.")
    for rejects in found["rejects"]:
        waiting, taken = rejects["waiting"], rejects["in_flight"]
        if waiting or taken:
            out.print(
                f"{rejects['home']}: {waiting + taken:,} rejects: `tallygate rejects list` shows them.", soft_wrap=True
            )


def _seconds(milliseconds: int | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds / 1000:,.1f} s"
