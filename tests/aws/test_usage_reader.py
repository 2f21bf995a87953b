"""Exact usage from several homes, and the largest without reading everything."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from hypothesis import given
from hypothesis import strategies as st

from tallygate.aws.tally_table import TallyTable
from tallygate.aws.usage_reader import UsageReader
from tallygate.aws.whole_tally import WholeTally
from tallygate.core import names
from tallygate.core.names import pk_of
from tallygate.core.ranks import LEAST_RANK, rank_of, rank_partition
from tallygate.core.tally import Delta, ItemKey, Update
from tests.stage_tables import NAMES, Clients

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MONTH = "2026-11"


def count(client: "DynamoDBClient", kind: str, value: str, units: int, denied: int = 0, day: int = 20) -> None:
    """As the consumer counts: the item, and its place among the largest."""
    key = ItemKey(pk_of(kind, value), names.MONTH_SK + MONTH)
    table = TallyTable(client, NAMES.tally_table)
    table.add(Update(key, "writer", 1, 1, Delta(units, units, denied, {day: units}), 1_000, 2_000))
    if rank := rank_of(units + denied):
        table.set_rank(key, rank_partition(kind, MONTH, key.pk), rank)


def test_usage_of_all_homes_is_added_up(clients: Clients) -> None:
    count(clients["us-east-1"], "ip", "203.0.113.7", 10, denied=1, day=3)
    count(clients["eu-west-1"], "ip", "203.0.113.7", 50, day=20)
    usage = UsageReader(clients, NAMES.tally_table).show("ip", "203.0.113.7", MONTH)
    assert (usage.units, usage.charged, usage.denied) == (60, 60, 1)
    assert usage.days == {3: 10, 20: 50}
    assert {home: item.units for home, item in usage.homes.items()} == {"us-east-1": 10, "eu-west-1": 50}


def test_what_was_never_seen_has_used_nothing(clients: Clients) -> None:
    usage = UsageReader(clients, NAMES.tally_table).show("key", "0123456789abcdef", MONTH)
    assert (usage.value, usage.units, usage.denied, usage.days) == ("0123456789abcdef", 0, 0, {})


def test_a_value_with_a_separator_in_it_is_found_again(clients: Clients) -> None:
    count(clients["us-east-1"], "ref", "odd#host", 20)
    reader = UsageReader(clients, NAMES.tally_table)
    assert reader.top("ref", MONTH, 1)[0].value == "odd#host"


def test_the_largest_come_from_the_real_index(clients: Clients) -> None:
    for number in range(30):
        count(clients["us-east-1"], "ip", f"192.0.2.{number}", 10 + number)
    count(clients["eu-west-1"], "ip", "192.0.2.0", 40, denied=20)
    count(clients["eu-west-1"], "ref", "shop.example", 1000)
    top = UsageReader(clients, NAMES.tally_table).top("ip", MONTH, 3)
    assert [(row.value, row.units, row.denied) for row in top] == [
        ("192.0.2.0", 50, 20),
        ("192.0.2.29", 39, 0),
        ("192.0.2.28", 38, 0),
    ]


def test_everything_is_every_identifier_of_every_home(clients: Clients) -> None:
    count(clients["us-east-1"], "ip", "192.0.2.1", 1)
    count(clients["eu-west-1"], "ip", "192.0.2.1", 2)
    count(clients["eu-west-1"], "key", "invalid", 0, denied=3)
    for other in ("all#eu-west-1", "seen#writer"):  # totals and digests are no identifiers
        clients["eu-west-1"].put_item(
            TableName=NAMES.tally_table, Item={"pk": {"S": other}, "sk": {"S": f"{names.MONTH_SK}{MONTH}"}}
        )
    found = [
        (kind, value, item.units, item.denied)
        for kind, value, item in WholeTally(clients, NAMES.tally_table).everything()
    ]
    assert sorted(found) == [("ip", "192.0.2.1", 1, 0), ("ip", "192.0.2.1", 2, 0), ("key", "invalid", 0, 3)]


class FakeTally:
    """The two calls that a ranking needs, on a dictionary; counts how many items were read."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts
        self.read = 0

    def get_paginator(self, _operation: str) -> "FakeTally":
        return self

    def paginate(self, **query: Any) -> Iterator[dict[str, Any]]:
        partition = query["ExpressionAttributeValues"][":top"]["S"]
        ranked = [
            (rank_of(count), value)
            for value, count in self.counts.items()
            if rank_of(count) and rank_partition("ip", MONTH, pk_of("ip", value)) == partition
        ]
        for rank, value in sorted(ranked, reverse=not query["ScanIndexForward"]):
            yield {"Items": [{"pk": {"S": pk_of("ip", value)}, "rank": {"N": str(rank)}}]}

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, asked),) = RequestItems.items()
        self.read += len(asked["Keys"])
        rows = [
            {**key, "n": {"N": str(self.counts[value])}}
            for key in asked["Keys"]
            if (value := key["pk"]["S"].partition("#")[2]) in self.counts
        ]
        left = rows[100:]  # a real answer may leave keys unprocessed
        return {"Responses": {table: rows[:100]}, "UnprocessedKeys": {table: {"Keys": left}} if left else {}}


def reader_of(homes: list[dict[str, int]]) -> tuple[UsageReader, list[FakeTally]]:
    fakes = [FakeTally(counts) for counts in homes]
    clients = {f"home-{number}": cast("DynamoDBClient", fake) for number, fake in enumerate(fakes)}
    return UsageReader(clients, "tally"), fakes


counts = st.dictionaries(st.integers(0, 400).map(str), st.integers(1, 5_000) | st.integers(1, 20), max_size=300)


@given(homes=st.lists(counts, min_size=1, max_size=3), limit=st.integers(1, 20))
def test_the_largest_are_the_largest_of_all(homes: list[dict[str, int]], limit: int) -> None:
    totals: dict[str, int] = {}
    for home in homes:
        for value, counted in home.items():
            totals[value] = totals.get(value, 0) + counted
    certain = sorted((total for total in totals.values() if total > (LEAST_RANK - 1) * len(homes)), reverse=True)
    top = reader_of(homes)[0].top("ip", MONTH, limit)
    assert [row.counted for row in top][: len(certain)] == certain[:limit]
    assert all(totals[row.value] == row.counted for row in top)
    assert len({row.value for row in top}) == len(top)


def test_the_few_largest_of_many_cost_few_reads() -> None:
    reader, (fake,) = reader_of([{str(number): 10 + number for number in range(3_000)}])
    assert [row.value for row in reader.top("ip", MONTH, 3)] == ["2999", "2998", "2997"]
    assert fake.read < 1_100  # those above the step of √2 below 3,009; not all
