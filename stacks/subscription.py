"""How the usage lines of a region reach the stream of its home."""

import json
from collections.abc import Mapping

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.deployment import Deployment


class Subscription(Construct):
    """Subscribes log groups to the stream in `home`: directly when that is in this region, else through a destination
    here that points there. CloudWatch Logs sends a test record when either is made: the home must stand already."""

    def __init__(
        self, scope: Construct, id: str, *, deployment: Deployment, home: str, log_groups: Mapping[str, logs.ILogGroup]
    ) -> None:
        super().__init__(scope, id)
        region = Stack.of(self).region
        stream_arn = deployment.stream_arn(home)
        role = iam.Role(
            self,
            "Role",
            role_name=deployment.names.role(region, "usage-logs"),
            assumed_by=iam.ServicePrincipal(
                "logs.amazonaws.com",
                # The serving region, where the logs are: a role that names the home's is refused.
                conditions={"StringLike": {"aws:SourceArn": f"arn:{Aws.PARTITION}:logs:{region}:{Aws.ACCOUNT_ID}:*"}},
            ),
            inline_policies={
                "stream": iam.PolicyDocument(
                    statements=[iam.PolicyStatement(actions=["kinesis:PutRecord"], resources=[stream_arn])]
                )
            },
        )
        if home == region:
            destination_arn, role_arn = stream_arn, role.role_arn
        else:
            # The destination delivers with a role of its own, so that a filter that leads to it has none.
            destination_arn, role_arn = self._destination(deployment, home, role).attr_arn, None
        for part, group in log_groups.items():
            logs.CfnSubscriptionFilter(
                self,
                f"{part}Filter",
                log_group_name=group.log_group_name,
                filter_name=deployment.names.usage_filter(home),
                filter_pattern=usage_of(home),
                destination_arn=destination_arn,
                role_arn=role_arn,
            )

    def _destination(self, deployment: Deployment, home: str, role: iam.IRole) -> logs.CfnDestination:
        stack = Stack.of(self)
        this_account_may_subscribe = {
            "Effect": "Allow",
            "Principal": {"AWS": Aws.ACCOUNT_ID},
            "Action": "logs:PutSubscriptionFilter",
            "Resource": deployment.destination_arn(stack.region, home),
        }
        return logs.CfnDestination(
            self,
            "Destination",
            destination_name=deployment.names.destination(home),
            role_arn=role.role_arn,
            target_arn=deployment.stream_arn(home),
            destination_policy=stack.to_json_string(
                {"Version": "2012-10-17", "Statement": [this_account_may_subscribe]}
            ),
        )


def usage_of(home: str) -> str:
    """Matches the usage lines to be counted in `home` and no other line; `$.type` of Lambda's own is platform.*"""
    return f'{{ ($.type = "usage") && ($.home = {json.dumps(home)}) }}'
