"""Events on EventBridge: the bus takes each of them or says that it did not."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from tallygate.aws.dynamodb import error_code
from tallygate.core.notices import DETAIL_TYPE, SOURCE, Notice
from tallygate.core.tally import StoreError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

_MAY_PASS: Final = frozenset({"InternalException", "InternalFailure", "ServiceUnavailable", "ThrottlingException"})
"""Error codes of EventBridge after which the same request may succeed (API reference, "Common errors")."""


def events_client(region: str | None = None) -> "EventBridgeClient":
    """A client that would rather try again for seconds than give a batch up."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 6}, connect_timeout=2, read_timeout=5)
    return boto3.client("events", region_name=region, config=config)


class NoticeBus:
    """Bus on an event bus of EventBridge."""

    def __init__(self, client: "EventBridgeClient", bus: str, service: str, stage: str) -> None:
        self._client = client
        self._bus = bus
        self._service = service
        self._stage = stage

    def put(self, notices: Sequence[Notice]) -> list[bool]:
        """See Bus.put. An answer of 200 may hold events that were not taken."""
        try:
            answer = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._bus,
                        "Source": SOURCE,
                        "DetailType": DETAIL_TYPE,
                        "Detail": json.dumps(notice.document(self._service, self._stage), ensure_ascii=False),
                    }
                    for notice in notices
                ]
            )
        except (ConnectionError, HTTPClientError) as error:
            raise StoreError(f"no answer: {error}") from error
        except ClientError as error:
            if error_code(error) in _MAY_PASS:
                raise StoreError(f"refused for now: {error_code(error)}") from error
            raise
        if not answer["FailedEntryCount"]:
            return [True] * len(notices)
        return ["EventId" in entry for entry in answer["Entries"]]
