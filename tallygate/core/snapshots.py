"""What this container remembers of identifiers: what it last read of them, and what it admitted since. Bounded, since
callers choose how many there are; the one unused for longest is forgotten first."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from tallygate.core.adjustments import UNADJUSTED, Adjustments
from tallygate.core.gate import Partition
from tallygate.core.plans import COUNTED_WINDOWS
from tallygate.core.usage import Admission, Usage

MAX_SNAPSHOTS: Final = 4_096
"""About 2 KB each: 8 MB, and more callers than one container meets in the seconds that matter."""
MAX_ADMISSIONS: Final = 64
"""Kept apart for one identifier; older ones are merged."""


@dataclass(slots=True)
class Snapshot:
    """`partition` is None when nothing was read yet. `good_until_ms`: until when it may stand in for a read."""

    partition: Partition | None = None
    read_ms: int = 0
    good_until_ms: int = 0
    admitted: list[Admission] = field(default_factory=list)

    def usage(self) -> Usage:
        homes = self.partition.homes if self.partition is not None else ()
        return Usage(homes, tuple(self.admitted), self.adjustments)

    @property
    def adjustments(self) -> Adjustments:
        """The last that were read, however long ago: they end with their period by themselves."""
        return self.partition.adjustments if self.partition is not None else UNADJUSTED

    def renew(self, partition: Partition, home: str, now_ms: int) -> None:
        """Take over what was read. Admissions that `home` has counted are forgotten."""
        self.partition, self.read_ms, self.good_until_ms = partition, now_ms, 0
        usage = Usage(partition.homes)
        counted_ms = [newest[home].at_ms for window in COUNTED_WINDOWS if home in (newest := usage.newest(window))]
        if counted_ms:  # hours may be told further than days, or less far
            self.admitted = [admission for admission in self.admitted if admission.at_ms > min(counted_ms)]

    def admit(self, admission: Admission) -> None:
        """Remember an admission. Of many, the two oldest become one at the time of the earlier: where it matters
        whether both are counted, the caller has the benefit."""
        self.admitted.append(admission)
        if len(self.admitted) > MAX_ADMISSIONS:
            first, second = self.admitted[:2]
            self.admitted[:2] = [Admission(first.at_ms, first.units + second.units)]


class Snapshots:
    """Snapshots by partition key."""

    def __init__(self, most: int = MAX_SNAPSHOTS) -> None:
        self._most = most
        self._snapshots: OrderedDict[str, Snapshot] = OrderedDict()

    def __len__(self) -> int:
        return len(self._snapshots)

    def of(self, pk: str) -> Snapshot:
        """The snapshot of `pk`, an empty one when there is none."""
        snapshot = self._snapshots.get(pk)
        if snapshot is None:
            snapshot = self._snapshots[pk] = Snapshot()
            if len(self._snapshots) > self._most:
                self._snapshots.popitem(last=False)
        else:
            self._snapshots.move_to_end(pk)
        return snapshot
