"""What the stores hold, read whole."""

import json
from typing import Any, Final

from tallygate.core.plans import Plan
from tallygate.demo.keys import DemoKey
from tallygate.local.world import World
from tests.soak.verdict import Numbers, Place, Quotas, Stored

MOST_REJECTS: Final = 10
"""As many as a queue gives at a time (SQS, ReceiveMessage)."""


def read(world: World) -> Stored:
    """Both tables and the rejects of every home."""
    homes = world.config.service.homes
    gates: dict[str, dict[Place, Numbers]] = {home: {} for home in homes}
    for home in homes:
        for (pk, sk), numbers in _table(world, home, world.names.gate_table).items():
            period, _, publisher = sk.rpartition("#")
            if publisher == home and period:
                gates[home][pk, period] = numbers
    tallies = {home: _table(world, home, world.names.tally_table) for home in homes}
    return Stored(tallies, gates, [reject for home in homes for reject in _rejects(world, home)])


def quotas_of(plans: tuple[Plan, ...], keys: list[DemoKey]) -> Quotas:
    """What callers may use up. Those of limits that roll have no marks that could be told from here."""
    quotas: dict[str, dict[str, int]] = {}
    for plan in plans:
        limits = [limit for limit in plan.limits if not limit.rolling]
        if plan.anonymous:
            for limit in limits:
                quotas.setdefault(limit.per, {})[limit.policy] = limit.quota
        for key in keys:
            if key.plan == plan.name:
                quotas[f"key#{key.id}"] = {limit.policy: limit.quota for limit in limits}
    return quotas


def consumer_metrics(world: World, *names: str) -> dict[str, int]:
    """Sums of what the consumer reported (embedded metrics in its log), over its life."""
    sums = dict.fromkeys(names, 0)
    group = world.names.log_group(world.names.log_consumer)
    for home in world.config.service.homes:
        pages = world.aws.client("logs", home).get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in (event for page in pages for event in page["events"]):
            if '"_aws"' in event["message"]:
                document = json.loads(event["message"])
                for name in names:
                    sums[name] += int(sum(document.get(name, ())))
    return sums


def _table(world: World, region: str, table: str) -> dict[Place, Numbers]:
    pages = world.aws.client("dynamodb", region).get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {
        (row["pk"]["S"], row["sk"]["S"]): {name: int(value["N"]) for name, value in row.items() if "N" in value}
        for page in pages
        for row in page["Items"]
    }


def _rejects(world: World, home: str) -> list[str]:
    sqs: Any = world.aws.client("sqs", home)
    queue = sqs.get_queue_url(QueueName=world.names.rejects_queue)["QueueUrl"]
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=MOST_REJECTS, VisibilityTimeout=0)
    return [message["Body"] for message in found.get("Messages", [])]
