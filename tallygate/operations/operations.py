"""The questions of operators, each answered by one method: for the `/ops` API, the page and the command alike."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tallygate.operations.callers import Callers
from tallygate.operations.owners import Owners
from tallygate.operations.pipeline import Pipeline
from tallygate.operations.service import Service
from tallygate.operations.sources import Sources
from tallygate.operations.standing import CallerStanding
from tallygate.operations.top import TopCallers
from tallygate.operations.usage import UsageSeries

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
        sources = Sources(homes, gate)
        callers = Callers(sources, service)
        self._series = UsageSeries(sources, service, callers)
        self._top = TopCallers(sources, service, callers)
        self._standing = CallerStanding(sources, service, callers)
        self._owners = Owners(sources, service)
        self._pipeline = Pipeline(sources, service, streams, queues)

    def usage(self, query: Mapping[str, str], now_ms: int) -> "UsageDocument":
        """A time series of one identifier, or of a region (`kind=all`). Parameters: kind, value, from, to, granularity,
        fill, limit, cursor."""
        return self._series.answer(query, now_ms)

    def top(self, query: Mapping[str, str], now_ms: int) -> "TopDocument":
        """The largest of a month or a day, with the use of their limits. Parameters: kind, period, limit."""
        return self._top.answer(query, now_ms)

    def standing(self, query: Mapping[str, str], now_ms: int) -> "StandingDocument":
        """One identifier at this moment. Parameters: kind, value."""
        return self._standing.answer(query, now_ms)

    def owners(self, query: Mapping[str, str], now_ms: int) -> "OwnersDocument":
        """Owners of keys whose name holds a text, whatever its case. Parameters: q, limit, cursor."""
        return self._owners.search(query)

    def owner(self, owner: str, query: Mapping[str, str], now_ms: int) -> "OwnerDocument":
        """One owner's keys and what they used this month. Parameters: limit, cursor. UnknownOwnerError."""
        return self._owners.answer(owner, query, now_ms)

    def pipeline(self, query: Mapping[str, str], now_ms: int) -> "PipelineDocument":
        """How far counting is behind, writer by writer; up to five seconds ago. No parameters. A home that counted
        nothing yet has no writers."""
        return self._pipeline.answer(query, now_ms)
