"""Which notices were told: items of the tally of the administrative region, which is not replicated. They outlive the
stream that notices come from by far, so that no repetition meets one that is forgotten."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tallygate.aws.dynamodb import CONDITION_FAILED, error_code, store_errors
from tallygate.core import names
from tallygate.core.notices import Notice
from tallygate.core.periods import DAY_MS
from tallygate.core.tally import ItemKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_BATCH_KEYS: Final = 100  # BatchGetItem, API reference
RETENTION_DAYS: Final = 400
"""As long as the audit trail: what was told to whom, and the same month of last year."""


class ToldTable:
    """ToldStore on the tally table. A notice's own text is kept with it, for `tallygate notices list`."""

    def __init__(self, client: "DynamoDBClient", table: str, service: str, stage: str) -> None:
        self._client = client
        self._table = table
        self._service = service
        self._stage = stage

    def told(self, notices: Sequence[Notice]) -> set[str]:
        """See ToldStore.told."""
        found: set[str] = set()
        places = list(dict.fromkeys(map(_key, notices)))
        for start in range(0, len(places), MAX_BATCH_KEYS):
            keys = [{names.PK: {"S": pk}, names.SK: {"S": sk}} for pk, sk in places[start : start + MAX_BATCH_KEYS]]
            asked: Any = {self._table: {"Keys": keys, "ConsistentRead": True}}
            while asked:
                with store_errors():
                    answer = self._client.batch_get_item(RequestItems=asked)
                found |= {row[names.SK]["S"] for row in answer["Responses"].get(self._table, [])}
                asked = answer.get("UnprocessedKeys")
        return found

    def remember(self, notice: Notice, now_ms: int) -> None:
        """See ToldStore.remember."""
        pk, sk = _key(notice)
        document = json.dumps(notice.document(self._service, self._stage), ensure_ascii=False, separators=(",", ":"))
        try:
            with store_errors():
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        names.PK: {"S": pk},
                        names.SK: {"S": sk},
                        names.TOLD_NOTICE: {"S": document},
                        names.AT_MS: {"N": str(now_ms)},
                        names.EXPIRES: {"N": str((now_ms + RETENTION_DAYS * DAY_MS) // 1000)},
                    },
                    ConditionExpression="attribute_not_exists(#pk)",
                    ExpressionAttributeNames={"#pk": names.PK},
                )
        except ClientError as error:
            if error_code(error) != CONDITION_FAILED:
                raise


def _key(notice: Notice) -> ItemKey:
    return ItemKey(names.TOLD_PREFIX + notice.month, notice.place)
