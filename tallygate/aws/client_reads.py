"""The reads of the request path, made with boto3's client: for those who have time, and the same adapters."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from tallygate.aws.dynamodb_http import Answer, Operation, Round

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class ClientReads:
    """Sends on a client. It knows Query alone, which is all that the gate is read with. What AWS refuses is raised as
    it is (botocore.exceptions); the client has its own deadlines."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client

    def send(self, operations: Sequence[Operation], deadline_ms: int) -> Round:
        """See Sends.send."""
        began = time.monotonic()
        answers = [
            cast("Answer", self._client.query(**operation.parameters))  # type: ignore[arg-type]  # as JSON has them
            for operation in operations
        ]
        return Round(answers, round((time.monotonic() - began) * 1000))
