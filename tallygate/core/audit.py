"""The audit trail: who changed what, when, and what it was before. Secrets and their hashes are in nothing that is
described here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Action = Literal[
    "key.create",
    "key.import",
    "key.rotate",
    "key.revoke",
    "key.change",
    "address.block",
    "address.allow",
    "address.remove",
    "plan.apply",
    "plan.remove",
    "quota.reset",
    "quota.top-up",
]
RETENTION_DAYS: Final = 400
"""A year and the month in which somebody looks back on it."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of `subject` (`key#9f2c…`, `plan#starter`). `before` and `after` are JSON objects; None where there
    was or is nothing."""

    action: Action
    subject: str
    before: Document | None
    after: Document | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change as it was recorded. `id` orders those of a month; `at` is an RFC 3339 time in UTC; `who` is the ARN of
    an IAM principal."""

    id: str
    at: str
    who: str
    change: Change


def difference(before: Document, after: Document) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of two documents with the same names, what differs."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}
