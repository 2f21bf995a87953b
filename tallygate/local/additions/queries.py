"""How many Queries each table has answered: what a call cost in reads, seen from the table's side."""

from collections import Counter
from typing import Any

from tallygate.local.internals import part


class Queries:
    """Counts by region and table. The emulator answers on one loop: nothing is counted twice or at the same time."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, region: str, table: str) -> None:
        self._counts[region, table] += 1

    def progress(self) -> dict[str, int]:
        """By `<region>/<table>`."""
        return {f"{region}/{table}": count for (region, table), count in self._counts.items()}


def install(queries: Queries) -> None:
    """Counts every Query of the emulator's DynamoDB."""
    dynamodb, region = part("services.dynamodb"), part("core.responses").get_region
    query = dynamodb._query

    def counted(request: dict[str, Any]) -> Any:
        queries.count(region(), str(request.get("TableName")))
        return query(request)

    dynamodb._query = counted
