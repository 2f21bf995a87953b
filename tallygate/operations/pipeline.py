"""How far counting is behind the calls: home by home, writer by writer."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from tallygate.aws.batches_reader import Backlog, BatchesReader, StreamPositions, messages_in
from tallygate.core.batches import CountedBatch, lines_per_second
from tallygate.core.lines import format_timestamp
from tallygate.operations.parameters import Query, only
from tallygate.operations.service import Service
from tallygate.operations.sources import Sources

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient

    from tallygate.operations.documents import PipelineDocument, RejectsRow, WriterRow

GOOD_MS: Final = 5_000
"""An answer stands in for another so long: a shard takes five reads a second, and the consumer needs one of them. It is
as long as a flush takes to come."""
MAX_ROWS: Final = 6_000
"""Batches told in one answer, a hundred bytes each: with more than a hundred writers fewer of each, so that no answer
reaches 1 MB."""


class Pipeline:
    """Answers `pipeline`. `streams` and `queues` have a client for each home."""

    def __init__(
        self,
        sources: Sources,
        service: Service,
        streams: "Mapping[str, KinesisClient]",
        queues: "Mapping[str, SQSClient]",
    ) -> None:
        self._sources = sources
        self._service = service
        self._queues = queues
        self._positions = {home: StreamPositions(client, service.names.stream) for home, client in streams.items()}
        self._answer: tuple[int, PipelineDocument] | None = None

    def answer(self, query: Query, now_ms: int) -> "PipelineDocument":
        """See Operations.pipeline."""
        only(query)
        if self._answer is not None and 0 <= now_ms - self._answer[0] < GOOD_MS:
            return self._answer[1]
        document: PipelineDocument = {
            "at": format_timestamp(now_ms),
            "writers": self._writers(now_ms),
            "rejects": self._rejects(),
        }
        self._answer = now_ms, document
        return document

    def _writers(self, now_ms: int) -> "list[WriterRow]":
        table = self._service.names.tally_table
        readers = {home: BatchesReader(client, table) for home, client in self._sources.homes.items()}
        named = self._sources.all_of(
            "the tally", [(home, partial(reader.writers, now_ms)) for home, reader in readers.items()]
        )
        writers = [(home, writer) for home, found in zip(readers, named, strict=True) for writer in sorted(found)]
        batches = self._sources.all_of(
            "the tally", [(home, partial(readers[home].batches, writer)) for home, writer in writers]
        )
        counting = {home for home, _ in writers}
        positions = {home: found for home, found in self._positions.items() if home in counting}
        created = dict(
            zip(
                positions,
                self._sources.all_of("the stream", [(home, each.created_seconds) for home, each in positions.items()]),
                strict=True,
            )
        )
        backlogs = self._sources.all_of(
            "the stream",
            [
                (home, partial(_backlog, positions[home], writer, created[home], found))
                for (home, writer), found in zip(writers, batches, strict=True)
            ],
        )
        return [
            _writer(home, writer, found, backlog, MAX_ROWS // len(writers), now_ms)
            for (home, writer), found, backlog in zip(writers, batches, backlogs, strict=True)
        ]

    def _rejects(self) -> "list[RejectsRow]":
        queue = self._service.names.rejects_queue
        found = self._sources.all_of(
            "the rejects queue", [(home, partial(messages_in, client, queue)) for home, client in self._queues.items()]
        )
        return [
            {"home": home, "waiting": messages["waiting"], "in_flight": messages["in_flight"]}
            for home, messages in zip(self._queues, found, strict=True)
        ]


def _backlog(positions: StreamPositions, writer: str, created: int, batches: list[CountedBatch]) -> Backlog | None:
    return positions.after(writer, created, batches[-1].last) if batches else None


def _writer(
    home: str, writer: str, batches: list[CountedBatch], backlog: Backlog | None, most: int, now_ms: int
) -> "WriterRow":
    """Batches without a line, of control messages or of repeats, are counted up to, and tell nothing of calls."""
    counted_ms = batches[-1].counted_ms if batches else None
    batches = [batch for batch in batches if batch.lines]
    last = batches[-1] if batches else None
    published = next((batch for batch in reversed(batches) if batch.published), None)
    waiting_ms = backlog.waiting_since_ms if backlog is not None else None
    return {
        "home": home,
        "writer": writer,
        "counted_at": format_timestamp(counted_ms) if counted_ms is not None else None,
        "delay_ms": {
            "arrival": last.arrival_ms if last else 0,
            "counted": last.delay_ms if last else 0,
            "published": published.delay_ms if published else None,
        },
        "lines_per_second": round(lines_per_second(batches, now_ms), 1),
        "behind_ms": backlog.behind_ms if backlog is not None else None,
        "waiting_since": format_timestamp(waiting_ms) if waiting_ms is not None else None,
        "recent": [
            {
                "at": format_timestamp(batch.counted_ms),
                "lines": batch.lines,
                "arrival_ms": batch.arrival_ms,
                "counted_ms": batch.delay_ms,
            }
            for batch in batches[-most:]
        ],
    }
