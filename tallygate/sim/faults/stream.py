"""A usage stream whose shards split and merge, as Kinesis has it: children are read when their parents are at their
end."""

from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from tallygate.core.payload import Record

_SLOTS: Final = 256
"""Hash positions of a stream, divided among its open shards."""


@dataclass
class Shard:
    """Part of a stream. `next` is where the mapping reads on; children are read when their parents are at their end."""

    number: int
    slots: range
    parents: "tuple[Shard, ...]" = ()
    records: list[Record] = field(default_factory=list)
    next: int = 0
    closed: bool = False

    @property
    def writer(self) -> str:
        return f"{self.number:x}.1"

    @property
    def readable(self) -> bool:
        return self.next < len(self.records) and all(parent.done for parent in self.parents)

    @property
    def done(self) -> bool:
        return self.next >= len(self.records) and all(parent.done for parent in self.parents)


class Stream:
    """The usage stream of a home. Sequence numbers rise over all shards, as time does."""

    def __init__(self) -> None:
        third = _SLOTS // 3
        slots = (range(third), range(third, 2 * third), range(2 * third, _SLOTS))
        self.shards = [Shard(number, part) for number, part in enumerate(slots)]

    def put(self, key: str, record: Record) -> None:
        slot = crc32(key.encode()) % _SLOTS
        next(shard for shard in self.shards if not shard.closed and slot in shard.slots).records.append(record)

    def reshard(self, pick: int, merge: bool) -> bool:
        """Split the picked open shard in two, or merge it with its neighbour; whether there was anything to do."""
        open_shards = sorted((shard for shard in self.shards if not shard.closed), key=lambda shard: shard.slots.start)
        shard = open_shards[pick % len(open_shards)]
        if merge:
            other = next((s for s in open_shards if s.slots.start == shard.slots.stop), None)
            if other is None:
                return False
            parents: tuple[Shard, ...] = (shard, other)
            slots = [range(shard.slots.start, other.slots.stop)]
        else:
            if len(shard.slots) < 2:
                return False
            middle = (shard.slots.start + shard.slots.stop) // 2
            parents, slots = (shard,), [range(shard.slots.start, middle), range(middle, shard.slots.stop)]
        for parent in parents:
            parent.closed = True
        self.shards += [Shard(len(self.shards) + place, part, parents) for place, part in enumerate(slots)]
        return True
