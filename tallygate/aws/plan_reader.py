"""The plans in force, as the gate has them: one item, so that whoever reads them, wherever, has them as they were
applied together."""

from typing import TYPE_CHECKING, NamedTuple

from tallygate.aws.gate_rows import plan_of, plan_rows, routes_of
from tallygate.aws.rows import Attributes, Row, number
from tallygate.core import names
from tallygate.core.plans import Plan
from tallygate.core.routes import Routes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class InForce(NamedTuple):
    """The plans that callers are held to, by name, and what calls weigh. `revision` grows with each change, and is 0
    before the first."""

    plans: tuple[Plan, ...]
    routes: Routes
    revision: int


class PlanReader:
    """What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def in_force(self) -> InForce:
        """Plans and routes as they are. ValueError for one that asks for what is not known here."""
        row = self._row()
        plans = (plan_of(name, fields) for name, fields in sorted(plan_rows(row).items()))
        return InForce(tuple(plans), routes_of(row), number(row, names.PLANS_REVISION))

    def plans(self) -> list[Plan]:
        """See in_force."""
        return list(self.in_force().plans)

    def _row(self) -> Row:
        key: Attributes = {names.PK: {"S": names.PLANS_PK}, names.SK: {"S": names.PLANS_SK}}
        return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {})
