"""What this container remembers of identifiers: what it last read of them, and what it admitted since. Bounded, since
callers choose how many there are; the one unused for longest is forgotten first."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tallygate.core.adjustments import UNADJUSTED, Adjustments, Baseline
from tallygate.core.decide import Checked
from tallygate.core.gate import Partition
from tallygate.core.periods import MINUTE_MS
from tallygate.core.plans import COUNTED_WINDOWS
from tallygate.core.usage import NO_PACE, Admission, HomeUsage, Minute, Pace, Usage

MAX_SNAPSHOTS: Final = 4_096
"""About 2 KB each: 8 MB, and more callers than one container meets in the seconds that matter."""
MAX_ADMISSIONS: Final = 64
"""Kept apart for one identifier; older ones are merged."""
MERGED_MS: Final = 500
"""So that even a hot key's admissions of the last half minute are kept apart."""
NO_EPOCHS: Final[Mapping[str, int]] = {}


class Told(NamedTuple):
    """What a caller was told to have used of the window that `reset_ms` names, counted from these baselines."""

    reset_ms: int
    bases: Mapping[str, Baseline]
    used: int


@dataclass(slots=True)
class Snapshot:
    """`partition` is None when nothing was read yet. `good_until_ms`: until when it may stand in for a read. Of what
    the home counted between publications (`gained`, of late above all), `own` was admitted here. `told` is what the
    caller was told of each limit; `minutes` where each home's count stood when its last minute began."""

    partition: Partition | None = None
    read_ms: int = 0
    good_until_ms: int = 0
    admitted: list[Admission] = field(default_factory=list)
    pace: Pace = NO_PACE
    own: float = 0.0
    gained: float = 0.0
    told: dict[str, Told] = field(default_factory=dict)
    minutes: dict[str, Minute] = field(default_factory=dict)

    def usage(self) -> Usage:
        homes = self.partition.homes if self.partition is not None else ()
        share = self.own / self.gained if self.gained else 0.0
        return Usage(homes, tuple(self.admitted), self.adjustments, share, self.pace, self.minutes)

    @property
    def adjustments(self) -> Adjustments:
        """The last that were read, however long ago: they end with their period by themselves."""
        return self.partition.adjustments if self.partition is not None else UNADJUSTED

    @property
    def epochs(self) -> Mapping[str, int]:
        """Of counters, as they were last read, however long ago: what is added meanwhile goes to the epoch before."""
        return self.partition.epochs if self.partition is not None else NO_EPOCHS

    def renew(self, partition: Partition, home: str, now_ms: int) -> None:
        """Take over what was read. Admissions that `home` has counted are forgotten."""
        before = self.partition.homes if self.partition is not None else ()
        self.partition, self.read_ms, self.good_until_ms = partition, now_ms, 0
        if partition.homes == before:
            return
        for row in partition.homes:
            if row.home == home:
                self._learn(row, before)
            if row.month:
                self._begin_minute(row, before)
        usage = Usage(partition.homes)
        counted_ms = [newest[home].at_ms for window in COUNTED_WINDOWS if home in (newest := usage.newest(window))]
        if counted_ms:  # hours may be told further than days, or less far
            self.admitted = [admission for admission in self.admitted if admission.at_ms > min(counted_ms)]

    def admit(self, admission: Admission) -> None:
        """Remember an admission. Those of half a second become one, at the time of the first, and of many the two
        oldest: where it matters whether both are counted, the caller has the benefit."""
        self.pace = self.pace.after(admission)
        admitted = self.admitted
        if admitted and admitted[-1].at_ms // MERGED_MS == admission.at_ms // MERGED_MS:
            last = admitted.pop()
            admission = Admission(min(last.at_ms, admission.at_ms), last.units + admission.units)
        admitted.append(admission)
        if len(admitted) > MAX_ADMISSIONS:
            first, second = admitted[:2]
            admitted[:2] = [Admission(first.at_ms, first.units + second.units)]

    def tell(self, checked: Checked, weighs: int, units: int) -> Checked:
        """`checked` as its caller is told of it, after a call of `units` was let through. What is counted is used for
        certain; so is what they were told before and these units, which nobody can have counted yet: the larger of the
        two. So a container never tells them of more than before, nor of less than there is. `weighs`: of what is
        counted, units of the window before, which a rolling limit gives back."""
        limit = checked.limit
        bases = self.adjustments.allowance(limit.window, checked.reset_ms - 1).bases
        before = self.told.get(limit.name)
        used = checked.certain - weighs
        if before is not None and (before.reset_ms, before.bases) == (checked.reset_ms, bases):
            used = max(used, before.used + units)
        self.told[limit.name] = Told(checked.reset_ms, bases, used)
        certain = used + weighs
        return checked.with_used(max(checked.used, certain), max(0, checked.used - certain))

    def _begin_minute(self, row: HomeUsage, before: Sequence[HomeUsage]) -> None:
        """Where the count of a month stood when the minute began that `row` tells of: as if its rate had held since,
        but no lower than was read before."""
        number, since_ms = divmod(row.at_ms, MINUTE_MS)
        known = self.minutes.get(row.home)
        if known is None or known.number < number:
            least = max((old.charged for old in before if (old.home, old.month) == (row.home, row.month)), default=0)
            self.minutes[row.home] = Minute(number, max(least, row.charged - row.rate_milli * since_ms // 10**6))

    def _learn(self, row: HomeUsage, before: Sequence[HomeUsage]) -> None:
        """What part of what `row` gained was admitted here. Older gains count for half with each new one."""
        for old in before:
            if (old.home, old.month, old.hour) == (row.home, row.month, row.hour) and old.charged < row.charged:
                own = sum(units for at_ms, units in self.admitted if old.at_ms < at_ms <= row.at_ms)
                self.own = self.own / 2 + own
                self.gained = self.gained / 2 + row.charged - old.charged


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
