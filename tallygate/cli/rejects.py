"""`tallygate rejects`: what could not be counted, and giving it again."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from tallygate.aws.rejects_mailbox import KeptReject, RejectsMailbox, give_again
from tallygate.cli.failures import Failure
from tallygate.cli.output import console, json_option, print_json, table
from tallygate.cli.target import Target, target_options
from tallygate.core.lines import format_timestamp
from tallygate.core.retry import retry_of

SHOWN_CHARS = 60


@click.group()
def rejects() -> None:
    """Look at what could not be counted, and give it again."""


@rejects.command("list")
@json_option
@target_options
def list_rejects(target: Target, as_json: bool) -> None:
    """List what could not be counted, oldest first.

    Everything in the queue of a home is read and put back; nobody loses sight of it.

    \b
    Examples:
      tallygate rejects list
      tallygate rejects list --stage prod --region us-east-1 --json
    """
    with _kept(target) as (_, kept):
        if as_json:
            print_json([_document(reject) for reject in kept])
            return
        rows = table("reject", "<since", "<reason", "<log stream", "<body")
        for reject in kept:
            body = _text(reject)
            short = body if len(body) <= SHOWN_CHARS else body[: SHOWN_CHARS - 1] + "…"
            rows.add_row(
                reject.id, format_timestamp(reject.sent_ms), reject.reject.reason, reject.reject.log_stream or "", short
            )
        console().print(rows if kept else "Nothing: every usage line was counted.")


@rejects.command(short_help="Show one reject whole.")
@click.argument("reject")
@json_option
@target_options
def show(target: Target, reject: str, as_json: bool) -> None:
    """Show one reject whole: where it came from, why it was rejected, and its line or payload.

    \b
    Example:
      tallygate rejects show 5f0c2a9be81d
    """
    with _kept(target) as (_, kept):
        found = _chosen(kept, [reject])[0]
        if as_json:
            print_json(_document(found))
            return
        rows = table("", "<")
        document = _document(found)
        body = document.pop("body")
        for name, value in document.items():
            rows.add_row(name.replace("_", " "), str(value))
        console().print(rows)
        console().print(body)


@rejects.command()
@click.argument("chosen", nargs=-1, metavar="[REJECT]...")
@click.option("--all", "everything", is_flag=True, help="All rejects of the home.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Mend a field of the lines first; VALUE is JSON, or else text. May be given several times.",
)
@json_option
@target_options
def retry(target: Target, chosen: tuple[str, ...], everything: bool, changes: tuple[str, ...], as_json: bool) -> None:
    """Give rejects to the stream again, after what was wrong is mended.

    Each counts once, also when this is repeated or dies in the middle: a line given again carries an idempotency key
    made from where it was rejected. What would be rejected again stays in the queue, and the exit code is 1; of a
    payload, the lines that are countable by now are counted.

    \b
    Examples:
      tallygate rejects retry 5f0c2a9be81d --set home=us-east-1
      tallygate rejects retry --all --stage prod
    """
    if bool(chosen) == everything:
        raise click.UsageError("name rejects, or give --all")
    mended = dict(_change(change) for change in changes)
    now_ms = time.time_ns() // 1_000_000
    with _kept(target) as (mailbox, kept):
        retried = {
            reject.id: retry_of(reject.reject, target.home, now_ms, mended)
            for reject in (kept if everything else _chosen(kept, chosen))
        }
        events = [event for retry in retried.values() for event in retry.events]
        if events:
            give_again(target.aws("kinesis", target.home), target.names.stream, "retry", events)
        done = [reject for reject in kept if reject.id in retried and not retried[reject.id].wrong]
        mailbox.remove(done)
        kept[:] = [reject for reject in kept if reject not in done]
    left = {name: list(dict.fromkeys(retry.wrong)) for name, retry in retried.items() if retry.wrong}
    if as_json:
        print_json({"retried": [reject.id for reject in done], "lines": len(events), "left": left})
    else:
        console().print(f"Gave {len(events)} lines of {len(done)} rejects again.")
        for name, wrong in left.items():
            console().print(f"{name} stays: {'; '.join(wrong)}")
    if left:
        raise SystemExit(1)


@contextmanager
def _kept(target: Target) -> Iterator[tuple[RejectsMailbox, list[KeptReject]]]:
    """The mailbox of the home and all that is in it; what is not removed is put back."""
    mailbox = RejectsMailbox(target.aws("sqs", target.home), target.names.rejects_queue)
    kept = mailbox.look()
    try:
        yield mailbox, kept
    finally:
        mailbox.put_back(kept)


def _chosen(kept: Sequence[KeptReject], ids: Sequence[str]) -> list[KeptReject]:
    known = {reject.id: reject for reject in kept}
    for wanted in ids:
        if wanted not in known:
            raise Failure(f"there is no reject {wanted}: `tallygate rejects list` names those there are")
    return [known[wanted] for wanted in dict.fromkeys(ids)]


def _change(change: str) -> tuple[str, Any]:
    name, equals, value = change.partition("=")
    if not name or not equals:
        raise click.UsageError(f"--set: {change!r} is not FIELD=VALUE")
    if name in ("idem", "id"):
        raise click.UsageError(f"--set: {name} stays as it is, or the line could count twice")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _text(kept: KeptReject) -> str:
    return kept.reject.body.decode(errors="backslashreplace")


def _document(kept: KeptReject) -> dict[str, Any]:
    reject = kept.reject
    return {
        "id": kept.id,
        "reason": reject.reason,
        "since": format_timestamp(kept.sent_ms),
        "writer": kept.writer,
        "sequence": str(reject.sequence),
        "log_stream": reject.log_stream,
        "event_id": reject.event_id,
        "body": _text(kept),
    }
