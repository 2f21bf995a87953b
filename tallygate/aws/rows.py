"""Rows of the two tables as domain values, and back. DynamoDB's types stay in here and in the adapters beside it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tallygate.core import names
from tallygate.core.plans import Limit
from tallygate.core.publish import Publication
from tallygate.core.seen import DIGEST_BYTES, BatchStatistics, SeenBatch, Sighting
from tallygate.core.tally import Addition, Claim, TallyItem, Update

Row = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB's low-level API has it: `{"n": {"N": "7"}}`."""
Attributes = dict[str, dict[str, Any]]

SEQUENCE_BYTES: Final = 24
"""A Kinesis sequence number has up to 56 decimal digits (186 bits); a DynamoDB number only 38. Big-endian bytes of
one length compare as the numbers do."""
SEQUENCE_DIGITS: Final = 56
_ARRIVED_BYTES: Final = 6
_SIGHTING_BYTES: Final = SEQUENCE_BYTES + _ARRIVED_BYTES + DIGEST_BYTES


def sequence_bytes(sequence: int) -> bytes:
    """A sequence number as a watermark is stored."""
    return sequence.to_bytes(SEQUENCE_BYTES, "big")


def sequence_text(sequence: int) -> str:
    """A sequence number in a sort key: zero-padded, so that text order is number order."""
    return f"{sequence:0{SEQUENCE_DIGITS}d}"


def number(row: Row, name: str) -> int:
    """A whole number of a row; 0 when it is not there."""
    attribute = row.get(name)
    return int(attribute["N"]) if attribute else 0


def by_day(prefix: str, days: Mapping[int, int]) -> dict[str, int]:
    """Counts by day of the month as attributes: `d07`, `u07`, `x07`. A day with nothing has none."""
    return {f"{prefix}{day:02d}": count for day, count in days.items() if count}


def days_of(row: Row, prefix: str) -> dict[int, int]:
    """Counts by day of the month, of the attributes with `prefix`."""
    return {
        int(name[1:]): int(attribute["N"])
        for name, attribute in row.items()
        if len(name) == 3 and name[0] == prefix and name[1:].isdigit()
    }


def tally_item(row: Row) -> TallyItem:
    """A tally item from its row; the empty item from an empty row."""
    return TallyItem(
        units=number(row, names.UNITS),
        charged=number(row, names.CHARGED),
        denied=number(row, names.DENIED),
        days=days_of(row, names.DAY_PREFIX),
        watermarks={
            name[1:]: int.from_bytes(attribute["B"], "big")
            for name, attribute in row.items()
            if name[0] == names.WATERMARK_PREFIX and "B" in attribute
        },
        last_flush_ms=int(row[names.LAST_FLUSH_MS]["N"]) if names.LAST_FLUSH_MS in row else None,
        epoch=number(row, names.EPOCH),
        shares=shares_of(row),
        free_days=days_of(row, names.FREE_DAY_PREFIX),
        denied_days=days_of(row, names.DENIED_DAY_PREFIX),
    )


def shares_of(row: Row) -> dict[str, int]:
    """What each writer counted of a named counter."""
    return {
        name[1:]: int(attribute["N"])
        for name, attribute in row.items()
        if name[0] == names.SHARE_PREFIX and "." in name
    }


def counts_of(addition: Update | Addition) -> dict[str, int]:
    """What an update adds, by attribute; nothing that is 0 but the units, so that there is always something to add."""
    delta = addition.delta
    counts = {names.UNITS: delta.units, names.CHARGED: delta.charged, names.DENIED: delta.denied}
    counts |= by_day(names.DAY_PREFIX, delta.days)
    counts |= by_day(names.FREE_DAY_PREFIX, delta.free_days) | by_day(names.DENIED_DAY_PREFIX, delta.denied_days)
    if addition.shared:
        counts[names.SHARE_PREFIX + addition.writer] = delta.units
    return {name: count for name, count in counts.items() if count or name == names.UNITS}


def claim_row(claim: Claim) -> Attributes:
    """The row of a claim."""
    return {
        names.PK: {"S": names.IDEM_PREFIX + claim.idem},
        names.SK: {"S": names.CLAIM_SK},
        names.CLAIM_BY: {"S": claim.by},
        names.AT_MS: {"N": str(claim.at_ms)},
        names.EXPIRES: {"N": str(claim.expires_seconds)},
    }


def gate_row(publication: Publication) -> Attributes:
    """The whole gate row of a publication."""
    item = publication.item
    numbers = {
        names.EPOCH: item.epoch,
        names.UNITS: item.units,
        names.CHARGED: item.charged,
        names.DENIED: item.denied,
        names.AT_MS: publication.at_ms,
        names.RATE_MILLI: publication.rate_milli,
        names.LAG_MS: publication.lag_ms,
        names.EXPIRES: publication.expires_seconds,
    }
    numbers |= by_day(names.DAY_PREFIX, item.days)
    row: Attributes = {name: {"N": str(value)} for name, value in numbers.items()}
    row[names.PK] = {"S": publication.pk}
    row[names.SK] = {"S": f"{publication.period}#{publication.home}"}
    return row


def limit_row(limit: Limit) -> Attributes:
    """A limit as plans and keys hold it. What only some say is left out of the others."""
    return {
        names.LIMIT_PER: {"S": limit.per},
        names.LIMIT_QUOTA: {"N": str(limit.quota)},
        names.LIMIT_WINDOW: {"S": limit.window},
        **({names.LIMIT_ROLLING: {"BOOL": True}} if limit.rolling else {}),
        **({names.LIMIT_SOFT: {"BOOL": True}} if limit.soft else {}),
    }


def seen_sk(bucket_ms: int, rest: str = "") -> str:
    """Sort key of the digests of a minute of arrival; with `rest`, of those of one batch in it."""
    return f"{bucket_ms:014d}#{rest}"


def seen_row(writer: str, bucket_ms: int, batch: SeenBatch, expires_seconds: int) -> Attributes:
    """The digests of the payloads of a batch that arrived in one minute, 46 bytes for each payload: a few hundred
    payloads are 14 write units."""
    packed = b"".join(
        sequence_bytes(sighting.sequence) + sighting.arrived_ms.to_bytes(_ARRIVED_BYTES, "big") + sighting.digest
        for sighting in batch.sightings
    )
    return {
        names.PK: {"S": names.SEEN_PREFIX + writer},
        names.SK: {"S": seen_sk(bucket_ms, f"{sequence_text(batch.first)}#{sequence_text(batch.last)}")},
        names.SEEN_DIGESTS: {"B": packed},
        names.EXPIRES: {"N": str(expires_seconds)},
    }


def statistics_attributes(statistics: BatchStatistics, counted_ms: int) -> Attributes:
    """What the last row of digests of a batch says of counting it."""
    numbers = {
        names.SEEN_COUNTED_MS: counted_ms,
        names.SEEN_LINES: statistics.lines,
        names.AT_MS: statistics.called_ms,
        names.LAG_MS: statistics.mean_delay_ms,
    }
    if statistics.published:
        numbers[names.SEEN_PUBLISHED] = statistics.published
    return {name: {"N": str(value)} for name, value in numbers.items()}


def sightings_of(row: Row) -> Iterator[Sighting]:
    """The payloads of a row of digests."""
    packed: bytes = row[names.SEEN_DIGESTS]["B"]
    for start in range(0, len(packed), _SIGHTING_BYTES):
        arrived = start + SEQUENCE_BYTES
        digest = arrived + _ARRIVED_BYTES
        yield Sighting(
            int.from_bytes(packed[start:arrived], "big"),
            int.from_bytes(packed[arrived:digest], "big"),
            packed[digest : start + _SIGHTING_BYTES],
        )
