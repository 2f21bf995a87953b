"""The webhook: a notice from its queue to the URL of whoever operates the service, signed. A message that is not taken
comes again, for a day; then it waits in the queue of what was missed."""

import json
import time
from functools import cache
from typing import Any

import boto3

from functions.webhook.post import post
from tallygate.aws.settings import WebhookSettings
from tallygate.aws.telemetry import function_log
from tallygate.aws.webhook_secret import WebhookSecret
from tallygate.core.webhooks import headers, payload

logger = function_log()

settings = cache(WebhookSettings.from_env)


@cache
def secret() -> WebhookSecret:
    return WebhookSecret(boto3.client("secretsmanager", region_name=settings().region), settings().webhook_secret)


def handler(event: dict[str, Any], context: object) -> None:
    """Send the notices of a batch; the mapping gives one at a time. What it raises makes SQS give it again."""
    for record in event["Records"]:
        notice = json.loads(record["body"])["detail"]
        body = payload(notice)
        post(settings().url, headers(secret().keys(), notice["id"], int(time.time()), body), body)
        logger.info("sent", extra={"notice": notice["id"]})
