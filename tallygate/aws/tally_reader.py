"""Exact counts for a caller who asks: the tally of each home, read with strong consistency."""

from collections.abc import Mapping, Sequence
from typing import Final

from tallygate.aws.dynamodb_http import Operation, Sends
from tallygate.aws.gate_rows import counted
from tallygate.core import names
from tallygate.core.gate import ReadFailure
from tallygate.core.usage import HomeUsage

DEADLINE_MS: Final = 1_000
"""For each home: it may be on the other side of the world, 300 ms and a handshake away."""


class TallyReader:
    """Reads the tally tables, which have one name in all homes."""

    def __init__(self, homes: Mapping[str, Sends], table: str) -> None:
        self._homes = homes
        self._table = table

    @property
    def homes(self) -> tuple[str, ...]:
        return tuple(self._homes)

    def read(self, home: str, items: Sequence[tuple[str, str]]) -> list[HomeUsage] | ReadFailure:
        """What `home` counted in each of `items` (a partition and a period), 0 where it counted nothing; or why it
        cannot be told."""
        operations = [
            Operation(
                "GetItem",
                {
                    "TableName": self._table,
                    "Key": {names.PK: {"S": pk}, names.SK: {"S": period}},
                    "ConsistentRead": True,
                },
            )
            for pk, period in items
        ]
        counts = []
        for (_, period), answer in zip(items, self._homes[home].send(operations, DEADLINE_MS).answers, strict=True):
            if isinstance(answer, ReadFailure):
                return answer
            row = answer.get("Item")
            counts.append(counted(row, home, period) if row else HomeUsage.nothing(home, period))
        return counts

    def between(self, home: str, pk: str, first: str, last: str) -> list[HomeUsage] | ReadFailure:
        """What `home` counted of a partition in the periods from `first` to `last`, where it counted anything. They are
        few enough for one page of a Query (1 MB): items are under 1 KB."""
        query = Operation(
            "Query",
            {
                "TableName": self._table,
                "KeyConditionExpression": "#pk = :pk AND #sk BETWEEN :first AND :last",
                "ExpressionAttributeNames": {"#pk": names.PK, "#sk": names.SK},
                "ExpressionAttributeValues": {":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": last}},
                "ConsistentRead": True,
            },
        )
        (answer,) = self._homes[home].send([query], DEADLINE_MS).answers
        if isinstance(answer, ReadFailure):
            return answer
        return [counted(row, home, row[names.SK]["S"]) for row in answer["Items"]]
