"""A function with its log group and its role: the role may write to that group and do what `may` says, nothing else."""

from collections.abc import Mapping, Sequence

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.deployment import Deployment

NAMESPACE = "Tallygate"


class Function(Construct):
    """One of `functions/`. `part` is its directory; `memory_mb` buys CPU in proportion (1,769 MB is one core)."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        deployment: Deployment,
        part: str,
        name: str,
        description: str,
        memory_mb: int,
        timeout_seconds: int,
        log_retention: logs.RetentionDays,
        environment: Mapping[str, str],
        may: Sequence[iam.PolicyStatement],
    ) -> None:
        super().__init__(scope, id)
        region = Stack.of(self).region
        self.log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=deployment.names.log_group(name),
            retention=log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        writes_its_log = iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[self.log_group.log_group_arn]
        )
        self.role = iam.Role(
            self,
            "Role",
            role_name=deployment.names.role(region, part.replace("_", "-")),
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            # Inline, so that the role is never without them: the event source mapping polls as soon as it exists.
            inline_policies={"function": iam.PolicyDocument(statements=[writes_its_log, *may])},
        )
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=f"functions.{part}.handler.handler",
            code=deployment.code.of(part),
            memory_size=memory_mb,
            timeout=Duration.seconds(timeout_seconds),
            role=self.role,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
            # START and REPORT lines would cost more than the usage lines that they surround.
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            environment={
                "TALLYGATE_SERVICE": deployment.names.service,
                "TALLYGATE_STAGE": deployment.names.stage,
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
                "POWERTOOLS_LOG_LEVEL": "INFO",
                **environment,
            },
        )
        Validations.of(self.function).acknowledge(
            Acknowledgment(
                id="AwsSolutions-L1", reason="Python 3.13 is supported until June 2029; wheels are built for it"
            )
        )


def on_partitions(table: str, partitions: str | Sequence[str], *actions: str) -> iam.PolicyStatement:
    """Rights to the items of a table under some partition keys only, given as they are or with a `*` at their end."""
    return iam.PolicyStatement(
        actions=list(actions),
        resources=[table],
        conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": partitions}},
    )
