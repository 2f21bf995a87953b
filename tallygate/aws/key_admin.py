"""The administration of a stage's keys on its tables."""

import secrets
from typing import TYPE_CHECKING

from tallygate.aws.audit_log import AuditLog
from tallygate.aws.key_store import KeyStore
from tallygate.aws.plan_reader import PlanReader
from tallygate.core.key_admin import KeyAdmin

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def key_admin(client: "DynamoDBClient", gate_table: str, stage: str, log: AuditLog | None = None) -> KeyAdmin:
    """The keys of `stage`. `client` is of the administrative region; `log` as for KeyStore."""
    plans = PlanReader(client, gate_table)
    return KeyAdmin(
        KeyStore(client, gate_table, log),
        lambda: [plan.name for plan in plans.plans() if not plan.anonymous],
        stage,
        secrets.choice,
    )
