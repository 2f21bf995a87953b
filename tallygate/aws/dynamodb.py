"""What the adapters on DynamoDB share: one client, its patience, and which failures may pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from tallygate.core.tally import StoreError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_MAY_PASS: Final = frozenset(
    {
        "InternalServerError",
        "ItemCollectionSizeLimitExceededException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
    }
)
"""Error codes of DynamoDB after which the same request may succeed (Developer Guide, "Error handling with
DynamoDB")."""


def dynamodb_client(region: str | None = None, connections: int = 10) -> "DynamoDBClient":
    """A client for the counting path: it would rather try again for seconds than give a batch up."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 6},
        connect_timeout=2,
        read_timeout=5,
        max_pool_connections=connections,
    )
    return boto3.client("dynamodb", region_name=region, config=config)


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn what may pass (throttled, unavailable, no answer) into StoreError; anything else stays what it is: it is a
    fault of ours or of the deployment, and trying again will not help."""
    try:
        yield
    except (ConnectionError, HTTPClientError) as error:
        raise StoreError(f"no answer: {error}") from error
    except ClientError as error:
        if error_code(error) in _MAY_PASS:
            raise StoreError(f"refused for now: {error_code(error)}") from error
        raise
