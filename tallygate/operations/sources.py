"""Where answers come from: tables, streams and queues in several regions, asked at the same time. One that cannot be
read is named, never passed over."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from tallygate.aws.dynamodb import store_errors
from tallygate.core.tally import StoreError
from tallygate.operations.errors import UnreachableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

THREADS: Final = 16
"""Reads under way at once. A read is some milliseconds of waiting, or a few hundred of a home far away."""

Came = TypeVar("Came")


@contextmanager
def reading(what: str, region: str) -> Iterator[None]:
    """Turns the failure of a read into an UnreachableError."""
    try:
        with store_errors():
            yield
    except StoreError as error:
        raise UnreachableError(what, region, str(error), may_pass=True) from error
    except (ClientError, BotoCoreError) as error:
        raise UnreachableError(what, region, str(error), may_pass=False) from error


class Sources:
    """The tables. `homes` has a client for each home whose tally is asked, `gate` is of any replica."""

    def __init__(self, homes: "Mapping[str, DynamoDBClient]", gate: "DynamoDBClient") -> None:
        self.homes = homes
        self.gate = gate
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="operations")

    def in_homes(
        self, function: "Callable[[str, DynamoDBClient], Came]", homes: "Mapping[str, DynamoDBClient]", /
    ) -> list[Came]:
        """See InHomes (aws/usage_reader.py). UnreachableError for a home that cannot be read."""
        reads = [(home, partial(function, home, client)) for home, client in homes.items()]
        return self.all_of("the tally", reads)

    def all_of(self, what: str, reads: Sequence[tuple[str, Callable[[], Came]]]) -> list[Came]:
        """The answers to `reads`, each with its region, in their order. UnreachableError for the first that fails. A
        read must not ask here again: it would wait for a thread that waits for it."""

        def read(place: tuple[str, Callable[[], Came]]) -> Came:
            with reading(what, place[0]):
                return place[1]()

        return list(self._pool.map(read, reads))

    def at_gate(self, function: "Callable[[DynamoDBClient], Came]") -> Came:
        """What the gate answers. UnreachableError."""
        with reading("the gate", self.gate.meta.region_name):
            return function(self.gate)
