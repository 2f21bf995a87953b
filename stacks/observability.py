"""Alarms on what would otherwise lose counts in silence. They notify nobody yet: add actions to them by name."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.deployment import Deployment
from stacks.function import NAMESPACE

MINUTE = Duration.minutes(1)
LATE_MS = 60_000
"""Usage this old no longer holds a quota: callers overshoot by what they send meanwhile."""
HOUR_MS = 3_600_000
NOTICES_LATE_MS = 300_000


class DeliveryAlarms(Construct):
    """In a serving region: usage lines that CloudWatch Logs could not hand to the stream of their home. A refused
    delivery disables the filter for minutes, and what is printed meanwhile is lost."""

    def __init__(self, scope: Construct, id: str, *, deployment: Deployment, home: str) -> None:
        super().__init__(scope, id)
        if not deployment.flavour.metric_queries:
            return
        usage_filter = deployment.names.usage_filter(home)
        for part, what in (("delivery-errors", "DeliveryErrors"), ("delivery-throttling", "DeliveryThrottling")):
            cloudwatch.Alarm(
                self,
                what,
                alarm_name=deployment.names.alarm(part),
                alarm_description="Usage lines do not reach the stream of their home: calls go uncounted",
                # A query, because the metric exists only with a third dimension, DestinationType, whose values AWS does
                # not document: an alarm on a wrong guess would stay silent.
                metric=cloudwatch.MathExpression(
                    expression=f"SELECT SUM({what}) FROM \"AWS/Logs\" WHERE FilterName = '{usage_filter}'",
                    using_metrics={},
                    label=what,
                    period=MINUTE,
                ),
                threshold=1,
                evaluation_periods=1,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )


class NoticeAlarms(Construct):
    """In the administrative region: notices that are late, that fail, or that could not be told or delivered."""

    def __init__(
        self, scope: Construct, id: str, *, deployment: Deployment, notifier: lambda_.IFunction, missed: sqs.IQueue
    ) -> None:
        super().__init__(scope, id)
        age = notifier.metric("IteratorAge", statistic="Maximum", period=MINUTE)
        errors = notifier.metric_errors(statistic="Sum", period=MINUTE)
        waiting = missed.metric_approximate_number_of_messages_visible(statistic="Maximum", period=MINUTE)
        for part, why, metric, threshold, minutes in (
            ("notices-late", "Operators are told late of quotas that are used up", age, NOTICES_LATE_MS, 3),
            ("notices-errors", "Notices cannot be told, and are tried again", errors, 1, 3),
            ("notices-missed", "Notices that were not told or not delivered wait to be looked at", waiting, 1, 1),
        ):
            _alarm(self, deployment, part, why, metric, threshold, minutes)


class CountingAlarms(Construct):
    """In a home: a consumer that is late, that fails, or that meets what it cannot count."""

    def __init__(
        self, scope: Construct, id: str, *, deployment: Deployment, consumer: lambda_.IFunction, rejects: sqs.IQueue
    ) -> None:
        super().__init__(scope, id)
        age = consumer.metric("IteratorAge", statistic="Maximum", period=MINUTE)
        errors = consumer.metric_errors(statistic="Sum", period=MINUTE)
        waiting = rejects.metric_approximate_number_of_messages_visible(statistic="Maximum", period=MINUTE)
        # How long after a payload its latest repeat came: beyond the window, a repeat would count twice.
        repeats = cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name="OldestRepeat",
            dimensions_map={"service": deployment.names.log_consumer},
            statistic="Maximum",
            period=MINUTE,
        )
        half_window_ms = deployment.service.dedupe_window_seconds * 1000 // 2
        half_retention_ms = deployment.service.retention_hours * HOUR_MS // 2
        for part, why, metric, threshold, minutes in (
            ("counting-late", "Counts are behind the calls: quotas are overshot meanwhile", age, LATE_MS, 3),
            ("counting-stuck", "The stream is about to forget calls that were not counted", age, half_retention_ms, 1),
            ("counting-errors", "Batches fail and come again", errors, 1, 3),
            ("late-repeats", "Payloads come again nearly as late as they are known for", repeats, half_window_ms, 1),
            ("rejects", "Usage lines that can never be counted wait to be looked at", waiting, 1, 1),
        ):
            _alarm(self, deployment, part, why, metric, threshold, minutes)


def _alarm(
    scope: Construct,
    deployment: Deployment,
    part: str,
    why: str,
    metric: cloudwatch.IMetric,
    threshold: float,
    minutes: int,
) -> None:
    cloudwatch.Alarm(
        scope,
        part,
        alarm_name=deployment.names.alarm(part),
        alarm_description=why,
        metric=metric,
        threshold=threshold,
        evaluation_periods=minutes,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
