"""Usage for operators: the exact counts of the tally, each home's own, added up."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

from tallygate.aws.gate_rows import counted
from tallygate.aws.rows import Row, number, tally_item
from tallygate.core import names
from tallygate.core.names import Kind, pk_of
from tallygate.core.ranks import LEAST_RANK, count_below, rank_partitions
from tallygate.core.tally import ItemKey, TallyItem, of_day
from tallygate.core.usage import HomeUsage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_BATCH_KEYS: Final = 100  # BatchGetItem, API reference
_CHUNK: Final = 50
"""Identifiers taken from a ranking at once; a few times what is mostly asked for."""


Came = TypeVar("Came")


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

    def on(self, day: int) -> "Usage":
        """What it used on one day of that month."""
        return replace(self, homes={home: of_day(item, day) for home, item in self.homes.items()})

    @property
    def days(self) -> dict[int, int]:
        """Units charged, by day of the month."""
        days = {day for item in self.homes.values() for day in item.days}
        return {day: sum(item.days.get(day, 0) for item in self.homes.values()) for day in sorted(days)}


class Top(NamedTuple):
    """The largest, largest first. `complete`: it is certain that nobody larger is missing."""

    usages: list[Usage]
    complete: bool


class InHomes(Protocol):
    """Runs a function for each home, perhaps several at a time."""

    def __call__(
        self, function: "Callable[[str, DynamoDBClient], Came]", homes: Mapping[str, "DynamoDBClient"], /
    ) -> list[Came]: ...


def one_by_one(
    function: "Callable[[str, DynamoDBClient], Came]", homes: Mapping[str, "DynamoDBClient"], /
) -> list[Came]:
    """The plain InHomes."""
    return [function(home, client) for home, client in homes.items()]


class UsageReader:
    """Reads the tallies of the homes. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, homes: Mapping[str, "DynamoDBClient"], table: str, in_homes: InHomes = one_by_one) -> None:
        self._homes = homes
        self._table = table
        self._in_homes = in_homes

    def show(self, kind: Kind, value: str, month: str) -> Usage:
        """Usage of one identifier, given in its normal form, in a month like `2026-11`; all 0 when it was never
        seen."""
        return self._exact(kind, [value], month)[0]

    def rows(self, kind: Kind, value: str, periods: Iterable[str]) -> list[HomeUsage]:
        """What each home counted of one identifier in each of `periods` (`month#2026-11`, `hour#2026-11-20T14`)."""
        places = [ItemKey(pk_of(kind, value), period) for period in dict.fromkeys(periods)]
        read = self._in_homes(lambda _, client: rows_at(client, self._table, places), self._homes)
        return [
            counted(rows[place], home, place.sk) if place in rows else HomeUsage.nothing(home, place.sk)
            for home, rows in zip(self._homes, read, strict=True)
            for place in places
        ]

    def counted(self, items: Iterable[ItemKey]) -> dict[str, list[HomeUsage]]:
        """What each home counted in each of `items`, by partition; nothing where it counted nothing."""
        places = list(dict.fromkeys(items))
        read = self._in_homes(lambda _, client: rows_at(client, self._table, places), self._homes)
        found: dict[str, list[HomeUsage]] = {}
        for home, rows in zip(self._homes, read, strict=True):
            for place, row in rows.items():
                found.setdefault(place.pk, []).append(counted(row, home, place.sk))
        return found

    def top(self, kind: Kind, month: str, limit: int) -> list[Usage]:
        """The `limit` identifiers with the largest counts, largest first; fewer when fewer are ranked: a count below
        LEAST_RANK in every home is in no ranking. Exact but for calls counted while it reads."""
        return self._largest(kind, month, limit, lambda usage: usage, None).usages

    def top_of_day(self, kind: Kind, month: str, day: int, limit: int, most_read: int) -> Top:
        """The same of one day of that month. Nobody has counted more on a day than in its month: so the ranking of the
        month is read until no unread identifier can be larger, or `most_read` were."""
        return self._largest(kind, month, limit, lambda usage: usage.on(day), most_read)

    def _largest(
        self, kind: Kind, month: str, limit: int, part: Callable[[Usage], Usage], most_read: int | None
    ) -> Top:
        rankings = self._rankings(kind, month)
        chunk = max(_CHUNK, limit)
        found: dict[str, Usage] = {}
        while True:
            most_unread = sum(ranking.most_unread for ranking in rankings)
            counted = (usage for usage in found.values() if usage.counted)
            best = heapq.nsmallest(limit, counted, key=lambda usage: (-usage.counted, usage.value))
            if len(best) == limit and best[-1].counted >= most_unread:
                return Top(best, True)
            if all(ranking.is_read for ranking in rankings):
                return Top([usage for usage in best if usage.counted > most_unread], True)
            if most_read is not None and len(found) >= most_read:
                return Top(best, False)
            values = [value for value in self._following(rankings, chunk) if value not in found]
            found |= {usage.value: part(usage) for usage in self._exact(kind, values, month)}

    def _following(self, rankings: "Sequence[_Ranking]", most: int) -> list[str]:
        """The next of the ranking that may still hold the largest."""
        place = max(range(len(rankings)), key=lambda place: rankings[place].most_unread)
        home = list(self._homes)[place]
        (values,) = self._in_homes(lambda *_: rankings[place].take(most), {home: self._homes[home]})
        return values

    def _rankings(self, kind: Kind, month: str) -> "Sequence[_Ranking]":
        return self._in_homes(lambda _, client: _Ranking(client, self._table, kind, month), self._homes)

    def _exact(self, kind: Kind, values: Iterable[str], month: str) -> list[Usage]:
        places = [ItemKey(pk_of(kind, value), names.MONTH_SK + month) for value in dict.fromkeys(values)]
        read = self._in_homes(lambda _, client: rows_at(client, self._table, places), self._homes)
        by_home = dict(zip(self._homes, read, strict=True))
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
        partitions = [ranked(client, table, partition, page=_CHUNK) for partition in rank_partitions(kind, month)]
        with ThreadPoolExecutor(len(partitions)) as pool:  # a home may be far away
            heads = pool.map(lambda rows: list(islice(rows, 1)), partitions)
            begun = [chain(head, rows) for head, rows in zip(heads, partitions, strict=True)]
        self._rows = heapq.merge(*begun, key=lambda row: -row[0])
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


def ranked(
    client: "DynamoDBClient", table: str, partition: str, least: int = 0, page: int | None = None
) -> Iterator[tuple[int, str]]:
    """Rank and value of the identifiers in one partition of the index whose rank is `least` or more, by falling rank;
    in pages of `page` rows, or of 1 MB, as they are taken."""
    condition, named, values = "#top = :top", {"#top": names.RANK_PARTITION}, {":top": {"S": partition}}
    if least:
        condition, named["#rank"], values[":least"] = f"{condition} AND #rank >= :least", names.RANK, {"N": str(least)}
    pages = client.get_paginator("query").paginate(
        TableName=table,
        IndexName=names.TOP_INDEX,
        KeyConditionExpression=condition,
        ExpressionAttributeNames=named,
        ExpressionAttributeValues=values,
        ScanIndexForward=False,
        PaginationConfig={"PageSize": page} if page else {},
    )
    for rows in pages:
        for row in rows["Items"]:
            yield number(row, names.RANK), row[names.PK]["S"].partition("#")[2]
