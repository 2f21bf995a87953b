"""A stretch of the past of one partition of the tally: the items of its hours or months."""

from typing import TYPE_CHECKING

from tallygate.aws.rows import tally_item
from tallygate.core import names
from tallygate.core.tally import TallyItem

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def items_between(client: "DynamoDBClient", table: str, pk: str, first: str, last: str) -> dict[str, TallyItem]:
    """Items by their period (`hour#2026-11-20T14`) from `first` to `last`, where there are any. Eventually consistent:
    half the price, and a second behind at most. What AWS refuses is raised as it is (botocore.exceptions)."""
    pages = client.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="#pk = :pk AND #sk BETWEEN :first AND :last",
        ExpressionAttributeNames={"#pk": names.PK, "#sk": names.SK},
        ExpressionAttributeValues={":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": last}},
    )
    return {row[names.SK]["S"]: tally_item(row) for page in pages for row in page["Items"]}
