"""The notifier: changes of the gate, in the order of their stream, into events for operators. Decodes the records,
tells what is due, reports.

A batch of which something could not be told raises, and the event source mapping gives it again.
"""

import time
from functools import cache
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from functions.notifier.records import changes_of
from tallygate.aws.dynamodb import dynamodb_client
from tallygate.aws.notice_bus import NoticeBus, events_client
from tallygate.aws.settings import NotifierSettings
from tallygate.aws.told_table import ToldTable
from tallygate.aws.watched_gate import WatchedGateTable
from tallygate.core.notify import Notifier

_metrics = cache(Metrics)


@cache
def build() -> Notifier:
    """The notifier of this container. SettingsError when the environment is not complete."""
    settings = NotifierSettings.from_env()
    client, service, stage = dynamodb_client(settings.region), settings.service, settings.stage
    return Notifier(
        WatchedGateTable(client, settings.gate_table),
        ToldTable(client, settings.tally_table, service, stage),
        NoticeBus(events_client(settings.region), settings.notices_bus, service, stage),
    )


def handler(event: dict[str, Any], context: object) -> None:
    """Tell of one batch. Whatever it raises makes Lambda give the same records again."""
    changes = list(changes_of(event))
    told = build().notify(changes, time.time_ns() // 1_000_000)
    metrics = _metrics()
    metrics.add_metric("NoticesTold", MetricUnit.Count, told.told)
    metrics.add_metric("NoticesKnown", MetricUnit.Count, told.known)
    metrics.flush_metrics()
