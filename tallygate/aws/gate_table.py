"""Publishing into the gate: the home's own replica of the global table, and in it only the home's own rows."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tallygate.aws.dynamodb import CONDITION_FAILED, error_code, store_errors
from tallygate.aws.rows import gate_row
from tallygate.core import names
from tallygate.core.publish import Publication

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class GateTable:
    """GateWriter on the gate."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def publish(self, publication: Publication) -> bool:
        """See GateWriter.publish. The row is put whole: nothing of an older publication survives in it."""
        row = gate_row(publication)
        try:
            with store_errors():
                self._client.put_item(
                    TableName=self._table,
                    Item=row,
                    ConditionExpression="attribute_not_exists(#e) OR #e < :e OR (#e = :e AND #n < :n)",
                    ExpressionAttributeNames={"#e": names.EPOCH, "#n": names.UNITS},
                    ExpressionAttributeValues={":e": row[names.EPOCH], ":n": row[names.UNITS]},
                )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise
            return False
        return True
