"""Usage for operators: the exact counts of the tally, each home's own, added up."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tallygate.aws.gate_rows import counted
from tallygate.aws.rows import Row, number, tally_item
from tallygate.core import names
from tallygate.core.names import KINDS, Kind, pk_of
from tallygate.core.ranks import LEAST_RANK, count_below, rank_partitions
from tallygate.core.tally import ItemKey, TallyItem
from tallygate.core.usage import HomeUsage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_BATCH_KEYS: Final = 100  # BatchGetItem, API reference
_CHUNK: Final = 50
"""Identifiers taken from a ranking at once; a few times what is mostly asked for."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one identifier used in one month, by home. The numbers are in units, `denied` in calls."""

    kind: Kind
    value: str
    month: str
    homes: Mapping[str, TallyItem]

    @property
    def units(self) -> int:
        return sum(item.units for item in self.homes.values())

    @property
    def charged(self) -> int:
        return sum(item.charged for item in self.homes.values())

    @property
    def denied(self) -> int:
        return sum(item.denied for item in self.homes.values())

    @property
    def counted(self) -> int:
        """What the largest are ranked by."""
        return self.units + self.denied

    @property
    def days(self) -> dict[int, int]:
        """Units charged, by day of the month."""
        days = {day for item in self.homes.values() for day in item.days}
        return {day: sum(item.days.get(day, 0) for item in self.homes.values()) for day in sorted(days)}


class UsageReader:
    """Reads the tallies of the homes. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, homes: Mapping[str, "DynamoDBClient"], table: str) -> None:
        self._homes = homes
        self._table = table

    def show(self, kind: Kind, value: str, month: str) -> Usage:
        """Usage of one identifier, given in its normal form, in a month like `2026-11`; all 0 when it was never
        seen."""
        return self._exact(kind, [value], month)[0]

    def rows(self, kind: Kind, value: str, periods: Iterable[str]) -> list[HomeUsage]:
        """What each home counted of one identifier in each of `periods` (`month#2026-11`, `hour#2026-11-20T14`)."""
        places = [ItemKey(pk_of(kind, value), period) for period in dict.fromkeys(periods)]
        found = []
        for home, client in self._homes.items():
            rows = rows_at(client, self._table, places)
            for place in places:
                row = rows.get(place)
                found.append(counted(row, home, place.sk) if row else HomeUsage.nothing(home, place.sk))
        return found

    def top(self, kind: Kind, month: str, limit: int) -> list[Usage]:
        """The `limit` identifiers with the largest counts, largest first; fewer when fewer are ranked: a count below
        LEAST_RANK in every home is in no ranking. Exact but for calls counted while it reads."""
        rankings = [_Ranking(client, self._table, kind, month) for client in self._homes.values()]
        found: dict[str, Usage] = {}
        while True:
            most_unread = sum(ranking.most_unread for ranking in rankings)
            best = heapq.nsmallest(limit, found.values(), key=lambda usage: (-usage.counted, usage.value))
            if len(best) == limit and best[-1].counted >= most_unread:
                return best
            if all(ranking.is_read for ranking in rankings):
                return [usage for usage in best if usage.counted > most_unread]
            ranking = max(rankings, key=lambda ranking: ranking.most_unread)
            values = [value for value in ranking.take(_CHUNK) if value not in found]
            found |= {usage.value: usage for usage in self._exact(kind, values, month)}

    def everything(self) -> Iterator[tuple[Kind, str, TallyItem]]:
        """Every month of every identifier of every home. Reads whole tables: for the world on one machine."""
        for client in self._homes.values():
            for page in client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
                for row in page["Items"]:
                    kind, _, value = row[names.PK]["S"].partition("#")
                    if kind in KINDS and row[names.SK]["S"].startswith(names.MONTH_SK):
                        yield KINDS[KINDS.index(kind)], value, tally_item(row)

    def _exact(self, kind: Kind, values: Iterable[str], month: str) -> list[Usage]:
        places = [ItemKey(pk_of(kind, value), names.MONTH_SK + month) for value in dict.fromkeys(values)]
        by_home = {home: rows_at(client, self._table, places) for home, client in self._homes.items()}
        return [
            Usage(
                kind,
                place.pk.partition("#")[2],
                month,
                {home: tally_item(rows.get(place, {})) for home, rows in by_home.items()},
            )
            for place in places
        ]


def rows_at(client: "DynamoDBClient", table: str, places: Sequence[ItemKey]) -> dict[ItemKey, Row]:
    """The items at `places` that there are, strongly consistent."""
    rows: dict[ItemKey, Row] = {}
    for start in range(0, len(places), MAX_BATCH_KEYS):
        keys = [{names.PK: {"S": pk}, names.SK: {"S": sk}} for pk, sk in places[start : start + MAX_BATCH_KEYS]]
        asked: Any = {table: {"Keys": keys, "ConsistentRead": True}}
        while asked:
            answer = client.batch_get_item(RequestItems=asked)
            rows |= {_place(row): row for row in answer["Responses"].get(table, [])}
            asked = answer.get("UnprocessedKeys")
    return rows


def _place(row: Row) -> ItemKey:
    return ItemKey(row[names.PK]["S"], row[names.SK]["S"])


class _Ranking:
    """The identifiers of one home by falling rank. A count is below the next step of √2 above its rank, so the rank
    of the next one bounds all that are still unread."""

    def __init__(self, client: "DynamoDBClient", table: str, kind: Kind, month: str) -> None:
        partitions = (ranked(client, table, partition) for partition in rank_partitions(kind, month))
        self._rows = heapq.merge(*partitions, key=lambda row: -row[0])
        self._next = next(self._rows, None)

    @property
    def is_read(self) -> bool:
        return self._next is None

    @property
    def most_unread(self) -> int:
        """No identifier that was not taken yet has a larger count."""
        return count_below(self._next[0]) - 1 if self._next else LEAST_RANK - 1

    def take(self, most: int) -> list[str]:
        """The values of up to `most` further identifiers."""
        values: list[str] = []
        while self._next and len(values) < most:
            values.append(self._next[1])
            self._next = next(self._rows, None)
        return values


def ranked(client: "DynamoDBClient", table: str, partition: str, least: int = 0) -> Iterator[tuple[int, str]]:
    """Rank and value of the identifiers in one partition of the index whose rank is `least` or more, by falling rank;
    page by page as they are taken."""
    pages = client.get_paginator("query").paginate(
        TableName=table,
        IndexName=names.TOP_INDEX,
        KeyConditionExpression="#top = :top AND #rank >= :least",
        ExpressionAttributeNames={"#top": names.RANK_PARTITION, "#rank": names.RANK},
        ExpressionAttributeValues={":top": {"S": partition}, ":least": {"N": str(least)}},
        ScanIndexForward=False,
    )
    for page in pages:
        for row in page["Items"]:
            yield number(row, names.RANK), row[names.PK]["S"].partition("#")[2]
