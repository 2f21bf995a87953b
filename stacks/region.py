"""A serving region: callers are decided on here with the local replica of the gate, and answered."""

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.deployment import Deployment
from stacks.function import Function
from stacks.http_api import MeteredApi
from stacks.observability import DeliveryAlarms
from stacks.subscription import Subscription
from tallygate.core import names


class RegionStack(Stack):
    def __init__(self, scope: Construct, id: str, *, deployment: Deployment, region: str, **stack: Any) -> None:
        super().__init__(scope, id, **stack)
        service = deployment.service
        home = service.home_of[region]
        gate = deployment.gate_table_arn(region)
        authorizer = Function(
            self,
            "Authorizer",
            deployment=deployment,
            part="authorizer",
            name=deployment.names.authorizer,
            description="Decides on every call with one round of reads from the gate",
            memory_mb=512,
            timeout_seconds=5,
            log_retention=logs.RetentionDays.ONE_DAY,
            environment={
                **deployment.settings(home),
                "TALLYGATE_TRUSTED_PROXIES": ",".join(deployment.trusted_proxies),
                "TALLYGATE_IPV6_PREFIX": str(service.ipv6_prefix),
                "TALLYGATE_READ_DEADLINE_MS": str(deployment.flavour.read_deadline_ms),
                "TALLYGATE_ANONYMOUS_ON_UNAVAILABLE": deployment.on_unavailable(keyed=False),
                "TALLYGATE_KEYED_ON_UNAVAILABLE": deployment.on_unavailable(keyed=True),
            },
            may=[iam.PolicyStatement(actions=["dynamodb:Query"], resources=[gate])],
        )
        api = Function(
            self,
            "ApiFunction",
            deployment=deployment,
            part="api",
            name=deployment.names.api,
            description="Answers every call and prints the usage line of each that was admitted",
            memory_mb=256,
            timeout_seconds=10,
            log_retention=logs.RetentionDays.ONE_DAY,
            environment={
                **deployment.settings(home),
                "TALLYGATE_TALLY_TABLE": deployment.names.tally_table,
                "TALLYGATE_DOCS_URL": service.docs_url,
                "TALLYGATE_STREAM_RETENTION_HOURS": str(service.retention_hours),
                "TALLYGATE_HISTORY_DAYS": str(service.history_days),
            },
            may=[
                iam.PolicyStatement(
                    actions=["dynamodb:GetItem", "dynamodb:Query"],
                    resources=[deployment.tally_table_arn(each) for each in service.homes],
                ),
                iam.PolicyStatement(actions=["dynamodb:Query"], resources=[gate]),
            ],
        )
        counters = Function(
            self,
            "Counters",
            deployment=deployment,
            part="counters",
            name=deployment.names.counters,
            description="Gives out numbers of sequences and resets counters, in the administrative region",
            memory_mb=256,
            timeout_seconds=15,
            log_retention=logs.RetentionDays.ONE_DAY,
            environment={
                **deployment.settings(home),
                "TALLYGATE_TALLY_TABLE": deployment.names.tally_table,
                "TALLYGATE_DOCS_URL": service.docs_url,
            },
            may=_may_write_counters(deployment),
        )
        http = MeteredApi(
            self,
            "Http",
            name=deployment.names.prefix,
            authorizer=authorizer.function,
            handler=api.function,
            writer=counters.function,
        )
        log_groups = {"Authorizer": authorizer.log_group, "Api": api.log_group, "Counters": counters.log_group}
        Subscription(self, "Usage", deployment=deployment, home=home, log_groups=log_groups)
        DeliveryAlarms(self, "Alarms", deployment=deployment, home=home)
        CfnOutput(self, "ApiUrl", value=http.api.api_endpoint)
        CfnOutput(self, "ApiId", value=http.api.api_id)


def _may_write_counters(deployment: Deployment) -> list[iam.PolicyStatement]:
    """Of a key's profile its epochs and nothing else, numbers of sequences, and reading counters."""
    administrative, homes = deployment.service.administrative_region, deployment.service.homes
    return [
        iam.PolicyStatement(
            actions=["dynamodb:GetItem", "dynamodb:UpdateItem"],
            resources=[deployment.gate_table_arn(administrative)],
            conditions={
                "ForAllValues:StringLike": {
                    "dynamodb:LeadingKeys": f"{names.KEYS_PREFIX}*",
                    "dynamodb:Attributes": [names.PK, names.SK, names.KEY_EPOCHS],
                },
                # Without these two, a read would be of all attributes, and so would be what an update answers.
                "StringEqualsIfExists": {
                    "dynamodb:Select": "SPECIFIC_ATTRIBUTES",
                    "dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"],
                },
            },
        ),
        iam.PolicyStatement(
            actions=["dynamodb:UpdateItem"],
            resources=[deployment.tally_table_arn(administrative)],
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": f"{names.SEQUENCE_PREFIX}*"}},
        ),
        iam.PolicyStatement(
            actions=["dynamodb:Query"],
            resources=[deployment.tally_table_arn(each) for each in homes],
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": f"{names.COUNTER_PREFIX}*"}},
        ),
    ]
