"""The log consumer: batches of the usage stream, in order, into the tally and the gate. Decodes the event, counts it,
reports.

A batch that may not be counted in full raises, and the event source mapping gives it again: it never discards.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from functions.log_consumer.batch import batch_of
from functions.log_consumer.wiring import build
from tallygate.aws.settings import LogConsumerSettings
from tallygate.aws.telemetry import function_log
from tallygate.core.consume import Outcome

logger = function_log()

_metrics = cache(Metrics)
_deployment = cache(lambda: build(LogConsumerSettings.from_env()))


def handler(event: dict[str, Any], context: object) -> None:
    """Count one batch. Whatever it raises makes Lambda give the same records again."""
    consumer, writer_names = _deployment()
    stream_arn, shard_id, records = batch_of(event)
    writer = writer_names.of(stream_arn, shard_id)
    outcome = consumer.consume(writer, records)
    _report(writer, len(records), outcome)


def _report(writer: str, records: int, outcome: Outcome) -> None:
    metrics = _metrics()
    metrics.add_metric("LinesCounted", MetricUnit.Count, outcome.lines)
    metrics.add_metric("MeanDelay", MetricUnit.Milliseconds, outcome.mean_delay_ms)
    metrics.add_metric("ItemsWritten", MetricUnit.Count, outcome.items)
    metrics.add_metric("GateWrites", MetricUnit.Count, outcome.published)
    metrics.add_metric("Rejects", MetricUnit.Count, len(outcome.rejects))
    metrics.add_metric("DuplicatePayloads", MetricUnit.Count, outcome.duplicates)
    metrics.add_metric("RepeatedItems", MetricUnit.Count, outcome.repeated_items)
    metrics.add_metric("OldestRepeat", MetricUnit.Milliseconds, outcome.oldest_repeat_ms)
    metrics.add_metric("RepeatedCalls", MetricUnit.Count, outcome.repeated_calls)
    metrics.flush_metrics()
    for reason in sorted({reject.reason for reject in outcome.rejects}):
        logger.warning("rejected", extra={"writer": writer, "reason": reason})
    logger.debug("counted", extra={"writer": writer, "records": records, "lines": outcome.lines})
