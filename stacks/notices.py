"""Notices: who is told when a caller reaches a level of a quota. The administrative region's stream of the gate has the
publications of all homes; the notifier puts what is due on a bus of its own, from where rules lead to a topic, to a
webhook, and to whatever else operators add."""

from typing import Any

from aws_cdk import Acknowledgment, CfnOutput, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.deployment import Deployment
from stacks.function import Function, on_partitions
from stacks.notice_targets import Topic, Webhook
from stacks.observability import NoticeAlarms
from tallygate.core import names

BATCH_RECORDS = 100
BATCH_WINDOW_SECONDS = 1
"""Several publications of one caller cost one look. Counts are seconds old by then in any case."""
MOST_RECORD_AGE = Duration.hours(23)
"""The stream forgets after 24 hours. What cannot be told until then is named in the queue of what was missed."""
PARTITIONS_OF_CALLERS = ["ip#*", "ref#*", "key#*", "owner#*"]


class NoticesStack(Stack):
    def __init__(self, scope: Construct, id: str, *, deployment: Deployment, region: str, **stack: Any) -> None:
        super().__init__(scope, id, **stack)
        gate, tally = deployment.gate_table_arn(region), deployment.tally_table_arn(region)
        bus = events.EventBus(
            self, "Bus", event_bus_name=deployment.names.notices, description="Levels of quotas that callers reached"
        )
        missed = sqs.Queue(
            self,
            "Missed",
            queue_name=f"{deployment.names.notices}-missed",
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        Validations.of(missed).acknowledge(
            Acknowledgment(id="AwsSolutions-SQS3", reason="It is itself where what was missed ends")
        )
        notifier = Function(
            self,
            "Notifier",
            deployment=deployment,
            part="notifier",
            name=deployment.names.notifier,
            description="Tells of each level that a caller reaches, once for each period",
            memory_mb=256,
            timeout_seconds=60,
            log_retention=logs.RetentionDays.TWO_WEEKS,
            environment={
                "TALLYGATE_GATE_TABLE": deployment.names.gate_table,
                "TALLYGATE_TALLY_TABLE": deployment.names.tally_table,
                "TALLYGATE_NOTICES_BUS": bus.event_bus_name,
            },
            may=[
                iam.PolicyStatement(
                    actions=["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
                    resources=[deployment.gate_streams_arn(region)],
                ),
                # It has no resource of its own to be narrowed to.
                iam.PolicyStatement(actions=["dynamodb:ListStreams"], resources=["*"]),
                on_partitions(gate, PARTITIONS_OF_CALLERS, "dynamodb:Query"),
                on_partitions(gate, [names.KEYS_PREFIX + "*", names.PLANS_PK], "dynamodb:GetItem"),
                iam.PolicyStatement(actions=["dynamodb:Query"], resources=[f"{gate}/index/{names.OWNER_INDEX}"]),
                on_partitions(tally, [f"{names.TOLD_PREFIX}*"], "dynamodb:BatchGetItem", "dynamodb:PutItem"),
                iam.PolicyStatement(actions=["events:PutEvents"], resources=[bus.event_bus_arn]),
                iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[missed.queue_arn]),
            ],
        )
        streams = (
            f"arn:<AWS::Partition>:dynamodb:{region}:<AWS::AccountId>:table/{deployment.names.gate_table}/stream/*"
        )
        for resource, reason in (
            (streams, "A stream's name holds the time of its making"),
            ("*", "ListStreams has no resource of its own"),
        ):
            Validations.of(notifier.role).acknowledge(
                Acknowledgment(id=f"AwsSolutions-IAM5[Resource::{resource}]", reason=reason)
            )
        mapping = lambda_.EventSourceMapping(
            self,
            "Mapping",
            target=notifier.function,
            event_source_arn=deployment.gate_stream_reference(),
            # From the beginning of what the stream still has: what is told already is known.
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=BATCH_RECORDS,
            max_batching_window=Duration.seconds(BATCH_WINDOW_SECONDS),
            parallelization_factor=1,
            bisect_batch_on_error=True,
            retry_attempts=-1,
            max_record_age=MOST_RECORD_AGE,
            filters=[
                lambda_.FilterCriteria.filter(
                    {
                        "eventName": lambda_.FilterRule.or_("INSERT", "MODIFY"),
                        "dynamodb": {
                            "Keys": {
                                names.SK: {
                                    "S": [
                                        *lambda_.FilterRule.begins_with(names.HOUR_SK),
                                        *lambda_.FilterRule.begins_with(names.MONTH_SK),
                                    ]
                                }
                            }
                        },
                    }
                )
            ],
        )
        cfn = mapping.node.default_child
        assert isinstance(cfn, lambda_.CfnEventSourceMapping)
        # Not as CDK has it, which adds to the role: that is complete from the start.
        cfn.destination_config = lambda_.CfnEventSourceMapping.DestinationConfigProperty(
            on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=missed.queue_arn)
        )
        notices = deployment.config.notices
        if notices.sns:
            Topic(self, "Topic", deployment=deployment, bus=bus, missed=missed, emails=notices.emails)
        if notices.webhook is not None:
            Webhook(self, "Webhook", deployment=deployment, bus=bus, missed=missed, url=notices.webhook)
        NoticeAlarms(self, "Alarms", deployment=deployment, notifier=notifier.function, missed=missed)
        CfnOutput(self, "NoticesBus", value=bus.event_bus_name)
