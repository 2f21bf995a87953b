"""Where notices lead: a topic for people, a webhook for programs."""

import string
from collections.abc import Sequence

from aws_cdk import Acknowledgment, CfnOutput, Duration, RemovalPolicy, Validations
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.deployment import Deployment
from stacks.function import Function
from tallygate.core.notices import DETAIL_TYPE, SOURCE

EVENTBRIDGE = iam.ServicePrincipal("events.amazonaws.com")
RETRY_SECONDS = 300
"""How long a notice that a receiver did not take rests."""
RETRIES = 288
"""A day of them."""
SECRET_CHARS = 40
"""Letters and digits are base64: 30 bytes."""


class Topic(Construct):
    """A topic of SNS to which each notice comes as a sentence. E-mail addresses are asked to confirm."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        deployment: Deployment,
        bus: events.IEventBus,
        missed: sqs.Queue,
        emails: Sequence[str],
    ) -> None:
        super().__init__(scope, id)
        # SNS's own key lets no other service use it.
        key = kms.Key(
            self,
            "Key",
            description="Notices on their way to subscribers",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[EVENTBRIDGE], actions=["kms:Decrypt", "kms:GenerateDataKey*"], resources=["*"]
            )
        )
        topic = sns.Topic(
            self,
            "Topic",
            topic_name=deployment.names.notices,
            display_name=f"{deployment.names.prefix} notices",
            master_key=key,
            enforce_ssl=True,
        )
        Rule(
            self,
            "Rule",
            deployment=deployment,
            bus=bus,
            missed=missed,
            part="topic",
            target_arn=topic.topic_arn,
            input_path="$.detail.text",
        )
        # No condition on the rule: EventBridge tells a topic nothing that one could be checked by, and would be refused
        # (EventBridge user guide, "Using resource-based policies").
        topic.add_to_resource_policy(
            iam.PolicyStatement(principals=[EVENTBRIDGE], actions=["sns:Publish"], resources=[topic.topic_arn])
        )
        for number, email in enumerate(emails):
            sns.Subscription(
                self, f"Email{number}", topic=topic, endpoint=email, protocol=sns.SubscriptionProtocol.EMAIL
            )
        CfnOutput(self, "NoticesTopic", value=topic.topic_arn)


class Webhook(Construct):
    """A queue from which a function sends each notice to a URL, signed. It rests in the queue while the receiver does
    not take it, which the two retries of a function that EventBridge invokes itself would not outlast."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        deployment: Deployment,
        bus: events.IEventBus,
        missed: sqs.Queue,
        url: str,
    ) -> None:
        super().__init__(scope, id)
        queue = sqs.Queue(
            self,
            "Queue",
            queue_name=deployment.names.webhook,
            visibility_timeout=Duration.seconds(RETRY_SECONDS),
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(queue=missed, max_receive_count=RETRIES),
            removal_policy=RemovalPolicy.DESTROY,
        )
        secret = secretsmanager.Secret(
            self,
            "Secret",
            secret_name=deployment.names.webhook,
            description="Signs webhooks: tallygate notices secret",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=SECRET_CHARS, exclude_characters=string.punctuation
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        Validations.of(secret).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SMG4", reason="Receivers must learn of another: `tallygate notices secret rotate`"
            )
        )
        function = Function(
            self,
            "Function",
            deployment=deployment,
            part="webhook",
            name=deployment.names.webhook,
            description="Sends notices to the URL of whoever operates the service, signed",
            memory_mb=256,
            timeout_seconds=30,
            log_retention=logs.RetentionDays.TWO_WEEKS,
            environment={"TALLYGATE_WEBHOOK_URL": url, "TALLYGATE_WEBHOOK_SECRET": secret.secret_arn},
            may=[
                iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[secret.secret_arn]),
                iam.PolicyStatement(
                    actions=["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
                    resources=[queue.queue_arn],
                ),
            ],
        )
        lambda_.EventSourceMapping(
            self,
            "Mapping",
            target=function.function,
            event_source_arn=queue.queue_arn,
            batch_size=1,
            # A receiver is not met with everything at once.
            max_concurrency=2,
        )
        rule = Rule(
            self,
            "Rule",
            deployment=deployment,
            bus=bus,
            missed=missed,
            part="webhook",
            target_arn=queue.queue_arn,
        )
        queue.add_to_resource_policy(rule.may("sqs:SendMessage", queue.queue_arn))


class Rule(Construct):
    """Leads every notice to one target: whole, or the part of it at `input_path`. What the target does not take for a
    day goes to `missed`, which says so itself: EventBridge has no role for queues and topics."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        deployment: Deployment,
        bus: events.IEventBus,
        missed: sqs.Queue,
        part: str,
        target_arn: str,
        input_path: str | None = None,
    ) -> None:
        super().__init__(scope, id)
        rule = events.CfnRule(
            self,
            "Rule",
            name=f"{deployment.names.notices}-{part}",
            description=f"Every notice to the {part}",
            event_bus_name=bus.event_bus_name,
            event_pattern={"source": [SOURCE], "detail-type": [DETAIL_TYPE]},
            targets=[
                events.CfnRule.TargetProperty(
                    id=part,
                    arn=target_arn,
                    input_path=input_path,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=missed.queue_arn),
                )
            ],
        )
        self._from_here = {"ArnEquals": {"aws:SourceArn": rule.attr_arn}}
        missed.add_to_resource_policy(self.may("sqs:SendMessage", missed.queue_arn))

    def may(self, action: str, resource: str) -> iam.PolicyStatement:
        """What a resource's policy says to let this rule do `action`."""
        return iam.PolicyStatement(
            principals=[EVENTBRIDGE], actions=[action], resources=[resource], conditions=self._from_here
        )
