"""The gate: what authorizers read. One global table, made in the administrative region, with a replica wherever callers
are decided on or counts are published from."""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from stacks.deployment import Deployment
from tallygate.core import names


class GateStack(Stack):
    """CloudFormation adds or removes one replica per update: a service that grows by two regions is deployed twice."""

    def __init__(self, scope: Construct, id: str, *, deployment: Deployment, **stack: Any) -> None:
        super().__init__(scope, id, **stack)
        _administrative, *others = deployment.service.gate_regions
        gate = dynamodb.TableV2(
            self,
            "Gate",
            table_name=deployment.names.gate_table,
            partition_key=dynamodb.Attribute(name=names.PK, type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name=names.SK, type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            # DynamoDB's own key: a key in KMS would be asked on the path of every request.
            encryption=dynamodb.TableEncryptionV2.dynamo_owned_key(),
            time_to_live_attribute=names.EXPIRES,
            # Replication has one anyway; the notifier reads that of this region.
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            replicas=[dynamodb.ReplicaTableProps(region=region) for region in others],
            global_secondary_indexes=[
                # Sparse: only key profiles have an owner. The hash of the secret stays out of it.
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=names.OWNER_INDEX,
                    partition_key=dynamodb.Attribute(name=names.KEY_OWNER, type=dynamodb.AttributeType.STRING),
                    projection_type=dynamodb.ProjectionType.INCLUDE,
                    non_key_attributes=[
                        names.KEY_PLAN,
                        names.KEY_STATUS,
                        names.KEY_CREATED,
                        names.KEY_EXPIRES_MS,
                        names.KEY_NOTE,
                        names.KEY_REFERERS,
                        names.KEY_ADDRESSES,
                        names.KEY_ROTATED_FROM,
                        names.KEY_ROTATED_TO,
                        names.KEY_COUNTED_AS,
                        names.KEY_OVERRIDES,
                    ],
                )
            ],
            # The table is nearly all that this stack has, so that protection cannot block the rollback of anything
            # else.
            deletion_protection=deployment.flavour.keep_tables,
            removal_policy=deployment.table_removal,
        )
        stream_arn = gate.table_stream_arn
        assert stream_arn is not None
        # A stream's ARN holds the time of its making: who reads it cannot know it by name.
        ssm.StringParameter(
            self,
            "StreamArn",
            parameter_name=deployment.names.gate_stream_parameter,
            description="The stream of the gate's changes in this region",
            string_value=stream_arn,
        )
