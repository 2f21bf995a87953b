"""A home: where calls are counted. Its stream, the consumer, the tally, and the queue of what cannot be counted."""

from typing import Any

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.deployment import Deployment
from stacks.function import Function
from stacks.observability import CountingAlarms
from tallygate.core import names
from tallygate.core.counting import BATCH_WINDOW_MS

BATCH_RECORDS = 300
"""Small enough that a flood of distinct identifiers, each of which is a write of its own, fits the time limit."""
CONSUMER_TIMEOUT_SECONDS = 120
NOT_COUNTED = [
    f"{prefix}*" for prefix in (names.SEQUENCE_PREFIX, names.AUDIT_PREFIX, names.REQUEST_PREFIX, names.TOLD_PREFIX)
]


class HomeStack(Stack):
    def __init__(self, scope: Construct, id: str, *, deployment: Deployment, home: str, **stack: Any) -> None:
        super().__init__(scope, id, **stack)
        service = deployment.service
        stream = kinesis.Stream(
            self,
            "Stream",
            stream_name=deployment.names.stream,
            # One shard carries about 10,000 calls a second.
            shard_count=1,
            stream_mode=kinesis.StreamMode.PROVISIONED,
            retention_period=Duration.hours(service.retention_hours),
            # Usage lines hold IP addresses. The account's own key for Kinesis costs nothing a month.
            encryption=kinesis.StreamEncryption.MANAGED,
            removal_policy=RemovalPolicy.DESTROY,
        )
        tally = dynamodb.Table(
            self,
            "Tally",
            table_name=deployment.names.tally_table,
            partition_key=dynamodb.Attribute(name=names.PK, type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name=names.SK, type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=names.EXPIRES,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=deployment.table_removal,
        )
        tally.add_global_secondary_index(
            index_name=names.TOP_INDEX,
            partition_key=dynamodb.Attribute(name=names.RANK_PARTITION, type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name=names.RANK, type=dynamodb.AttributeType.NUMBER),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        rejects = sqs.Queue(
            self,
            "Rejects",
            queue_name=deployment.names.rejects_queue,
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        Validations.of(rejects).acknowledge(
            Acknowledgment(id="AwsSolutions-SQS3", reason="It is itself where what cannot be counted ends")
        )
        consumer = Function(
            self,
            "LogConsumer",
            deployment=deployment,
            part="log_consumer",
            name=deployment.names.log_consumer,
            description="Counts the usage lines of a batch in the tally and publishes them to the gate at marks",
            memory_mb=512,
            timeout_seconds=CONSUMER_TIMEOUT_SECONDS,
            log_retention=logs.RetentionDays.TWO_WEEKS,
            environment={
                **deployment.settings(home),
                "TALLYGATE_TALLY_TABLE": deployment.names.tally_table,
                "TALLYGATE_REJECTS_QUEUE_URL": rejects.queue_url,
                "TALLYGATE_PUBLISH": service.publish,
                "TALLYGATE_DEDUPE_WINDOW_SECONDS": str(service.dedupe_window_seconds),
                "TALLYGATE_STREAM_RETENTION_HOURS": str(service.retention_hours),
                "TALLYGATE_HISTORY_DAYS": str(service.history_days),
            },
            may=[
                iam.PolicyStatement(
                    actions=[
                        "kinesis:DescribeStream",
                        "kinesis:DescribeStreamSummary",
                        "kinesis:GetRecords",
                        "kinesis:GetShardIterator",
                        "kinesis:ListShards",
                    ],
                    resources=[stream.stream_arn],
                ),
                iam.PolicyStatement(
                    actions=["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"],
                    resources=[tally.table_arn],
                    # What others write beside the counts: sequences, the audit trail, what was told.
                    conditions={"ForAllValues:StringNotLike": {"dynamodb:LeadingKeys": NOT_COUNTED}},
                ),
                iam.PolicyStatement(actions=["dynamodb:PutItem"], resources=[deployment.gate_table_arn(home)]),
                iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[rejects.queue_arn]),
            ],
        )
        mapping = lambda_.EventSourceMapping(
            self,
            "Mapping",
            target=consumer.function,
            event_source_arn=stream.stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=BATCH_RECORDS,
            max_batching_window=Duration.millis(BATCH_WINDOW_MS),
            # One writer per shard: watermarks say "everything at or below this is applied", which needs order.
            parallelization_factor=1,
            # Nothing is ever discarded: a batch that fails comes again until it does not, or the stream forgets it.
            retry_attempts=-1,
            bisect_batch_on_error=True,
        )
        cfn = mapping.node.default_child
        assert isinstance(cfn, lambda_.CfnEventSourceMapping)
        cfn.maximum_record_age_in_seconds = -1
        CountingAlarms(self, "Alarms", deployment=deployment, consumer=consumer.function, rejects=rejects)
