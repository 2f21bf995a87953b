"""Every key and attribute name of the two tables, and nothing else: one file to read, one file to change.

docs/architecture.md has the tables drawn out. Names are short because they are
stored in every item and an item under 1 KB costs one write unit.
"""

from typing import Final, Literal

# --- identifiers -----------------------------------------------------------------------------------------------------
Kind = Literal["ip", "ref", "key", "owner"]
KINDS: Final[tuple[Kind, ...]] = ("ip", "ref", "key", "owner")
SHOWN_KINDS: Final[tuple[Kind, ...]] = ("ip", "ref", "key")
"""What a call itself shows. Its key's owner is told by the profile, and counted where keys share a quota."""
SUBSCRIBED_KINDS: Final[frozenset[Kind]] = frozenset({"key", "owner"})
"""Those whose quotas somebody pays for."""
KEYS_PREFIX: Final = "key#"
"""What the partition keys of all API keys begin with."""
INVALID_KEY: Final = "invalid"
"""The one value under which every made-up API key (bad checksum, unknown) is counted, so that they cost one item."""

# --- keys of both tables ---------------------------------------------------------------------------------------------
PK: Final = "pk"
SK: Final = "sk"
EXPIRES: Final = "ttl"
"""Unix seconds after which an item no longer means anything; TTL deletion may lag by days, so readers check it too."""

# --- counters: tally items and their published copies (gate rows) ----------------------------------------------------
UNITS: Final = "n"
"""Units of all admitted calls."""
CHARGED: Final = "c"
"""Units charged to this identifier's own quota."""
DENIED: Final = "x"
"""Calls refused."""
DAY_PREFIX: Final = "d"
"""`d01` … `d31`: units charged on that day of the month."""
FREE_DAY_PREFIX: Final = "u"
"""Tally only: `u01` … `u31`, units of that day's calls that were not charged to this identifier."""
DENIED_DAY_PREFIX: Final = "x"
"""Tally only: `x01` … `x31`, calls refused on that day."""
LAST_FLUSH_MS: Final = "t"
"""Tally only: arrival time of the newest record applied, from whichever writer; dates the rate."""
WATERMARK_PREFIX: Final = "w"
"""Tally only: `w<writer>`, the highest sequence number of that writer applied to the item; 24 bytes, big-endian."""
SHARE_PREFIX: Final = "s"
"""Counters only: `s<writer>`, the writer's share of the count."""
RANK: Final = "rank"
"""Tally only: the count at the last step of √2 passed; sort key of the index TOP_INDEX."""
RANK_PARTITION: Final = "top"
"""Tally only: `<kind>#<month>#<0…7>`; partition key of the index TOP_INDEX."""
TOP_INDEX: Final = "top"

# --- published usage (gate rows) -------------------------------------------------------------------------------------
EPOCH: Final = "e"
"""Grows only with a repair; with UNITS it orders the publications of a row."""
AT_MS: Final = "at"
"""The time up to which the published counts are taken to be complete."""
RATE_MILLI: Final = "r"
"""What the caller offered (admitted and refused), in thousandths of a unit per second."""
LAG_MS: Final = "lag"
"""Mean delay from a call to its arrival in the stream, when this was published."""

MONTH_SK: Final = "month#"
HOUR_SK: Final = "hour#"
PROFILE_SK: Final = "profile"
ALL_PREFIX: Final = "all#"
"""pk of the totals of one serving region: `all#eu-west-1`."""
COUNTER_PREFIX: Final = "ctr#"
"""pk of the named counters of a key, `ctr#<key id>`, so that one Query lists them; sk `<name>#<epoch>` (counter_sk)."""
SEQUENCE_PREFIX: Final = "seq#"
"""pk of the sequences of a key, `seq#<key id>`, in the tally of the administrative region; sk is the name, UNITS the
number given out last."""
IDEM_PREFIX: Final = "idem#"
"""pk of what says that a line with this idempotency key was counted."""
CLAIM_SK: Final = "claim"
CLAIM_BY: Final = "by"
"""Id of the line that was counted."""

# --- payload digests (tally) -----------------------------------------------------------------------------------------
SEEN_PREFIX: Final = "seen#"
"""pk `seen#<writer>`, sk `<minute of arrival, ms>#<first>#<last sequence number>`: what payloads these were."""
SEEN_DIGESTS: Final = "digests"
SEEN_LINES: Final = "lines"
"""In the last row of a batch, how counting it went: lines counted. With it AT_MS, the mean time of their calls, LAG_MS,
their mean delay until they arrived, and:"""
SEEN_COUNTED_MS: Final = "counted"
"""When that was done, by the clock of whoever did it."""
SEEN_PUBLISHED: Final = "published"
"""Rows that it published; absent for none."""
WRITERS_PK: Final = "writers"
"""pk of the list of writers of this home; sk is the writer."""

# --- key profiles and plans (gate) -----------------------------------------------------------------------------------
KEY_HASH: Final = "hash"
"""Whole SHA-256 of the secret, hex."""
KEY_PLAN: Final = "plan"
KEY_OWNER: Final = "owner"
KEY_STATUS: Final = "status"
KEY_CREATED: Final = "created"
KEY_EXPIRES_MS: Final = "expires"
KEY_NOTE: Final = "note"
KEY_REFERERS: Final = "refs"
"""Set of the hosts that may present the key; absent when any may."""
KEY_ADDRESSES: Final = "nets"
"""Set of the address ranges (CIDR) that it may come from; absent when any may."""
KEY_OVERRIDES: Final = "over"
"""Limits that take the place of those of its plan; absent where there are none. As PLAN_LIMITS."""
KEY_ROTATED_FROM: Final = "from"
KEY_ROTATED_TO: Final = "to"
"""Ids of the key that this one took over from, and of the one that took over from it."""
KEY_COUNTED_AS: Final = "as"
"""Id of the first key of a line of rotations: all of them are counted and limited under it. Absent in the first."""
KEY_REVISION: Final = "v"
"""Grows with each change of the profile but adjustments, which have REVISION."""
KEY_EPOCHS: Final = "ctr"
"""By name of a counter, its epoch, for those that were reset: the others are in epoch 0."""
OWNER_INDEX: Final = "owner"

# --- adjustments of a quota (gate: in the profile; that of an address or a site holds nothing else) ------------------
BASES: Final = "base"
"""By period and home, what was charged (CHARGED) by the last reset, of calls that arrived by AT_MS."""
EXTRAS: Final = "extra"
"""By period and id, units of top-ups."""
REVISION: Final = "rev"
"""Grows with each change of the two, so that none is lost to another at the same time."""
DAY_PERIOD: Final = "day#"
"""With HOUR_SK and MONTH_SK, what names a period there: `day#2026-11-21`, `month#2026-11`."""
MINUTE_PERIOD: Final = "minute#"
"""Names a period that is stored nowhere: no use is counted by the minute."""

# --- the audit trail (tally of the administrative region) ------------------------------------------------------------
AUDIT_PREFIX: Final = "audit#"
"""pk `audit#2026-11`, sk `2026-11-20T12:00:00.123Z#<8 hex digits>`: one change."""
AUDIT_WHO: Final = "who"
"""ARN of the IAM principal."""
AUDIT_ACTION: Final = "did"
AUDIT_SUBJECT: Final = "on"
"""What was changed, as a partition key names it: `key#9f2c…`."""
AUDIT_BEFORE: Final = "was"
AUDIT_AFTER: Final = "is"
"""JSON; absent where there was or is nothing."""
REQUEST_PREFIX: Final = "request#"
"""pk `request#<hash of who and of their token>`, sk CLAIM_SK: that a request with this token was carried out, and by
CLAIM_BY what it made."""

# --- notices that were told (tally of the administrative region) -----------------------------------------------------
TOLD_PREFIX: Final = "told#"
"""pk `told#2026-11`, the month in which the period of the quota began; sk
`<identifier>#<period>#<limit>#<level>`: `key#9f2c…#day#2026-11-20#key-day#080`."""
TOLD_NOTICE: Final = "notice"
"""The event, as JSON; AT_MS is when it was told."""

PLANS_PK: Final = "plans"
PLANS_SK: Final = "!plans"
"""One item holds all plans: a reader has them as they were applied together, in every replica. Its sk is below those of
the rules, so that it is in the first answer however many of them there are."""
PLANS: Final = "plans"
"""By name, what a plan says."""
ROUTES: Final = "routes"
"""In the same item, units by pattern of path."""
PLANS_REVISION: Final = "v"
"""Grows with each change of either."""
RULE_SK: Final = "#"
"""Beside them, so that one Query brings both: the rules on addresses, sk `#203.0.113.0/24`, in force until EXPIRES."""
RULE_ACTION: Final = "act"
RULE_REASON: Final = "why"
PLAN_LIMITS: Final = "limits"
PLAN_ANONYMOUS: Final = "anonymous"
PLAN_ON_UNAVAILABLE: Final = "on_unavailable"
PLAN_BURST: Final = "burst"
PLAN_SHADOW: Final = "shadow"
PLAN_NOTIFY_AT: Final = "notify_at"
LIMIT_PER: Final = "per"
LIMIT_QUOTA: Final = "quota"
LIMIT_WINDOW: Final = "window"
LIMIT_ROLLING: Final = "rolling"
LIMIT_SOFT: Final = "soft"


def pk_of(kind: str, value: str) -> str:
    """Partition key of an identifier in either table: `ip#203.0.113.7`."""
    return f"{kind}#{value}"


def counter_sk(name: str, epoch: int) -> str:
    """Sort key of a named counter: `orders#00000000`. A reset begins another epoch, so what is still on its way goes to
    the old one."""
    return f"{name}#{epoch:08d}"
