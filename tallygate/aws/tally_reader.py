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
