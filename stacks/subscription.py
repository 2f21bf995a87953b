"""How the usage lines of a region reach the stream of its home."""

import json
from collections.abc import Mapping

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.deployment import Deployment


class Subscription(Construct):
    """Subscribes log groups to the stream in `home`: directly when that is this region, else through a destination here
    that points there. CloudWatch Logs sends a test record when either is made, so the home must already be deployed."""

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
        remote = home != region
        destination_arn = stream_arn
        if remote:
            destination_arn = deployment.destination_arn(region, home)
            destination = logs.CfnDestination(
                self,
                "Destination",
                destination_name=deployment.names.destination(home),
                role_arn=role.role_arn,
                target_arn=stream_arn,
                destination_policy=Stack.of(self).to_json_string(_may_subscribe(destination_arn)),
            )
        for part, group in log_groups.items():
            logs.CfnSubscriptionFilter(
                self,
                f"{part}Filter",
                log_group_name=group.log_group_name,
                filter_name=deployment.names.usage_filter(home),
                filter_pattern=usage_of(home),
                destination_arn=destination.attr_arn if remote else stream_arn,
                role_arn=None if remote else role.role_arn,
            )


def usage_of(home: str) -> str:
    """Matches the usage lines to be counted in `home` and no other line; `$.type` of Lambda's own is platform.*"""
    return f'{{ ($.type = "usage") && ($.home = {json.dumps(home)}) }}'


def _may_subscribe(destination_arn: str) -> dict[str, object]:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": Aws.ACCOUNT_ID},
        "Action": "logs:PutSubscriptionFilter",
        "Resource": destination_arn,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
