"""Applying plans: they are written in the administrative region only, all at once."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tallygate.aws.audit_log import AuditLog, ConflictError, RefusedWriteError, transact
from tallygate.aws.gate_rows import plan_rows
from tallygate.aws.plan_reader import PlanReader
from tallygate.aws.rows import Attributes, Row, limit_row, number
from tallygate.core import names
from tallygate.core.audit import Change
from tallygate.core.plans import Plan
from tallygate.core.routes import ALL_ALIKE, Routes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class StalePlansError(Exception):
    """Somebody else applied plans meanwhile; nothing was written."""


class PlanStore(PlanReader):
    """The plans of a stage. `log` records each change, in one transaction with it; without one, changes are not
    recorded. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str, log: AuditLog | None = None) -> None:
        super().__init__(client, table)
        self._log = log

    def apply(self, plans: Iterable[Plan], routes: Routes = ALL_ALIKE, revision: int | None = None) -> int:
        """Let `plans` and `routes`, and no others, hold: in every region within 30 s. Returns their revision.
        StalePlansError when those in force are not of `revision` (any, without one)."""
        stored = self._row()
        found = number(stored, names.PLANS_REVISION)
        row = plans_row(plans, found + 1, routes)
        changes = _changes(stored, row)
        if revision not in (None, found):
            raise StalePlansError
        if not changes:
            return found
        now_ms = time.time_ns() // 1_000_000
        records = [self._log.entry(change, now_ms) for change in changes] if self._log is not None else []
        put: Any = {
            "TableName": self._table,
            "Item": row,
            "ConditionExpression": "#v = :v" if found else "attribute_not_exists(#v)",
            "ExpressionAttributeNames": {"#v": names.PLANS_REVISION},
        }
        if found:
            put["ExpressionAttributeValues"] = {":v": stored[names.PLANS_REVISION]}
        try:
            transact(self._client, [{"Put": put}, *records])
        except (RefusedWriteError, ConflictError) as error:
            raise StalePlansError from error
        return found + 1


def plans_row(plans: Iterable[Plan], revision: int, routes: Routes = ALL_ALIKE) -> Attributes:
    """The item of all plans."""
    return {
        names.PK: {"S": names.PLANS_PK},
        names.SK: {"S": names.PLANS_SK},
        names.PLANS: {"M": {plan.name: {"M": _plan_row(plan)} for plan in plans}},
        names.ROUTES: {"M": {pattern: {"N": str(units)} for pattern, units in routes.units.items()}},
        names.PLANS_REVISION: {"N": str(revision)},
    }


def _plan_row(plan: Plan) -> Attributes:
    """A plan as it is stored. What only some plans say is left out of the others: a version that does not know it can
    read those."""
    limits: list[dict[str, Any]] = [{"M": limit_row(limit)} for limit in plan.limits]
    return {
        names.PLAN_LIMITS: {"L": limits},
        names.PLAN_ANONYMOUS: {"BOOL": plan.anonymous},
        names.PLAN_ON_UNAVAILABLE: {"S": plan.on_unavailable},
        **({names.PLAN_BURST: {"N": str(plan.burst)}} if plan.burst is not None else {}),
        **({names.PLAN_SHADOW: {"BOOL": True}} if plan.shadow else {}),
        **({names.PLAN_NOTIFY_AT: {"L": [{"N": str(level)} for level in plan.notify_at]}} if plan.notify_at else {}),
    }


def _changes(before: Row, after: Row) -> list[Change]:
    """What is recorded, plan by plan, and all routes together. Rows are compared, whatever they hold: what no version
    here knows is replaced."""
    changes = []
    were, are = plan_rows(before), plan_rows(after)
    for name in sorted({*were, *are}):
        was, new = (None if row is None else _plain({"M": row}) for row in (were.get(name), are.get(name)))
        if was != new:
            changes.append(Change("plan.remove" if new is None else "plan.apply", f"plan#{name}", was, new))
    was, new = (_plain(row.get(names.ROUTES, {"M": {}})) for row in (before, after))
    if was != new:
        changes.append(Change("plan.apply", "routes", was, new))
    return changes


def _plain(value: Any) -> Any:
    """An attribute as a JSON value."""
    ((type, content),) = value.items()
    match type:
        case "N":
            return int(content)
        case "L":
            return [_plain(each) for each in content]
        case "M":
            return {name: _plain(each) for name, each in content.items()}
    return content
