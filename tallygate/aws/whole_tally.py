"""Everything that was counted: for the world on one machine, whose tables are small."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tallygate.aws.rows import tally_item
from tallygate.core import names
from tallygate.core.names import KINDS, Kind
from tallygate.core.tally import TallyItem

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class WholeTally:
    """Reads whole tables of the homes. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, homes: "Mapping[str, DynamoDBClient]", table: str) -> None:
        self._homes = homes
        self._table = table

    def everything(self) -> Iterator[tuple[Kind, str, TallyItem]]:
        """Every month of every identifier of every home."""
        for client in self._homes.values():
            for page in client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
                for row in page["Items"]:
                    kind, _, value = row[names.PK]["S"].partition("#")
                    if kind in KINDS and row[names.SK]["S"].startswith(names.MONTH_SK):
                        yield KINDS[KINDS.index(kind)], value, tally_item(row)
