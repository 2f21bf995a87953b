"""The rejects queue: one SQS message for each reject, with everything that is needed to look at it and to give it
again.

A message: `reason`, `writer`, `sequence` (text: 56 digits), `log_stream`, `event_id`, `encoding` and `body`. A body
that does not fit one message is cut into parts that share everything but `part`.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Final

from tallygate.aws.dynamodb import store_errors
from tallygate.core.payload import Reject
from tallygate.core.tally import StoreError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MAX_BATCH_BYTES: Final = 262_144
"""Most bytes in one message, and in one batch of them, that every SQS queue takes (SQS quotas: 256 KiB, 1 MiB since
2025)."""
_MAX_BATCH_MESSAGES: Final = 10
_MAX_BODY_CHARS: Final = 200_000


class RejectsQueue:
    """Rejects on an SQS queue. `pool` sends several batches at once: whoever can write into a log can write much
    nonsense."""

    def __init__(self, client: "SQSClient", queue_url: str, pool: Executor | None = None) -> None:
        self._client = client
        self._queue_url = queue_url
        self._pool = pool

    def send(self, writer: str, rejects: Sequence[Reject]) -> None:
        """See Rejects.send."""
        run = self._pool.map if self._pool else map
        for _ in run(self._send, _batches(message for reject in rejects for message in messages_of(writer, reject))):
            pass  # each that failed raises here

    def _send(self, messages: Sequence[str]) -> None:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": message} for number, message in enumerate(messages)
        ]
        with store_errors():
            answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
        failed = answer.get("Failed", [])
        if failed:
            raise StoreError(f"SQS did not take {len(failed)} of {len(messages)} rejects: {failed[0].get('Code')}")


def _batches(messages: Iterable[str]) -> Iterator[list[str]]:
    """As many at once as SQS takes."""
    batch: list[str] = []
    size = 0
    for message in messages:
        if len(batch) == _MAX_BATCH_MESSAGES or size + len(message) > MAX_BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message)
    if batch:
        yield batch


def messages_of(writer: str, reject: Reject) -> Iterator[str]:
    """The messages that hold a reject: ASCII, so that characters are bytes. A line is kept as it reads when it is text
    and short; anything else as base64 of its zlib form (a gzip payload is not squeezed again)."""
    try:
        encoding, body = "text", reject.body.decode()
    except UnicodeDecodeError:
        encoding, body = "base64", base64.b64encode(reject.body).decode()
    if len(json.dumps(body)) > _MAX_BODY_CHARS:
        encoding, body = "zlib+base64", base64.b64encode(zlib.compress(reject.body)).decode()
    parts = [body[start : start + _MAX_BODY_CHARS] for start in range(0, len(body), _MAX_BODY_CHARS)] or [""]
    for number, part in enumerate(parts, 1):
        yield json.dumps(
            {
                "reason": reject.reason,
                "writer": writer,
                "sequence": str(reject.sequence),
                "log_stream": reject.log_stream,
                "event_id": reject.event_id,
                "part": number,
                "parts": len(parts),
                "encoding": encoding,
                "body": part,
            }
        )
