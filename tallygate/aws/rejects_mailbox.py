"""The rejects queue from the operator's side: look at what it keeps, and give it to the stream again.

A queue has no list: messages are received, which hides them, and put back at once. A batch that came twice left its
rejects twice, and a large one lies in parts: both are one reject here.
"""

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tallygate.core.payload import Reject

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient

HIDDEN_SECONDS: Final = 120
"""How long a look hides messages from other lookers, if it dies before it puts them back."""
_PAGE: Final = 10
_EMPTY_ANSWERS: Final = 3
"""A queue is asked until it has nothing more to show this often: one answer samples only some of its servers."""
MAX_PAYLOAD_BYTES: Final = 900_000
"""A Kinesis record takes 1 MB."""
MAX_PAYLOAD_LINES: Final = 100
"""Each line is a transaction; a record is counted as a whole, within the consumer's time."""


@dataclass(frozen=True, slots=True)
class KeptReject:
    """A reject as it lies in the queue. `id` is short and always the same; `sent_ms` is when it was first sent
    there."""

    id: str
    writer: str
    reject: Reject
    sent_ms: int
    receipts: tuple[str, ...]


def reject_id(writer: str, reject: Reject) -> str:
    """Twelve hex digits that name a reject, from where it was rejected."""
    return hashlib.sha256(f"{writer}/{reject.sequence}/{reject.event_id}".encode()).hexdigest()[:12]


class RejectsMailbox:
    """The rejects of one home. What AWS refuses is raised as it is (botocore.exceptions)."""

    def __init__(self, client: "SQSClient", queue: str) -> None:
        self._client = client
        self._url = client.get_queue_url(QueueName=queue)["QueueUrl"]

    def look(self) -> list[KeptReject]:
        """Everything in the queue, oldest first, hidden until `put_back` or `remove`."""
        parts: dict[tuple[str, str, str | None], dict[int, dict[str, Any]]] = {}
        receipts: dict[tuple[str, str, str | None], list[str]] = {}
        sent_ms: dict[tuple[str, str, str | None], int] = {}
        for body, receipt, at_ms in self._received():
            place = (body["writer"], body["sequence"], body["event_id"])
            parts.setdefault(place, {})[body["part"]] = body
            receipts.setdefault(place, []).append(receipt)
            sent_ms[place] = min(at_ms, sent_ms.get(place, at_ms))
        kept = []
        for place, found in parts.items():
            reject = _reject(found)
            kept.append(
                KeptReject(reject_id(place[0], reject), place[0], reject, sent_ms[place], tuple(receipts[place]))
            )
        return sorted(kept, key=lambda reject: (reject.sent_ms, reject.id))

    def put_back(self, kept: Iterable[KeptReject]) -> None:
        """Let others see them again."""
        for batch in _batches(receipt for reject in kept for receipt in reject.receipts):
            self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                    for number, receipt in enumerate(batch)
                ],
            )

    def remove(self, kept: Iterable[KeptReject]) -> None:
        """Take them out of the queue for good."""
        for batch in _batches(receipt for reject in kept for receipt in reject.receipts):
            self._client.delete_message_batch(
                QueueUrl=self._url,
                Entries=[{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(batch)],
            )

    def _received(self) -> Iterable[tuple[dict[str, Any], str, int]]:
        empty = 0
        while empty < _EMPTY_ANSWERS:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_PAGE,
                VisibilityTimeout=HIDDEN_SECONDS,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
            messages = answer.get("Messages", [])
            empty = 0 if messages else empty + 1
            for message in messages:
                sent_ms = int(message.get("Attributes", {}).get("SentTimestamp", 0))
                yield json.loads(message["Body"]), message["ReceiptHandle"], sent_ms


def give_again(client: "KinesisClient", stream: str, log_stream: str, events: Sequence[tuple[str, str]]) -> None:
    """Put (event id, line) into the usage stream, as CloudWatch Logs would: in payloads that fit a record."""
    batch: list[tuple[str, str]] = []
    for event in events:
        size = sum(len(line) for _, line in batch) + len(event[1])
        if batch and (size > MAX_PAYLOAD_BYTES or len(batch) == MAX_PAYLOAD_LINES):
            _put(client, stream, log_stream, batch)
            batch = []
        batch.append(event)
    if batch:
        _put(client, stream, log_stream, batch)


def _put(client: "KinesisClient", stream: str, log_stream: str, events: Sequence[tuple[str, str]]) -> None:
    payload = {
        "messageType": "DATA_MESSAGE",
        "owner": "tallygate",
        "logGroup": "tallygate/rejects",
        "logStream": log_stream,
        "subscriptionFilters": ["retry"],
        # Ids of their own: the payload that was rejected is known by those it had.
        "logEvents": [{"id": f"retry/{event_id}", "timestamp": 0, "message": line} for event_id, line in events],
    }
    client.put_record(StreamName=stream, PartitionKey=log_stream, Data=gzip.compress(json.dumps(payload).encode()))


def _reject(parts: Mapping[int, Mapping[str, Any]]) -> Reject:
    """A reject from its parts; what has not all its parts keeps those that are there, and says so."""
    some = next(iter(parts.values()))
    text = "".join(parts[number]["body"] for number in sorted(parts))
    complete = len(parts) == some["parts"]
    match some["encoding"] if complete else "incomplete":
        case "text":
            body = text.encode()
        case "base64":
            body = base64.b64decode(text)
        case "zlib+base64":
            body = zlib.decompress(base64.b64decode(text))
        case _:
            body = text.encode()
    reason = some["reason"] if complete else f"{some['reason']} ({len(parts)} of {some['parts']} parts found)"
    return Reject(reason, int(some["sequence"]), some["log_stream"], some["event_id"], body)


def _batches(receipts: Iterable[str]) -> Iterable[list[str]]:
    batch: list[str] = []
    for receipt in receipts:
        batch.append(receipt)
        if len(batch) == _PAGE:
            yield batch
            batch = []
    if batch:
        yield batch
