"""Whole numbers by caller, for any number of callers: the first hundred thousands in memory, the rest in a temporary
file that nobody sees and that ends with the process."""

import sqlite3
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeAlias

Record: TypeAlias = "array[int]"

MOST_IN_MEMORY: Final = 200_000
"""About 500 bytes each."""
CACHE_KIB: Final = 4_096


class Callers:
    """A record of `fields` numbers for each caller, all zero at first."""

    def __init__(self, fields: int, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._new: Record = array("q", bytes(8 * fields))
        self._most = most_in_memory
        self._memory: dict[str, Record] = {}
        self._file: sqlite3.Connection | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def is_spilled(self) -> bool:
        """Whether some are in the file."""
        return self._file is not None

    def of(self, name: str) -> Record:
        """The record of `name`. To be changed at once: after the next one is asked for, it may be in the file."""
        record = self._memory.get(name)
        if record is None:
            record = self._stored(name)
            if record is None:
                record = self._new[:]
                self._count += 1
            if len(self._memory) >= self._most:
                self._spill()
            self._memory[name] = record
        return record

    def __iter__(self) -> Iterator[tuple[str, Record]]:
        """All callers, in no order."""
        yield from self._memory.items()
        if self._file is not None:
            for name, stored in self._file.execute("SELECT name, record FROM callers"):
                if name not in self._memory:
                    yield name, array("q", stored)

    def _stored(self, name: str) -> "Record | None":
        if self._file is None:
            return None
        row = self._file.execute("SELECT record FROM callers WHERE name = ?", (name,)).fetchone()
        return array("q", row[0]) if row is not None else None

    def _spill(self) -> None:
        """Write out the half that came into memory first. Who is still busy comes back, and is then among the last."""
        if self._file is None:
            self._file = sqlite3.connect("")  # a temporary file, deleted as soon as it is open
            for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE_KIB}"):
                self._file.execute(f"PRAGMA {setting}")
            self._file.execute("CREATE TABLE callers (name TEXT PRIMARY KEY, record BLOB) WITHOUT ROWID")
        leaving = list(islice(self._memory.items(), self._most // 2 + 1))
        rows = sorted((name, record.tobytes()) for name, record in leaving)
        self._file.executemany("INSERT OR REPLACE INTO callers VALUES (?, ?)", rows)
        for name, _ in leaving:
            del self._memory[name]
