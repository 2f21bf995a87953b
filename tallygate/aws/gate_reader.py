"""The gate in DynamoDB, read by the request path: one Query for each partition, all at the same time, eventually
consistent (half the price, and the replica is behind anyway)."""

from collections.abc import Collection

from tallygate.aws.dynamodb_http import Answer, Operation, Sends
from tallygate.aws.gate_rows import Row, address_rule, partition_of, plan_of, plan_rows, routes_of
from tallygate.core import names
from tallygate.core.addresses import NO_RULES, AddressRule, AddressRules
from tallygate.core.gate import Partition, ReadFailure, Reading
from tallygate.core.periods import HOUR_MS, hour_of
from tallygate.core.plans import Plan
from tallygate.core.routes import ALL_ALIKE, Routes


class GateReader:
    """Gate on the local replica of the gate table. `deadline_ms` is for all reads of a round together."""

    def __init__(self, client: Sends, table: str, deadline_ms: int) -> None:
        self._client = client
        self._table = table
        self._deadline_ms = deadline_ms

    def read(self, partitions: Collection[str], *, plans: bool, now_ms: int) -> Reading:
        """See Gate.read."""
        # From the previous hour upward: rows of hours, of months, and the profile, in that order.
        lowest = names.HOUR_SK + hour_of(now_ms - HOUR_MS)
        operations = [self._query(pk, lowest) for pk in partitions]
        if plans:
            operations.append(self._query(names.PLANS_PK))
        answers, took_ms = self._client.send(operations, self._deadline_ms)
        failures: list[ReadFailure] = []
        found: dict[str, Partition] = {}
        for pk, answer in zip(partitions, answers, strict=False):
            partition = _partition(answer, now_ms)
            if isinstance(partition, ReadFailure):
                failures.append(partition)
            else:
                found[pk] = partition
        if not plans:
            return Reading(found, None, tuple(failures), took_ms)
        read, rules, routes = _plans_and_rules(answers[-1], failures)
        return Reading(found, read, tuple(failures), took_ms, rules, routes)

    def _query(self, pk: str, lowest: str | None = None) -> Operation:
        condition, named, values = "#pk = :pk", {"#pk": names.PK}, {":pk": {"S": pk}}
        if lowest is not None:
            condition, named["#sk"], values[":sk"] = f"{condition} AND #sk >= :sk", names.SK, {"S": lowest}
        return Operation(
            "Query",
            {
                "TableName": self._table,
                "KeyConditionExpression": condition,
                "ExpressionAttributeNames": named,
                "ExpressionAttributeValues": values,
            },
        )


def _partition(answer: Answer, now_ms: int) -> Partition | ReadFailure:
    if isinstance(answer, ReadFailure):
        return answer
    try:
        return partition_of(answer["Items"], now_ms)
    except (KeyError, TypeError, ValueError) as error:
        return _nonsense("a row", error)


def _plans_and_rules(
    answer: Answer, failures: list[ReadFailure]
) -> tuple[dict[str, Plan] | None, AddressRules, Routes]:
    """The plans, and the rules on addresses and the routes beside them, that can be read; what makes no sense is left
    out and said to be."""
    if isinstance(answer, ReadFailure):
        failures.append(answer)
        return None, NO_RULES, ALL_ALIKE
    plans: dict[str, Plan] = {}
    rules: list[AddressRule] = []
    routes = ALL_ALIKE
    rows: list[Row] = answer.get("Items", [])
    for row in rows:
        if names.PLANS in row:
            for name, fields in plan_rows(row).items():
                try:
                    plans[name] = plan_of(name, fields)
                except (KeyError, TypeError, ValueError) as error:
                    failures.append(_nonsense(f"plan {name}", error))
            try:
                routes = routes_of(row)
            except (KeyError, TypeError, ValueError) as error:
                failures.append(_nonsense("a route", error))
        else:
            try:
                rules.append(address_rule(row))
            except (KeyError, TypeError, ValueError) as error:
                failures.append(_nonsense("a rule on addresses", error))
    return plans, AddressRules(rules), routes


def _nonsense(what: str, error: Exception) -> ReadFailure:
    return ReadFailure(f"{what} makes no sense: {type(error).__name__}: {error}", may_pass=False)
