"""Key conditions that are taken apart once mean what the emulator means by them, and rows put in bulk are found."""

from itertools import product
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tallygate.core import names
from tallygate.local.additions.key_conditions import _clauses
from tallygate.local.aws import ACCOUNT, LocalAws
from tallygate.local.process import Emulator
from tests.stage_tables import create_table

TABLE = "bulk"
REGION = "us-east-1"
COUNT = 40


@pytest.fixture(scope="module")
def client(emulator: Emulator, aws: LocalAws) -> Any:
    client = aws.client("dynamodb", REGION)
    create_table(client, TABLE, names.TOP_INDEX, names.RANK_PARTITION, names.RANK)
    rows = [row(number) for number in range(COUNT)]
    document = {"account": ACCOUNT, "region": REGION, "table": TABLE, "rows": rows}
    assert emulator.ask("POST", "/_tallygate/rows", document=document) == {"rows": COUNT}
    return client


def row(number: int) -> dict[str, Any]:
    values = {"pk": {"S": f"ip#{number % 4}"}, "sk": {"S": f"month#{number:02d}"}}
    return values | {names.RANK: {"N": str(number)}, names.RANK_PARTITION: {"S": f"p{number % 2}"}}


def found(client: Any, condition: str, sk: str, values: dict[str, Any], **more: Any) -> list[str]:
    """The sort keys that a Query of the table gives."""
    answer = client.query(
        TableName=TABLE,
        KeyConditionExpression=condition,
        ExpressionAttributeNames={"#p": "pk", "#s": sk},
        ExpressionAttributeValues=values,
        **more,
    )
    return [item["sk"]["S"] for item in answer["Items"]]


@pytest.mark.parametrize(
    ("operator", "border"), list(product(("=", "<", "<=", ">", ">="), ("month#00", "month#18", "x")))
)
def test_each_comparison_finds_what_it_says(client: Any, operator: str, border: str) -> None:
    values = {":p": {"S": "ip#2"}, ":s": {"S": border}}
    direct = found(client, f"#p = :p AND #s {operator} :s", "sk", values)
    emulators = found(client, f"(#p = :p) AND (#s {operator} :s)", "sk", values)
    assert _clauses(f"#p = :p AND #s {operator} :s")
    assert not _clauses(f"(#p = :p) AND (#s {operator} :s)")
    keys = [f"month#{number:02d}" for number in range(2, COUNT, 4)]
    means = {"=": str.__eq__, "<": str.__lt__, "<=": str.__le__, ">": str.__gt__, ">=": str.__ge__}[operator]
    assert direct == emulators == [key for key in keys if means(key, border)]


def test_numbers_are_compared_as_numbers_and_pages_go_on(client: Any) -> None:
    asked = {
        "TableName": TABLE,
        "IndexName": names.TOP_INDEX,
        "KeyConditionExpression": "#top = :top AND #rank >= :least",
        "ExpressionAttributeNames": {"#top": names.RANK_PARTITION, "#rank": names.RANK},
        "ExpressionAttributeValues": {":top": {"S": "p1"}, ":least": {"N": "9"}},
        "ScanIndexForward": False,
    }
    pages = client.get_paginator("query").paginate(**asked, PaginationConfig={"PageSize": 3})
    ranks = [[int(item[names.RANK]["N"]) for item in page["Items"]] for page in pages]
    assert max(len(page) for page in ranks) == 3
    assert [rank for page in ranks for rank in page] == list(range(39, 8, -2))


def test_what_is_no_condition_is_refused_as_before(client: Any) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        found(client, "#p = :p AND #s = :s", "no key", {":p": {"S": "ip#2"}, ":s": {"S": "x"}})
    with pytest.raises(ClientError, match="ValidationException"):
        found(client, "#p = :p AND #s = :missing", "sk", {":p": {"S": "ip#2"}})
