"""Reading a TOML table by hand: each value is checked where it is taken, and every problem is kept instead of only the
first. A problem is one line: the file, the key, what was found there and what is allowed."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

MOST_SHOWN: Final = 10**60

T = TypeVar("T")
Name = TypeVar("Name", bound=str)


class NotAllowedError(ValueError):
    """Raised by a check; the message is what is allowed."""


Check = Callable[[object], T]
"""Returns the value it was given, parsed, or raises NotAllowedError."""


@dataclass(slots=True)
class Problems:
    """What is wrong with one file, in the order found."""

    file: str
    lines: list[str] = field(default_factory=list)

    def add(self, key: str, what: str) -> None:
        self.lines.append(f"{self.file}: {key}: {what}")

    def wrong(self, key: str, found: object, allowed: object) -> None:
        self.add(key, f"found {shown(found)}, allowed is {allowed}")


@dataclass(slots=True)
class Table:
    """One table of the file. What it hands out can always be used (where the file's value is wrong, the fallback), so
    that reading goes on to the next problem."""

    problems: Problems
    key: str
    values: Mapping[str, Any]

    def path(self, name: str) -> str:
        return f"{self.key}.{name}" if self.key else name

    def only(self, *allowed: str) -> None:
        """Every other key is a problem: a misspelt setting must not pass as one left at its default."""
        for name in self.values:
            if name not in allowed:
                close = difflib.get_close_matches(name, allowed, n=1)
                hint = f"did you mean {close[0]}? " if close else ""
                self.problems.add(self.path(name), f"unknown key, {hint}allowed are {', '.join(allowed)}")

    def take(self, name: str, check: Check[T], fallback: T, *, required: bool = False) -> T:
        """The value of `name`; the fallback when it is absent or wrong."""
        if name not in self.values and not required:
            return fallback
        try:
            return check(self.values.get(name))
        except NotAllowedError as allowed:
            self._wrong(name, allowed)
            return fallback

    def take_list(self, name: str, check: Check[T], fallback: tuple[T, ...] = (), *, least: int = 0) -> tuple[T, ...]:
        """The values of the list `name`, each once, at least `least` of them."""
        if name not in self.values and not least:
            return fallback
        found = self.values.get(name)
        if not isinstance(found, list) or len(found) < least:
            self._wrong(name, f"a list with {least} or more entries" if least else "a list")
            return fallback
        taken: list[T] = []
        for index, item in enumerate(found):
            try:
                value = check(item)
                if value in taken:
                    raise NotAllowedError("each entry once")
                taken.append(value)
            except NotAllowedError as allowed:
                self.problems.wrong(f"{self.path(name)}[{index}]", item, allowed)
        return tuple(taken) or fallback

    def take_table(self, name: str, *, required: bool = False) -> "Table":
        """The table `name`, empty when it is absent or is no table."""
        nothing: dict[str, Any] = {}
        return Table(self.problems, self.path(name), self.take(name, table, nothing, required=required))

    def take_tables(self, name: str, example: str) -> list["Table"]:
        """The tables of the list `name`, which must be there but may be empty."""
        found = self.values.get(name)
        if not isinstance(found, list):
            self._wrong(name, f"a list of tables like {example}")
            return []
        tables: list[Table] = []
        for index, item in enumerate(found):
            key = f"{self.path(name)}[{index}]"
            if isinstance(item, dict):
                tables.append(Table(self.problems, key, item))
            else:
                self.problems.wrong(key, item, f"a table like {example}")
        return tables

    def _wrong(self, name: str, allowed: object) -> None:
        if name in self.values:
            self.problems.wrong(self.path(name), self.values[name], allowed)
        else:
            self.problems.add(self.path(name), f"missing, allowed is {allowed}")


def shown(found: object) -> str:
    """A value near enough to what its author wrote to recognise it, and never a whole screen of it."""
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, dict):
        return "a table"
    if isinstance(found, list):
        items = ("[…]" if isinstance(item, list) else shown(item) for item in found[:3])
        return "[" + ", ".join(items) + (", …]" if len(found) > 3 else "]")
    if isinstance(found, str):
        return f'"{found}"' if len(found) <= 60 else f'"{found[:57]}…"'
    if isinstance(found, int) and abs(found) >= MOST_SHOWN:
        return "a number of more than 60 digits"  # Python refuses to write those of thousands
    return str(found)


def table(found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise NotAllowedError("a table")
    return found


def yes_or_no(found: object) -> bool:
    if not isinstance(found, bool):
        raise NotAllowedError("true or false")
    return found


def integer(least: int, most: int) -> Check[int]:
    def check(found: object) -> int:
        if type(found) is not int or not least <= found <= most:
            raise NotAllowedError(f"a whole number from {least} to {most}")
        return found

    return check


def choice(*allowed: Name) -> Check[Name]:
    def check(found: object) -> Name:
        for name in allowed:
            if found == name:
                return name
        raise NotAllowedError(" or ".join(f'"{name}"' for name in allowed))

    return check


def text(pattern: re.Pattern[str], what: str, *, most_chars: int) -> Check[str]:
    def check(found: object) -> str:
        if not isinstance(found, str) or len(found) > most_chars or not pattern.fullmatch(found):
            raise NotAllowedError(f"{what}, at most {most_chars} characters")
        return found

    return check


def one_of(names: Sequence[str], what: str) -> Check[str]:
    """For names that the file itself gives: the message lists them."""

    def check(found: object) -> str:
        if not isinstance(found, str) or found not in names:
            raise NotAllowedError(f"{what}: {', '.join(names) or 'none is given'}")
        return found

    return check
