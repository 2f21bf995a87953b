"""`tallygate keys import`: taking over keys that were given out elsewhere."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal

import click
from rich.progress import Progress

from tallygate.cli.output import console, json_option, print_json
from tallygate.cli.target import Target, target_options
from tallygate.core.key_admin import BusyError, KeyAdmin, KeyAdminError
from tallygate.core.key_import import GivenRow, rows_of

Outcome = Literal["taken", "kept", "failed"]

STANDARD_INPUT: Final = "-"
WRITERS: Final = 8
MOST_SHOWN: Final = 20


@click.command("import", short_help="Take over keys from a file.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--dry-run", is_flag=True, help="Say what would happen, and write nothing.")
@json_option
@target_options
def import_keys(target: Target, file: str, dry_run: bool, as_json: bool) -> None:
    """Take over keys from FILE (- is standard input): those of another installation with the same stage, or a backup.

    FILE is CSV with a header, or JSON lines. A row has `hash`, the SHA-256 of the whole secret in hex, or, from
    standard input only, `secret`; `owner` and `plan`; and if you like `note`, `expires`, `referers` and `addresses`
    (in CSV with blanks between several). A key that is here already stays as it is, so that the same file can be
    imported again. Secrets must be Tallygate's and of this stage: others are refused without a look at any table.

    \b
    Examples:
      tallygate keys import keys.csv --dry-run --stage prod
      pass show old-keys | tallygate keys import - --stage prod --json
    """
    now_ms = time.time_ns() // 1_000_000
    with click.open_file(file, encoding="utf-8-sig", errors="replace") as lines:
        rows = list(rows_of(lines, target.names.stage, now_ms, secrets=file == STANDARD_INPUT))
    admin = target.key_admin()
    outcomes: Counter[Outcome] = Counter()
    failed: list[tuple[int, str]] = []
    with Progress(console=console(stderr=True), transient=True) as progress:
        for row, outcome, reason in progress.track(_carried_out(admin, rows, now_ms, dry_run), total=len(rows)):
            outcomes[outcome] += 1
            if reason is not None:
                failed.append((row.line, reason))
    if as_json:
        print_json(
            {
                "taken": outcomes["taken"],
                "kept": outcomes["kept"],
                "failed": [{"line": line, "reason": reason} for line, reason in failed],
                "dry_run": dry_run,
            }
        )
    else:
        said = console()
        taken = "would be taken over" if dry_run else "taken over"
        said.print(f"{outcomes['taken']:,} keys {taken}, {outcomes['kept']:,} here already, {len(failed):,} not taken")
        for line, reason in failed[:MOST_SHOWN]:
            said.print(f"  line {line}: {reason}", soft_wrap=True)
        if len(failed) > MOST_SHOWN:
            said.print(f"  … and {len(failed) - MOST_SHOWN:,} more: --json lists all")
    if failed:
        raise SystemExit(1)


def _carried_out(
    admin: KeyAdmin, rows: list[GivenRow], now_ms: int, dry_run: bool
) -> Iterator[tuple[GivenRow, Outcome, str | None]]:
    """Each row with what came of it, in the order of the file. A failure of AWS ends it: the rows before stand."""
    plans = frozenset(admin.plans())
    known = KeyAdmin(admin.keys, lambda: plans, admin.stage, admin.choice)

    def carry_out(row: GivenRow) -> tuple[Outcome, str | None]:
        if row.key is None:
            return "failed", row.wrong
        try:
            return known.take(row.key.hash, row.key.fields, now_ms, dry_run=dry_run), None
        except (KeyAdminError, BusyError) as error:
            return "failed", str(error)

    with ThreadPoolExecutor(WRITERS) as pool:
        for row, (outcome, reason) in zip(rows, pool.map(carry_out, rows), strict=True):
            yield row, outcome, reason
