"""The questions of operators, each answered by one method: for the `/ops` API, the page and the command alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tallygate.core.identity import DEFAULT_IPV6_PREFIX
from tallygate.core.retention import Retention
from tallygate.resources import Names

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient

    from tallygate.operations.documents import (
        OwnerDocument,
        OwnersDocument,
        PipelineDocument,
        StandingDocument,
        TopDocument,
        UsageDocument,
    )


@dataclass(frozen=True, slots=True)
class Service:
    """What there is to know of a deployed service besides its tables. `regions` serve callers."""

    names: Names
    regions: tuple[str, ...]
    retention: Retention
    ipv6_prefix: int = DEFAULT_IPV6_PREFIX


class Operations:
    """Answers by the tallies of `homes` and the `gate`, any replica of it; by the stream and the rejects queue of each
    home where the pipeline is asked about. It reads only.

    Every method takes parameters as a URL has them. Raises InvalidParameterError, which names the parameter and says
    what is valid, and UnreachableError."""

    def __init__(
        self,
        homes: "Mapping[str, DynamoDBClient]",
        gate: "DynamoDBClient",
        streams: "Mapping[str, KinesisClient]",
        queues: "Mapping[str, SQSClient]",
        service: Service,
    ) -> None:
        self._homes = homes
        self._gate = gate
        self._streams = streams
        self._queues = queues
        self._service = service

    def usage(self, query: Mapping[str, str], now_ms: int) -> "UsageDocument":
        """A time series of one identifier, or of a region (`kind=all`). Parameters: kind, value, from, to, granularity,
        fill, limit, cursor."""
        raise NotImplementedError

    def top(self, query: Mapping[str, str], now_ms: int) -> "TopDocument":
        """The largest of a month or a day, with the use of their limits. Parameters: kind, period, limit."""
        raise NotImplementedError

    def standing(self, query: Mapping[str, str], now_ms: int) -> "StandingDocument":
        """One identifier at this moment. Parameters: kind, value."""
        raise NotImplementedError

    def owners(self, query: Mapping[str, str], now_ms: int) -> "OwnersDocument":
        """Owners of keys whose name holds a text, whatever its case. Parameters: q, limit, cursor."""
        raise NotImplementedError

    def owner(self, owner: str, query: Mapping[str, str], now_ms: int) -> "OwnerDocument":
        """One owner's keys and what they used this month. No parameters. UnknownOwnerError."""
        raise NotImplementedError

    def pipeline(self, query: Mapping[str, str], now_ms: int) -> "PipelineDocument":
        """How far counting is behind, writer by writer. No parameters. A home that counted nothing yet has no
        writers."""
        raise NotImplementedError
