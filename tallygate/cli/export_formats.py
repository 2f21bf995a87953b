"""The formats of an export. Each is written as its rows come; none holds more of them than it says."""

import csv
import io
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, BinaryIO, Final, Literal, Protocol, get_args

import orjson

from tallygate.cli.failures import Failure
from tallygate.core.export import ExportRow
from tallygate.core.lines import format_timestamp

Format = Literal["csv", "parquet", "json"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
COLUMNS: Final = (
    "kind",
    "value",
    "owner",
    "plan",
    "start",
    "granularity",
    "home",
    "admitted",
    "charged",
    "denied",
    "exported_at",
)
ROW_GROUP: Final = 100_000
"""Rows of a Parquet row group: a reader skips whole groups, and DuckDB works on one for each core. Some 10 MB here."""
BATCH: Final = 4_000
"""Rows that wait to be turned into columns."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection); and the sign that is put before it,
so that exactly one is taken off again."""


class RowWriter(Protocol):
    """Writes rows into a stream."""

    def write(self, row: ExportRow) -> None: ...

    def close(self) -> None:
        """Write what is still held. The stream stays open; without this, what is in it is no whole file."""
        ...


_at: Final = lru_cache(maxsize=1024)(format_timestamp)
"""Rows have few times between them."""


def writer(format: Format, stream: BinaryIO, exported_ms: int) -> RowWriter:
    """A writer of `format`. Failure when what it needs is not installed."""
    return _WRITERS[format](stream, exported_ms)


def safe_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula: with a `'` before what could be one."""
    return f"'{text}" if text.startswith(_FORMULA) else text


class CsvWriter:
    """RFC 4180: a header, CRLF, quotes where they are needed; in UTF-8. An absent value is empty."""

    def __init__(self, stream: BinaryIO, exported_ms: int) -> None:
        self._text = io.TextIOWrapper(stream, "utf-8", newline="", write_through=False)
        self._csv = csv.writer(self._text, lineterminator="\r\n")
        self._exported_at = format_timestamp(exported_ms)
        self._csv.writerow(COLUMNS)

    def write(self, row: ExportRow) -> None:
        texts = (safe_text(text or "") for text in row[:4])
        self._csv.writerow((*texts, _at(row.start_ms), *row[5:], self._exported_at))

    def close(self) -> None:
        self._text.flush()
        self._text.detach()


class JsonLinesWriter:
    """One JSON object a line."""

    def __init__(self, stream: BinaryIO, exported_ms: int) -> None:
        self._stream = stream
        self._exported_at = format_timestamp(exported_ms)

    def write(self, row: ExportRow) -> None:
        values = (*row[:4], _at(row.start_ms), *row[5:], self._exported_at)
        self._stream.write(orjson.dumps(dict(zip(COLUMNS, values, strict=True)), option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        self._stream.flush()


class ParquetWriter:
    """Apache Parquet: times are UTC to the millisecond, counts 64 bits, row groups of ROW_GROUP."""

    def __init__(self, stream: BinaryIO, exported_ms: int) -> None:
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError:
            raise Failure("--format parquet needs pyarrow: pip install 'tallygate[parquet]'") from None
        time, text, count = arrow.timestamp("ms", tz="UTC"), arrow.string(), arrow.int64()
        types = {"start": time, "exported_at": time} | dict.fromkeys(("admitted", "charged", "denied"), count)
        absent = ("owner", "plan")
        self._arrow = arrow
        self._schema = arrow.schema(
            [arrow.field(name, types.get(name, text), nullable=name in absent) for name in COLUMNS]
        )
        self._parquet = parquet.ParquetWriter(stream, self._schema, compression="zstd")
        self._exported_ms = exported_ms
        self._rows: list[ExportRow] = []
        self._batches: list[Any] = []

    def write(self, row: ExportRow) -> None:
        self._rows.append(row)
        if len(self._rows) == BATCH:
            self._columns()
            if len(self._batches) * BATCH >= ROW_GROUP:
                self._group()

    def close(self) -> None:
        if self._rows:
            self._columns()
        self._group()
        self._parquet.close()

    def _columns(self) -> None:
        columns = [*zip(*self._rows, strict=True), (self._exported_ms,) * len(self._rows)]
        arrays = [self._arrow.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._batches.append(self._arrow.record_batch(arrays, schema=self._schema))
        self._rows.clear()

    def _group(self) -> None:
        if self._batches:
            self._parquet.write_table(self._arrow.Table.from_batches(self._batches), row_group_size=ROW_GROUP)
            self._batches.clear()


_WRITERS: Final[Mapping[Format, Callable[[BinaryIO, int], RowWriter]]] = {
    "csv": CsvWriter,
    "json": JsonLinesWriter,
    "parquet": ParquetWriter,
}
