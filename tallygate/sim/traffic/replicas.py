"""The gate: what homes publish, and what each region reads of it by then.

Kept once for all regions, each row with the versions that some region may still read. What a region reads is the
newest version that had the time to reach it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tallygate.core.gate import Partition, Reading
from tallygate.core.names import HOUR_SK
from tallygate.core.periods import HOUR_MS, SECOND_MS, hour_of
from tallygate.core.publish import Publication, usage_of
from tallygate.core.usage import HomeUsage
from tallygate.sim.memory import MemoryGate
from tallygate.sim.traffic.hottest import Hottest
from tallygate.sim.traffic.setup import Partitioned

_NOTHING: Final = Partition()
_NEVER_MS: Final = 1 << 62


@dataclass(slots=True)
class _Version:
    """A row as it was written. `left_ms`: when it set out for other regions; later than `written_ms` when its own was
    cut off."""

    usage: HomeUsage
    written_ms: int
    left_ms: int


@dataclass(slots=True)
class _Row:
    home: str
    period: str
    expires_ms: int
    versions: list[_Version] = field(default_factory=list)


@dataclass(slots=True)
class _Entry:
    """The rows of an identifier. `whole` is what a region reads that has heard everything up to `heard_ms`, before
    `until_ms`, when a row of it is too old."""

    rows: dict[tuple[str, str], _Row] = field(default_factory=dict)
    whole: Partition | None = None
    heard_ms: int = 0
    until_ms: int = 0


class Replicas:
    """The gate of all regions."""

    def __init__(self, replication_ms: int, partitions: Sequence[Partitioned] = ()) -> None:
        self._replication_ms = replication_ms
        self._partitions = partitions
        self._entries: dict[str, _Entry] = {}
        self.writes = 0

    def put(self, publication: Publication, now_ms: int) -> None:
        """A row written by its home: read there at once, and elsewhere after replication."""
        self.writes += 1
        entry = self._entries.setdefault(publication.pk, _Entry())
        home, period = publication.home, publication.period
        row = entry.rows.get((period, home))
        if row is None:
            row = entry.rows[period, home] = _Row(home, period, 0)
        left_ms = max(now_ms, *(cut.to_ms for cut in self._partitions if cut.region == home and _cuts(cut, now_ms)), 0)
        row.expires_ms = publication.expires_seconds * 1000
        row.versions.append(_Version(usage_of(publication), now_ms, left_ms))
        self._forget(row, now_ms)
        entry.whole, entry.heard_ms = None, max(entry.heard_ms, left_ms)

    def read(self, region: str, pk: str, now_ms: int) -> Partition:
        """What the replica of `region` holds of an identifier."""
        entry = self._entries.get(pk)
        if entry is None:
            return _NOTHING
        heard_ms = self.heard_ms(region, now_ms)
        is_whole = heard_ms >= entry.heard_ms
        if is_whole and entry.whole is not None and now_ms < entry.until_ms:
            return entry.whole
        partition = self._partition(entry, region, heard_ms, now_ms)
        if is_whole:
            entry.whole = partition
            entry.until_ms = min(
                (now_ms // HOUR_MS + 1) * HOUR_MS,
                min((row.expires_ms for row in entry.rows.values() if row.expires_ms > now_ms), default=_NEVER_MS),
            )
        return partition

    def forget(self, pks: Collection[str]) -> None:
        """Let go of these identifiers' rows, in every region."""
        for pk in pks:
            self._entries.pop(pk, None)

    def heard_ms(self, region: str, now_ms: int) -> int:
        """What set out by then has reached `region`."""
        for cut in self._partitions:
            if cut.region == region and _cuts(cut, now_ms):
                now_ms = cut.from_ms
        return now_ms - self._replication_ms

    def _partition(self, entry: _Entry, region: str, heard_ms: int, now_ms: int) -> Partition:
        """One Query: hours from the previous one on, months, none that expired."""
        lowest = HOUR_SK + hour_of(now_ms - HOUR_MS)
        usages = []
        for row in entry.rows.values():
            if row.expires_ms <= now_ms or row.period < lowest:
                continue
            for version in reversed(row.versions):
                if version.written_ms <= now_ms if row.home == region else version.left_ms <= heard_ms:
                    usages.append(version.usage)
                    break
        return Partition(tuple(usages)) if usages else _NOTHING

    def _forget(self, row: _Row, now_ms: int) -> None:
        """Let go of versions that no region reads any more, since all of them have heard of a newer one."""
        versions = row.versions
        oldest_ms = min([cut.from_ms for cut in self._partitions if _cuts(cut, now_ms)], default=now_ms)
        oldest_ms -= self._replication_ms
        heard = sum(1 for version in versions if version.left_ms <= oldest_ms)
        if heard > 1:
            del versions[: heard - 1]


def _cuts(cut: Partitioned, now_ms: int) -> bool:
    return cut.from_ms <= now_ms < cut.to_ms


class HomeGate(MemoryGate):
    """GateWriter of one home, in front of all replicas. `now_ms` is set by whoever lets it flush. Without `rates`,
    counts are all that it tells."""

    def __init__(self, replicas: Replicas, *, rates: bool = True) -> None:
        super().__init__()
        self._replicas = replicas
        self._rates = rates
        self.now_ms = 0

    def publish(self, publication: Publication) -> bool:
        if not self._rates:
            publication = replace(publication, rate_milli=0)
        written = super().publish(publication)
        if written:
            self._replicas.put(publication, self.now_ms)
        return written


class RegionGate:
    """The Gate of one region, and how often it is read."""

    def __init__(self, replicas: Replicas, region: str) -> None:
        self._replicas = replicas
        self._region = region
        self.reads = 0
        self.hottest = Hottest(SECOND_MS)

    def read(self, partitions: Collection[str], *, plans: bool, now_ms: int) -> Reading:
        """See Gate.read. Plans come with each call instead: here there are none."""
        for pk in partitions:
            self.hottest.add(pk, now_ms)
        self.reads += len(partitions) + plans
        found = {pk: self._replicas.read(self._region, pk, now_ms) for pk in partitions}
        return Reading(found, {} if plans else None)

    def count(self, partitions: Sequence[str], reads: int, within_ms: int, now_ms: int) -> None:
        """So many reads of each of `partitions` more, spread over `within_ms`."""
        self.reads += reads * len(partitions)
        for pk in partitions:
            self.hottest.add(pk, now_ms, reads * SECOND_MS // within_ms)
