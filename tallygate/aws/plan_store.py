"""Plans in the gate, written in the administrative region only: a handful of items under one partition key."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tallygate.aws.audit_log import AuditLog, transact
from tallygate.aws.plan_reader import PlanReader
from tallygate.aws.rows import Attributes
from tallygate.core import names
from tallygate.core.audit import Change
from tallygate.core.plans import Plan

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


class PlanStore(PlanReader):
    """The plans that callers are held to. `log` records each change, in one transaction with it; without one, changes
    are not recorded. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str, log: AuditLog | None = None) -> None:
        super().__init__(client, table)
        self._log = log

    def apply(self, plans: Iterable[Plan]) -> None:
        """Write `plans`; they hold in every region within 30 s. Others stay, since keys may be on them; an anonymous
        one goes: no key is, and there must be one only."""
        stored: dict[str, Any] = {row[names.SK]["S"]: row for row in self._rows()}
        rows = {plan.name: plan_row(plan) for plan in plans}
        for name, row in rows.items():
            if stored.get(name) != row:
                change = Change("plan.apply", f"plan#{name}", _document(stored.get(name)), _document(row))
                self._write({"Put": {"TableName": self._table, "Item": row}}, change)
        # After the writes, so that at no moment there is none.
        for name, row in stored.items():
            if row[names.PLAN_ANONYMOUS]["BOOL"] and name not in rows:
                key = {name: row[name] for name in (names.PK, names.SK)}
                change = Change("plan.remove", f"plan#{name}", _document(row), None)
                self._write({"Delete": {"TableName": self._table, "Key": key}}, change)

    def _write(self, write: "TransactWriteItemTypeDef", change: Change) -> None:
        record = [self._log.entry(change, time.time_ns() // 1_000_000)] if self._log is not None else []
        transact(self._client, [write, *record])


def plan_row(plan: Plan) -> Attributes:
    """A plan as it is stored. What only some plans say is left out of the others: a version that does not know it can
    read those."""
    limits: list[dict[str, Any]] = [
        {
            "M": {
                names.LIMIT_PER: {"S": limit.per},
                names.LIMIT_QUOTA: {"N": str(limit.quota)},
                names.LIMIT_WINDOW: {"S": limit.window},
                **({names.LIMIT_ROLLING: {"BOOL": True}} if limit.rolling else {}),
                **({names.LIMIT_SOFT: {"BOOL": True}} if limit.soft else {}),
            }
        }
        for limit in plan.limits
    ]
    return {
        names.PK: {"S": names.PLANS_PK},
        names.SK: {"S": plan.name},
        names.PLAN_LIMITS: {"L": limits},
        names.PLAN_ANONYMOUS: {"BOOL": plan.anonymous},
        names.PLAN_ON_UNAVAILABLE: {"S": plan.on_unavailable},
        **({names.PLAN_BURST: {"N": str(plan.burst)}} if plan.burst is not None else {}),
        **({names.PLAN_SHADOW: {"BOOL": True}} if plan.shadow else {}),
    }


def _document(row: Any) -> dict[str, Any] | None:
    """A row as JSON values, whatever it holds; None for none."""
    if row is None:
        return None
    return {name: _plain(value) for name, value in row.items() if name not in (names.PK, names.SK)}


def _plain(value: Any) -> Any:
    ((type, content),) = value.items()
    match type:
        case "N":
            return int(content)
        case "L":
            return [_plain(each) for each in content]
        case "M":
            return {name: _plain(each) for name, each in content.items()}
    return content
