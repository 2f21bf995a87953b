"""The answers to operators' questions, as JSON has them. The OpenAPI document is made from these types and what is said
of them here (`make openapi`).

Times are RFC 3339 in UTC with milliseconds. `admitted` and `charged` are in units, `denied` is in calls. `admitted` is
of all calls let through, `charged` of those that used up the quota of this very identifier.
"""

from typing import Literal

from typing_extensions import TypedDict  # that of `typing` tells pydantic too little before Python 3.12

from tallygate.core.history import Granularity
from tallygate.core.key_profile import KeyState
from tallygate.core.names import Kind
from tallygate.core.plans import Window

UsageKind = Literal["ip", "ref", "key", "owner", "all"]


class Counts(TypedDict):
    """What was counted."""

    admitted: int
    """Units of all calls let through."""
    charged: int
    """Units that used up the quota of this identifier; of a region, those charged to anybody."""
    denied: int
    """Calls refused."""


class UsageRow(Counts):
    """One period."""

    start: str
    """When the period begins. It ends where the next one begins."""
    by: dict[str, Counts]
    """The same by home, or for `all` by the region that served the calls; only where something was counted."""


_Range = TypedDict("_Range", {"from": str, "to": str})


class UsageDocument(_Range):
    """A time series: whole periods in order, those that have only begun included; `from` is where the first begins,
    `to` where the last ends, of all pages."""

    kind: UsageKind
    value: str | None
    """The identifier in the form in which it is counted; for `all` a region, or null for all of them."""
    granularity: Granularity
    kept_from: str
    """Since when periods of this length are kept: an earlier `from` is refused."""
    rows: list[UsageRow]
    total: Counts
    """Of the rows of this page."""
    cursor: str | None
    """Leads to the page that follows, with the same parameters; null after the last."""


class LimitUse(TypedDict):
    """A limit and how much of it is used."""

    policy: str
    """Its name, as callers meet it: `key-day`, `ip-month-soft`."""
    window: Window
    limit: int
    """Units, with top-ups."""
    used: int
    """Units, exactly as counted: since the last reset, and of a rolling limit what the window before still weighs."""
    resets: str
    """When nothing used now counts any more."""


class TopRow(Counts):
    """One of the largest callers of a period."""

    value: str
    by: dict[str, Counts]
    """The same by home; only where something was counted."""
    limits: list[LimitUse]
    """Those of the current windows; empty for periods that are over, and where there is no limit."""


class TopDocument(TypedDict):
    """The largest callers of a month or a day, by calls admitted and denied, largest first."""

    kind: Kind
    period: str
    """`2026-11` or `2026-11-20`, UTC."""
    top: list[TopRow]
    complete: bool
    """Whether it is certain that nobody larger is missing. A day is found by way of its month: where thousands were
    large in the month and few of them on that day, reading stops before that is certain."""


class Standing(LimitUse):
    """A limit, what is counted of it, and what the regions know of that."""

    published: int
    """Units that authorizers know to be used: behind `used` by less than a mark and the time of counting."""
    remaining: int
    """Units left, exactly as counted."""
    rolling: bool
    """Whether the window before weighs in."""
    soft: bool
    """Whether it only warns."""


class Decision(TypedDict):
    """What a call of one unit, charged to this caller (of a key, to its owner too where they share a quota), would be
    told now by a region that knows what is published, and has admitted none itself."""

    allowed: bool
    refused_by: list[str]
    """Limits in the way, by name; or `key` (unknown, revoked or expired), `address` (blocked), `plan` (not in
    force)."""


class HomeStanding(Counts):
    """What one home counted of an identifier this month, and what it published."""

    home: str
    counted_at: str | None
    """Arrival of the newest call counted this month; null where none was."""
    published_at: str | None
    """Up to when the published counts are complete; null where none are."""
    rate: float
    """Units per second offered, admitted or not, when that was published."""


class AdjustmentsDocument(TypedDict):
    """Resets and top-ups of the current periods and of those before, by period (`day#2026-11-20`)."""

    baselines: dict[str, dict[str, int]]
    """Units that each home had charged by the last reset."""
    top_ups: dict[str, dict[str, int]]
    """Units by id."""


class StandingDocument(TypedDict):
    """One identifier at this moment."""

    kind: Kind
    value: str
    """In the form in which it is counted: of a key that took over from others, the first of them."""
    plan: str | None
    """The plan that governs it; null where none does."""
    owner: str | None
    """Of a key."""
    state: str | None
    """Of a key `active`, `revoked`, `expired` or `unknown`; of an address with a rule `block` or `allow`."""
    taken_over_by: str | None
    """Of a key that was rotated, the last of its line, which its callers go on with: plan, state, limits and decision
    are of the key that was asked about, and may be others there."""
    limits: list[Standing]
    decision: Decision
    homes: list[HomeStanding]
    adjustments: AdjustmentsDocument


class OwnerRow(TypedDict):
    """An owner of keys."""

    owner: str
    keys: int
    """Active or not."""


class OwnersDocument(TypedDict):
    """Owners in no order, each once. A page may hold fewer than were asked for, even none, and still lead on: it ends
    after a number of keys that were looked at."""

    owners: list[OwnerRow]
    cursor: str | None
    """Leads to the page that follows, with the same parameters; null after the last."""


class KeyDocument(TypedDict):
    """A key but for its secret, which nobody keeps."""

    id: str
    owner: str
    plan: str
    status: KeyState
    created: str
    expires: str | None
    """Null for never."""
    note: str | None
    referers: list[str]
    """Hosts that may present it, or `*.` and a domain for its subdomains; empty for any."""
    addresses: list[str]
    """Ranges that it may come from (CIDR); empty for any."""
    rotated_from: str | None
    rotated_to: str | None
    counted_as: str
    """Id of the first key of its line of rotations, under which its calls are counted and limited."""
    overrides: list[str]
    """Limits that take the place of those of its plan: `key=500/day`."""


class KeyUsage(KeyDocument, Counts):
    """A key, and what was counted this month under `counted_as`: once for all keys of a line of rotations."""


class OwnerDocument(TypedDict):
    """One owner's keys with what was counted this month."""

    owner: str
    month: str
    """`2026-11`, UTC."""
    keys: list[KeyUsage]
    total: Counts
    """Of the keys of this page, each line of rotations once."""
    own: Counts | None
    """The owner's own count, where its keys share a quota; null where nothing was counted so."""
    cursor: str | None
    """Leads to the page that follows, with the same parameters; null after the last."""


class Delays(TypedDict):
    """Milliseconds from a call, by its own time, to:"""

    arrival: int
    """its arrival in the stream; the mean of the last batch."""
    counted: int
    """the end of counting it; the mean of the last batch."""
    published: int | None
    """the write of the last published row; null when this writer published nothing of late."""


class BatchRow(TypedDict):
    """One batch of a writer."""

    at: str
    """When it was counted."""
    lines: int
    arrival_ms: int
    """Mean delay from a call to its arrival in the stream."""
    counted_ms: int
    """Mean delay from a call to the end of counting it."""


class WriterRow(TypedDict):
    """One shard of a home's stream and how the consumer keeps up with it."""

    home: str
    writer: str
    counted_at: str | None
    """When its last batch was counted; null where none was of late."""
    delay_ms: Delays
    lines_per_second: float
    """Lines counted per second over the recent batches."""
    behind_ms: int | None
    """How far the last counted record is behind the end of the shard (MillisBehindLatest); null where the shard is
    closed or cannot be asked."""
    waiting_since: str | None
    """Arrival of the first record that is not counted; null where none waits."""
    recent: list[BatchRow]
    """The last batches, at most 60, oldest first."""


class RejectsRow(TypedDict):
    """The rejects queue of one home: what could never be counted. Their contents are shown by `tallygate rejects`
    alone."""

    home: str
    waiting: int
    """Messages, about. A large reject is several."""
    in_flight: int
    """Messages that somebody is looking at, about."""


class PipelineDocument(TypedDict):
    """How far counting is behind the calls."""

    at: str
    writers: list[WriterRow]
    rejects: list[RejectsRow]
