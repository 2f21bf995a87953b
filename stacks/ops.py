"""Operations: the API with which keys are administered and questions are asked, in the administrative region only. An
API of its own, of which every route is IAM-authorised: nothing anonymous comes near the function that may write keys,
nor near the one that reads what everybody used."""

from typing import Any

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from stacks.deployment import Deployment
from stacks.function import Function, on_partitions
from tallygate.core import names
from tallygate.operations.routes import ROUTES, Part, Route

CALLS_PER_SECOND = 50
BURST = 100
"""Far above what a sign-up page needs; a loop in one costs nobody anything."""
ACCESS_LOG = {
    "at": "$context.requestTime",
    "id": "$context.requestId",
    "who": "$context.identity.userArn",
    "from": "$context.identity.sourceIp",
    "route": "$context.routeKey",
    "status": "$context.status",
}


class OpsStack(Stack):
    def __init__(self, scope: Construct, id: str, *, deployment: Deployment, region: str, **stack: Any) -> None:
        super().__init__(scope, id, **stack)
        gate, tally = deployment.gate_table_arn(region), deployment.tally_table_arn(region)
        ops = Function(
            self,
            "Ops",
            deployment=deployment,
            part="ops",
            name=deployment.names.ops,
            description="Gives out, changes, rotates and revokes API keys",
            memory_mb=512,
            timeout_seconds=15,
            log_retention=logs.RetentionDays.TWO_WEEKS,
            environment={
                "TALLYGATE_GATE_TABLE": deployment.names.gate_table,
                "TALLYGATE_TALLY_TABLE": deployment.names.tally_table,
            },
            may=[
                on_partitions(
                    gate, f"{names.KEYS_PREFIX}*", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"
                ),
                on_partitions(gate, names.PLANS_PK, "dynamodb:GetItem"),
                iam.PolicyStatement(
                    actions=["dynamodb:Query", "dynamodb:Scan"], resources=[f"{gate}/index/{names.OWNER_INDEX}"]
                ),
                # Records are added to the trail; what is there can be neither read nor changed.
                on_partitions(tally, [f"{names.AUDIT_PREFIX}*", f"{names.REQUEST_PREFIX}*"], "dynamodb:PutItem"),
            ],
        )
        api = apigateway.HttpApi(
            self,
            "Api",
            api_name=deployment.names.ops,
            create_default_stage=False,
            default_authorizer=HttpIamAuthorizer(),
        )
        access_log = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=f"/aws/apigateway/{deployment.names.ops}",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=RemovalPolicy.DESTROY,
        )
        apigateway.CfnStage(
            self,
            "Stage",
            api_id=api.api_id,
            stage_name="$default",
            auto_deploy=True,
            default_route_settings=apigateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=CALLS_PER_SECOND, throttling_burst_limit=BURST
            ),
            access_log_settings=apigateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=access_log.log_group_arn, format=self.to_json_string(ACCESS_LOG)
            ),
        )
        answers: dict[Part, HttpLambdaIntegration] = {
            "ops": _answered_by("Handler", ops),
            "ops_reader": _answered_by("Reader", self._reader(deployment, region)),
        }
        for route in ROUTES:
            api.add_routes(
                path=_gateway_path(route),
                methods=[apigateway.HttpMethod(route.method)],
                integration=answers[route.part],
            )
        CfnOutput(self, "OpsApiUrl", value=api.api_endpoint)
        CfnOutput(self, "OpsApiId", value=api.api_id)

    def _reader(self, deployment: Deployment, region: str) -> Function:
        """Answers questions from the tables of all homes. It may read what is counted and how it is limited: no audit
        trail, and nothing that callers sent."""
        service, gate = deployment.service, deployment.gate_table_arn(region)
        counted = [f"{kind}#*" for kind in names.KINDS]
        may = [
            on_partitions(gate, [*counted, names.PLANS_PK], "dynamodb:BatchGetItem", "dynamodb:Query"),
            iam.PolicyStatement(
                actions=["dynamodb:Query", "dynamodb:Scan"], resources=[f"{gate}/index/{names.OWNER_INDEX}"]
            ),
        ]
        beside = [f"{names.ALL_PREFIX}*", f"{names.SEEN_PREFIX}*", names.WRITERS_PK]
        for home in service.homes:
            tally = deployment.tally_table_arn(home)
            may += [
                on_partitions(tally, [*counted, *beside], "dynamodb:BatchGetItem", "dynamodb:Query"),
                iam.PolicyStatement(actions=["dynamodb:Query"], resources=[f"{tally}/index/{names.TOP_INDEX}"]),
                iam.PolicyStatement(
                    actions=["kinesis:DescribeStreamSummary", "kinesis:GetShardIterator", "kinesis:GetRecords"],
                    resources=[deployment.stream_arn(home)],
                ),
                iam.PolicyStatement(
                    actions=["sqs:GetQueueUrl", "sqs:GetQueueAttributes"],
                    resources=[deployment.rejects_queue_arn(home)],
                ),
            ]
        return Function(
            self,
            "OpsReader",
            deployment=deployment,
            part="ops_reader",
            name=deployment.names.ops_reader,
            description="Answers operators' questions: usage, the largest, standing, owners, the pipeline",
            memory_mb=1024,
            timeout_seconds=29,
            log_retention=logs.RetentionDays.TWO_WEEKS,
            environment={
                "TALLYGATE_HOMES": ",".join(service.homes),
                "TALLYGATE_REGIONS": ",".join(service.regions),
                "TALLYGATE_STREAM_RETENTION_HOURS": str(service.retention_hours),
                "TALLYGATE_HISTORY_DAYS": str(service.history_days),
                "TALLYGATE_IPV6_PREFIX": str(service.ipv6_prefix),
            },
            may=may,
        )


def _gateway_path(route: Route) -> str:
    """A name at the end of a path may hold slashes. They are sent as they are: whoever signs `%2F` and whoever checks
    it after decoding would not agree."""
    return route.path.replace("{owner}", "{owner+}")


def _answered_by(id: str, function: Function) -> HttpLambdaIntegration:
    return HttpLambdaIntegration(
        id,
        function.function,
        payload_format_version=apigateway.PayloadFormatVersion.VERSION_2_0,
        scope_permission_to_route=False,
    )
