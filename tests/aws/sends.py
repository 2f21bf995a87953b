"""The client of the request path, on boto3: so that what is sent is held to DynamoDB's own rules."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tallygate.aws.dynamodb_http import Answer, Operation, Round
from tallygate.core.gate import ReadFailure

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

METHODS = {"GetItem": "get_item", "Query": "query", "UpdateItem": "update_item"}


class BotoSends:
    """Sends operations one by one. `before` is called ahead of each: what it does happens at the same time."""

    def __init__(self, client: "DynamoDBClient", before: Callable[[Operation], None] = lambda _: None) -> None:
        self._client = client
        self._before = before

    def send(self, operations: Sequence[Operation], deadline_ms: int) -> Round:
        return Round([self._answer(operation) for operation in operations], 1)

    def _answer(self, operation: Operation) -> Answer:
        self._before(operation)
        try:
            answer: dict[str, Any] = getattr(self._client, METHODS[operation.name])(**operation.parameters)
        except ClientError as error:
            fault = error.response["Error"]
            return ReadFailure(f"HTTP 400 {fault['Code']}: {fault['Message']}", may_pass=False)
        return answer


class Silent:
    """Answers nothing."""

    def send(self, operations: Sequence[Operation], deadline_ms: int) -> Round:
        return Round([ReadFailure("no answer in time", may_pass=True) for _ in operations], deadline_ms)
