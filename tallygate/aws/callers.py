"""Callers whose limits change: found in the tallies, read with what the gate has of them, and published anew."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from tallygate.aws.gate_rows import partition_of
from tallygate.aws.gate_table import GateTable
from tallygate.aws.rows import tally_item
from tallygate.aws.usage_reader import ranked, rows_at
from tallygate.core import names
from tallygate.core.names import Kind, pk_of
from tallygate.core.publish import Publication, PublishMode
from tallygate.core.ranks import LEAST_RANK, rank_of, rank_partitions
from tallygate.core.republish import Assessment, Caller, Group, assess, months_of, periods_of
from tallygate.core.tally import ItemKey
from tallygate.resources import Names

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SCANNED_ITEMS: Final = 2_000
PAUSE_SECONDS: Final = 0.1
"""A scan of small counts reads no more than this many items, about 100 read units, in this time: it is an operator's,
and the table is its consumer's."""
CHUNK: Final = 50
"""Callers that are read at a time."""


class Callers:
    """The callers of a stage. `homes` has a client for every home, `gate` is of the administrative region. What AWS
    refuses is raised as it is (botocore.exceptions)."""

    def __init__(
        self,
        homes: "Mapping[str, DynamoDBClient]",
        gate: "DynamoDBClient",
        tables: Names,
        mode: PublishMode,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._homes = homes
        self._gate = gate
        self._tables = tables
        self._mode: PublishMode = mode
        self._pause = pause
        self._writers = {home: GateTable(client, tables.gate_table) for home, client in homes.items()}

    def find(self, group: Group, now_ms: int) -> list[str]:
        """Those of a group who may have passed a mark: by name, else by the index of the largest; where a quota is so
        small that callers in no index have spent a part of it, by a look at everything."""
        if group.values is not None:
            return list(group.values)
        least = group.least(len(self._homes), self._mode)
        found: dict[str, None] = {}
        for month in months_of(group, now_ms):
            for client in self._homes.values():
                values = (
                    self._ranked(client, group.kind, month, least)
                    if least >= LEAST_RANK
                    else self._scanned(client, group.kind, month, least)
                )
                found |= dict.fromkeys(values)
        return list(found)

    def assess(self, group: Group, values: Iterable[str], now_ms: int) -> Iterator[Assessment]:
        """What the change means for each of `values`, in their order."""
        left = iter(values)
        while chunk := list(islice(left, CHUNK)):
            for caller in self._read(group, chunk, now_ms):
                yield assess(caller, group, self._mode, now_ms)

    def publish(self, due: Iterable[Publication]) -> int:
        """Publish, each in its own home; how many rows that wrote. One that a consumer has told more of stays."""
        return sum(self._writers[publication.home].publish(publication) for publication in due)

    def _ranked(self, client: "DynamoDBClient", kind: Kind, month: str, least: int) -> Iterator[str]:
        for partition in rank_partitions(kind, month):
            for _, value in ranked(client, self._tables.tally_table, partition, rank_of(least)):
                yield value

    def _scanned(self, client: "DynamoDBClient", kind: Kind, month: str, least: int) -> Iterator[str]:
        pages = client.get_paginator("scan").paginate(
            TableName=self._tables.tally_table,
            FilterExpression="#sk = :month AND begins_with(#pk, :kind) AND #c >= :least",
            ProjectionExpression="#pk",
            ExpressionAttributeNames={"#pk": names.PK, "#sk": names.SK, "#c": names.CHARGED},
            ExpressionAttributeValues={
                ":month": {"S": names.MONTH_SK + month},
                ":kind": {"S": pk_of(kind, "")},
                ":least": {"N": str(least)},
            },
            PaginationConfig={"PageSize": SCANNED_ITEMS},
        )
        for page in pages:
            for row in page["Items"]:
                yield row[names.PK]["S"].partition("#")[2]
            if "LastEvaluatedKey" in page:
                self._pause(PAUSE_SECONDS)

    def _read(self, group: Group, values: Sequence[str], now_ms: int) -> list[Caller]:
        periods = periods_of(group, now_ms)
        pks = [pk_of(group.kind, value) for value in values]
        items = [ItemKey(pk, period) for pk in pks for period in periods]
        counts = {home: rows_at(client, self._tables.tally_table, items) for home, client in self._homes.items()}
        published = [ItemKey(pk, f"{period}#{home}") for pk, period in items for home in self._homes]
        of_gate = rows_at(
            self._gate, self._tables.gate_table, [*published, *(ItemKey(pk, names.PROFILE_SK) for pk in pks)]
        )
        callers = []
        for value, pk in zip(values, pks, strict=True):
            partition = partition_of((row for (of, _), row in of_gate.items() if of == pk), now_ms)
            of_caller = {
                home: {
                    period: tally_item(rows[ItemKey(pk, period)]) for period in periods if ItemKey(pk, period) in rows
                }
                for home, rows in counts.items()
            }
            callers.append(Caller(group.kind, value, partition, of_caller))
        return callers
