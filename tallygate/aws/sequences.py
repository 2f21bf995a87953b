"""Sequences: numbers that are given out once each, one after the other, by one item of the tally in the administrative
region."""

from tallygate.aws.counter_epochs import DEADLINE_MS
from tallygate.aws.dynamodb_http import Operation, Sends
from tallygate.core import names
from tallygate.core.gate import ReadFailure


class Sequences:
    """The sequences of keys. One item takes some 1,000 writes a second (DynamoDB's limit for a partition)."""

    def __init__(self, client: Sends, table: str) -> None:
        self._client = client
        self._table = table

    def next(self, key: str, name: str) -> int | ReadFailure:
        """A number that nobody was given before, from 1 on, larger than all that were given before this was asked.
        When the answer is lost, a number is used up: gaps are possible, repeats are not."""
        operation = Operation(
            "UpdateItem",
            {
                "TableName": self._table,
                "Key": {names.PK: {"S": names.SEQUENCE_PREFIX + key}, names.SK: {"S": name}},
                "UpdateExpression": "ADD #last :one",
                "ExpressionAttributeNames": {"#last": names.UNITS},
                "ExpressionAttributeValues": {":one": {"N": "1"}},
                "ReturnValues": "UPDATED_NEW",
            },
        )
        (answer,) = self._client.send([operation], DEADLINE_MS).answers
        return answer if isinstance(answer, ReadFailure) else int(answer["Attributes"][names.UNITS]["N"])
