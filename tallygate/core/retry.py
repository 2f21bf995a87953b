"""Giving rejects again: a retried line counts once, also when the retry is itself repeated, because it carries an
idempotency key made from where it was rejected."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tallygate.core.lines import InvalidLineError, parse_line
from tallygate.core.payload import Record, Reject, check_countable, decode
from tallygate.core.tally import RETRY_PREFIX


@dataclass(frozen=True, slots=True)
class Retry:
    """What a reject comes to when it is given again: `events` are (event id, line) that are countable now, `wrong`
    says of the others why they are still not."""

    events: tuple[tuple[str, str], ...]
    wrong: tuple[str, ...]


def retry_of(reject: Reject, home: str, now_ms: int, changes: Mapping[str, Any]) -> Retry:
    """The lines of `reject` with `changes` made to their fields, each with an idempotency key of its own."""
    if reject.event_id is not None:
        messages = [(reject.event_id, reject.body.decode(errors="surrogatepass"))]
    else:
        payload = decode(Record(reject.sequence, now_ms, reject.body))
        if payload.unreadable is not None:
            return Retry((), (payload.unreadable,))
        messages = payload.events
    events, wrong = [], []
    for event_id, message in messages:
        try:
            events.append((event_id, _line(message, changes, f"{RETRY_PREFIX}{event_id}", home, now_ms)))
        except InvalidLineError as error:
            wrong.append(str(error))
    return Retry(tuple(events), tuple(wrong))


def _line(message: str, changes: Mapping[str, Any], idem: str, home: str, now_ms: int) -> str:
    try:
        fields = json.loads(message)
    except (ValueError, RecursionError):
        raise InvalidLineError("not JSON") from None
    if isinstance(fields, dict):
        fields |= changes
        if fields.get("idem") is None:
            fields["idem"] = idem
    check_countable(parse_line(fields), home, now_ms)
    return json.dumps(fields, separators=(",", ":"))
