"""Rules on addresses in the gate, written in the administrative region only: small items beside the plans, which every
authorizer reads with them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from tallygate.aws.audit_log import AuditLog, transact
from tallygate.aws.gate_rows import address_rule
from tallygate.aws.rows import Attributes
from tallygate.core import names
from tallygate.core.addresses import AddressRule, Network
from tallygate.core.audit import Action, Change
from tallygate.core.lines import format_timestamp

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

MAX_RULES: Final = 1_000
"""Every container reads all of them each 30 s, and they must come in one answer (1 MB)."""


class TooManyRulesError(Exception):
    """There are MAX_RULES in force already; nothing was written."""


class AddressStore:
    """The rules on addresses, by range. `log` records each change, in one transaction with it; without one, changes are
    not recorded. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "DynamoDBClient", table: str, log: AuditLog | None = None) -> None:
        self._client = client
        self._table = table
        self._log = log

    def rules(self, now_ms: int) -> list[AddressRule]:
        """Those in force, by address."""
        rules = (address_rule(row) for row in self._rows())
        in_force = [rule for rule in rules if rule.holds(now_ms)]
        return sorted(in_force, key=lambda rule: (rule.network.version, rule.network))

    def put(self, rule: AddressRule, now_ms: int) -> None:
        """Write a rule in place of the one that its range may have. TooManyRulesError."""
        there = {each.network: each for each in self.rules(now_ms)}
        if rule.network not in there and len(there) >= MAX_RULES:
            raise TooManyRulesError(f"there are {MAX_RULES} rules on addresses already")
        action: Action = "address.block" if rule.action == "block" else "address.allow"
        change = self._change(action, rule.network, there.get(rule.network), rule)
        self._write({"Put": {"TableName": self._table, "Item": _row(rule)}}, change, now_ms)

    def remove(self, network: Network, now_ms: int) -> AddressRule | None:
        """Remove the rule of this very range; returns it, None when there was none."""
        rule = next((each for each in self.rules(now_ms) if each.network == network), None)
        if rule is not None:
            delete: TransactWriteItemTypeDef = {"Delete": {"TableName": self._table, "Key": _key(network)}}
            self._write(delete, self._change("address.remove", network, rule, None), now_ms)
        return rule

    def _change(
        self, action: Action, network: Network, before: AddressRule | None, after: AddressRule | None
    ) -> Change:
        was, new = (None if rule is None else document(rule) for rule in (before, after))
        return Change(action, f"address#{network}", was, new)

    def _write(self, write: "TransactWriteItemTypeDef", change: Change, now_ms: int) -> None:
        record = [self._log.entry(change, now_ms)] if self._log is not None else []
        transact(self._client, [write, *record])

    def _rows(self) -> Iterator[Any]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#pk = :plans AND begins_with(#sk, :rule)",
            ExpressionAttributeNames={"#pk": names.PK, "#sk": names.SK},
            ExpressionAttributeValues={":plans": {"S": names.PLANS_PK}, ":rule": {"S": names.RULE_SK}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]


def document(rule: AddressRule) -> dict[str, Any]:
    """A rule as JSON values."""
    return {
        "range": str(rule.network),
        "action": rule.action,
        "reason": rule.reason,
        "expires": None if rule.expires_ms is None else format_timestamp(rule.expires_ms),
    }


def _key(network: Network) -> Attributes:
    return {names.PK: {"S": names.PLANS_PK}, names.SK: {"S": f"{names.RULE_SK}{network}"}}


def _row(rule: AddressRule) -> Attributes:
    row = _key(rule.network) | {names.RULE_ACTION: {"S": rule.action}}
    if rule.reason is not None:
        row[names.RULE_REASON] = {"S": rule.reason}
    if rule.expires_ms is not None:
        row[names.EXPIRES] = {"N": str(rule.expires_ms // 1000)}
    return row
