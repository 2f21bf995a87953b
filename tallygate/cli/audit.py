"""`tallygate audit`: who changed what."""

import json
import time
from collections.abc import Iterator
from typing import Any

import click

from tallygate.aws.audit_trail import AuditTrail
from tallygate.cli import suggestions
from tallygate.cli.identifiers import key_id_of
from tallygate.cli.options import Since, since_option
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.target import Target, target_options
from tallygate.core.audit import AuditEntry, Document
from tallygate.core.lines import format_timestamp
from tallygate.core.names import pk_of
from tallygate.core.periods import DAY_MS, day_of


@click.group()
def audit() -> None:
    """Show who changed keys, plans, quotas and rules on addresses."""


@audit.command("list", short_help="List changes: when, who, what, and what it was before.")
@since_option
@click.option(
    "--key", "key", shell_complete=suggestions.keys, help="Changes of this key only, given as its id or secret."
)
@json_option
@target_options
def list_entries(target: Target, since: Since, key: str | None, as_json: bool) -> None:
    """List changes, the oldest first: when, who (the ARN of an IAM principal), what, and what it was before.

    Entries are written together with what they record, never changed, and kept for 400 days.

    \b
    Examples:
      tallygate audit list --since 24h --stage prod
      tallygate audit list --since 2026-11-01 --key 0123456789abcdef --stage prod --json
    """
    now_ms = time.time_ns() // 1_000_000
    since_ms = since(now_ms)
    subject = None if key is None else pk_of("key", key_id_of(key))
    trail = AuditTrail(target.administrative_client, target.names.tally_table)
    entries = trail.entries(months(since_ms, now_ms), format_timestamp(since_ms), subject)
    if as_json:
        print_json([_document(entry) for entry in entries])
        return
    rows = table("at", "<who", "<what", "<on", "<from", "<to")
    for entry in entries:
        change = entry.change
        rows.add_row(entry.at, entry.who, change.action, change.subject, _shown(change.before), _shown(change.after))
    console().print(rows if rows.row_count else "No changes.")


def months(since_ms: int, until_ms: int) -> Iterator[str]:
    """The months from one time to another, as `2026-11`."""
    at_ms = since_ms
    while True:
        day = day_of(at_ms)
        yield day.month
        if day.month_end_ms > until_ms:
            return
        at_ms = day.month_end_ms + DAY_MS // 2


def _document(entry: AuditEntry) -> dict[str, Any]:
    change = entry.change
    return {
        "at": entry.at,
        "id": entry.id,
        "who": entry.who,
        "action": change.action,
        "on": change.subject,
        "before": change.before,
        "after": change.after,
    }


def _shown(document: Document | None) -> str:
    if document is None:
        return ""
    told = {name: value for name, value in document.items() if value not in (None, [], {})}
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in told.items()
    )
