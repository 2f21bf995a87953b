"""Records of the gate's stream as changes: what a home published anew of a caller."""

from collections.abc import Iterator
from typing import Any

from tallygate.aws.gate_rows import home_usage
from tallygate.core import names
from tallygate.core.names import KINDS
from tallygate.core.notices import Change, changed_days


def changes_of(event: dict[str, Any]) -> Iterator[Change]:
    """The changes that a DynamoDB event tells of; rows of other things, deleted ones and such that charge no more than
    before tell of none. Source: Lambda developer guide, "Using Lambda with DynamoDB"."""
    for record in event["Records"]:
        row = record["dynamodb"].get("NewImage", {})
        kind, _, value = record["dynamodb"]["Keys"][names.PK]["S"].partition("#")
        sort_key = record["dynamodb"]["Keys"][names.SK]["S"]
        if not row or kind not in KINDS or not sort_key.startswith((names.HOUR_SK, names.MONTH_SK)):
            continue
        old = record["dynamodb"].get("OldImage")
        after, before = home_usage(row), home_usage(old) if old else None
        if before is None or after.charged > before.charged:
            yield Change(KINDS[KINDS.index(kind)], value, after, changed_days(before, after))
