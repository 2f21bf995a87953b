"""Adjustments of quotas in the gate, written in the administrative region only: two maps in the profile, which every
call reads anyway."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tallygate.aws.audit_log import AuditLog, ConflictError, RefusedWriteError, transact
from tallygate.aws.gate_rows import adjustments_of
from tallygate.aws.rows import Attributes, Row, number
from tallygate.core import audit, names
from tallygate.core.adjustments import Adjustments, Baseline, TopUp
from tallygate.core.audit import Action
from tallygate.core.key_admin import UnknownKeyError
from tallygate.core.names import Kind, pk_of
from tallygate.core.periods import DAY_MS, day_of
from tallygate.core.plans import Window

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

ATTEMPTS: Final = 32
"""Each that fails means that another change was written: so many at the same time are not one operator's."""


class BusyError(Exception):
    """Others changed the same quota again and again; nothing was written. Trying again may help."""


class Change(NamedTuple):
    """What was stored and what is stored now; the same when there was nothing to change."""

    before: Adjustments
    after: Adjustments


class QuotaStore:
    """Adjustments by identifier. `log` records each change, in one transaction with it; without one, changes are not
    recorded. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str, log: AuditLog | None = None) -> None:
        self._client = client
        self._table = table
        self._log = log

    def find(self, kind: Kind, value: str) -> Adjustments:
        """What is adjusted for an identifier, given in its normal form."""
        return adjustments_of(self._row(pk_of(kind, value)))

    def reset(self, kind: Kind, value: str, counted: Mapping[str, Mapping[str, Baseline]], now_ms: int) -> Change:
        """Let each period of `counted` begin again from what every home had charged in it. UnknownKeyError when there
        is no such key, BusyError."""
        return self._change(kind, value, "quota.reset", lambda adjusted: adjusted.reset(counted, now_ms), now_ms)

    def top_up(self, kind: Kind, value: str, window: Window, top_up: TopUp, now_ms: int) -> Change:
        """Add to the quota of the current period; nothing when this top-up is in already. UnknownKeyError, BusyError;
        IdTakenError and TooManyTopUpsError as Adjustments.topped_up."""
        return self._change(kind, value, "quota.top-up", lambda old: old.topped_up(window, top_up, now_ms), now_ms)

    def _change(
        self, kind: Kind, value: str, action: Action, change: Callable[[Adjustments], Adjustments], now_ms: int
    ) -> Change:
        """Write what `change` makes of what is stored, on condition that it still is: changes at the same time follow
        one another, and one whose answer was lost is found to be in."""
        pk = pk_of(kind, value)
        for _ in range(ATTEMPTS):
            row = self._row(pk)
            if kind == "key" and names.KEY_HASH not in row:
                raise UnknownKeyError(value)
            before = adjustments_of(row)
            after = change(before)
            recorded = audit.Change(action, pk, *audit.difference(before.document(), after.document()))
            if after == before or self._write(kind, pk, after, number(row, names.REVISION), recorded, now_ms):
                return Change(before, after)
        raise BusyError(pk)

    def _row(self, pk: str) -> Row:
        return self._client.get_item(TableName=self._table, Key=_key(pk), ConsistentRead=True).get("Item", {})

    def _write(
        self, kind: Kind, pk: str, adjustments: Adjustments, revision: int, change: audit.Change, now_ms: int
    ) -> bool:
        update = "SET #base = :base, #extra = :extra, #rev = :next"
        condition = "#rev = :rev" if revision else "attribute_not_exists(#rev)"
        attributes = {"#base": names.BASES, "#extra": names.EXTRAS, "#rev": names.REVISION}
        values = {**_values(adjustments), ":next": {"N": str(revision + 1)}}
        if revision:
            values[":rev"] = {"N": str(revision)}
        if kind == "key":
            # A key stays; without its hash, this would make one that never was.
            condition += " AND attribute_exists(#hash)"
            attributes["#hash"] = names.KEY_HASH
        else:
            update += ", #ttl = :ttl"
            attributes["#ttl"] = names.EXPIRES
            values[":ttl"] = {"N": str((day_of(now_ms).next_month_end_ms + DAY_MS) // 1000)}
        writes: list[TransactWriteItemTypeDef] = [
            {
                "Update": {
                    "TableName": self._table,
                    "Key": _key(pk),
                    "UpdateExpression": update,
                    "ConditionExpression": condition,
                    "ExpressionAttributeNames": attributes,
                    "ExpressionAttributeValues": values,
                }
            }
        ]
        if self._log is not None:
            writes.append(self._log.entry(change, now_ms))
        try:
            transact(self._client, writes)
        except (RefusedWriteError, ConflictError):
            return False
        return True


def _key(pk: str) -> Attributes:
    return {names.PK: {"S": pk}, names.SK: {"S": names.PROFILE_SK}}


def _values(adjustments: Adjustments) -> Attributes:
    """The two maps, as `adjustments_of` reads them."""
    bases: dict[str, Any] = {
        period: {
            "M": {
                home: {"M": {names.CHARGED: {"N": str(base.units)}, names.AT_MS: {"N": str(base.at_ms)}}}
                for home, base in homes.items()
            }
        }
        for period, homes in adjustments.bases.items()
    }
    extras: dict[str, Any] = {
        period: {"M": {id: {"N": str(units)} for id, units in top_ups.items()}}
        for period, top_ups in adjustments.extras.items()
    }
    return {":base": {"M": bases}, ":extra": {"M": extras}}
