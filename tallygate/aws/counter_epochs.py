"""The epochs of counters, in the profiles of their keys in the gate, which every call with a key reads anyway. Written
in the administrative region only, by a function that may touch nothing else of a profile."""

from typing import Any, Final

from tallygate.aws.dynamodb_http import Answer, Operation, Sends
from tallygate.aws.gate_rows import epochs_of
from tallygate.core import names
from tallygate.core.counters import MAX_RESET_COUNTERS
from tallygate.core.gate import ReadFailure
from tallygate.core.names import pk_of

DEADLINE_MS: Final = 2_500
"""For each request: the administrative region may be on the other side of the world, and a connection to it takes four
ways there and back."""
ATTEMPTS: Final = 8
"""Each that fails means that another counter of the same key was reset for the first time."""
_CONDITION_FAILED: Final = "ConditionalCheckFailedException"


class NotYetError(Exception):
    """The counter has not come to the epoch that was to be ended."""


class TooManyResetError(Exception):
    """MAX_RESET_COUNTERS others of the key were reset."""


class CounterEpochs:
    """The epochs of the counters of keys. Every method takes a few requests one after the other, and returns why it
    could not be done when one is not answered. A write whose answer was lost may have been made: asked for again, it
    is found."""

    def __init__(self, client: Sends, table: str) -> None:
        self._client = client
        self._table = table

    def end(self, key: str, name: str, epoch: int | None) -> tuple[int, int] | ReadFailure:
        """Ends an epoch of a counter, that one or whichever it is in; returns the one that is over and the one that it
        is in. Of several at the same time, or one after the other for the same epoch, one ends it and all are told
        so. Raises NotYetError, TooManyResetError."""
        ended = epoch
        for _ in range(ATTEMPTS):
            epochs = self._read(key)
            if isinstance(epochs, ReadFailure):
                return epochs
            current = epochs.get(name, 0)
            ended = current if ended is None else ended
            if ended > current:
                raise NotYetError
            if ended < current:
                return ended, current
            if name not in epochs and len(epochs) >= MAX_RESET_COUNTERS:
                raise TooManyResetError
            written = self._write(key, name, current, is_first=not epochs)
            if isinstance(written, ReadFailure):
                return written
            if written:
                return current, current + 1
        return ReadFailure("other counters of the key are reset all the time", may_pass=True)

    def _read(self, key: str) -> dict[str, int] | ReadFailure:
        answer = self._send(
            Operation(
                "GetItem",
                {
                    "TableName": self._table,
                    "Key": _profile(key),
                    "ProjectionExpression": "#epochs",
                    "ExpressionAttributeNames": {"#epochs": names.KEY_EPOCHS},
                    "ConsistentRead": True,
                },
            )
        )
        return answer if isinstance(answer, ReadFailure) else dict(epochs_of(answer.get("Item", {})))

    def _write(self, key: str, name: str, current: int, *, is_first: bool) -> bool | ReadFailure:
        """Whether `name` was still in the epoch `current` and is in the next one now. `is_first`: no counter of the
        key has an epoch yet."""
        epochs, named = {"#epochs": names.KEY_EPOCHS}, {"#name": name}
        following = {"N": str(current + 1)}
        values: dict[str, Any]
        if is_first:
            update, condition = "SET #epochs = :epochs", "attribute_not_exists(#epochs)"
            attributes, values = epochs, {":epochs": {"M": {name: following}}}
        elif current:
            update, condition = "SET #epochs.#name = :next", "#epochs.#name = :current"
            attributes, values = epochs | named, {":next": following, ":current": {"N": str(current)}}
        else:
            update = "SET #epochs.#name = :next"
            condition = "attribute_not_exists(#epochs.#name) AND size(#epochs) < :most"
            attributes, values = epochs | named, {":next": following, ":most": {"N": str(MAX_RESET_COUNTERS)}}
        answer = self._send(
            Operation(
                "UpdateItem",
                {
                    "TableName": self._table,
                    "Key": _profile(key),
                    "UpdateExpression": update,
                    # Without its profile, this would make a key that never was.
                    "ConditionExpression": f"attribute_exists(#pk) AND {condition}",
                    "ExpressionAttributeNames": {**attributes, "#pk": names.PK},
                    "ExpressionAttributeValues": values,
                },
            )
        )
        if isinstance(answer, ReadFailure):
            return False if _CONDITION_FAILED in answer.reason else answer
        return True

    def _send(self, operation: Operation) -> Answer:
        (answer,) = self._client.send([operation], DEADLINE_MS).answers
        return answer


def _profile(key: str) -> dict[str, object]:
    return {names.PK: {"S": pk_of("key", key)}, names.SK: {"S": names.PROFILE_SK}}
