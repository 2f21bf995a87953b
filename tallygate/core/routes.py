"""What a call weighs, by what it asks for."""

import re
from collections.abc import Mapping
from typing import Final

WHOAMI_PATH: Final = "/v1/whoami"
USAGE_PATH: Final = "/v1/usage"
COUNTERS_PATH: Final = "/v1/counters"
PROBLEMS_PATH: Final = "/v1/problems"
"""What types of problem there are."""

_FREE: Final = frozenset({("GET", USAGE_PATH), ("GET", PROBLEMS_PATH)})
"""Asking what is left, or why one was refused, must not use anything up, whatever else is said of routes."""
_ANY: Final = ""
_PATTERN: Final = re.compile(r"(?:([A-Z]{1,16}) )?(/[!-)+-~]{0,255})(\*?)")
"""Printable ASCII without a blank; a star is the end."""


class Routes:
    """Units by pattern: a path, or the beginning of one with `*` after it, perhaps with a method before it:
    `{"/v1/search": 5, "GET /v1/export/*": 20}`. ValueError for a pattern that is none."""

    def __init__(self, units: Mapping[str, int] | None = None) -> None:
        self.units: Mapping[str, int] = dict(units or {})
        self._paths: dict[tuple[str, str], int] = {}
        self._beginnings: dict[tuple[str, str], int] = {}
        for pattern, weight in self.units.items():
            method, path, star = parts_of(pattern)
            (self._beginnings if star else self._paths)[method, path] = weight
        self._lengths = sorted({len(path) for _, path in self._beginnings}, reverse=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Routes) and self.units == other.units

    def __hash__(self) -> int:
        return hash(frozenset(self.units.items()))

    def units_of(self, method: str, path: str) -> int:
        """Units charged for a call; 0 when it is free, and so never refused for a quota. A whole path goes before
        beginnings, the longest of those before others, and one with a method before one without. HEAD is as GET; what
        no pattern meets weighs 1."""
        method = "GET" if method == "HEAD" else method
        if (method, path) in _FREE:
            return 0
        found = self._paths.get((method, path), self._paths.get((_ANY, path)))
        if found is not None:
            return found
        for length in self._lengths:
            if length <= len(path):
                beginning = path[:length]
                found = self._beginnings.get((method, beginning), self._beginnings.get((_ANY, beginning)))
                if found is not None:
                    return found
        return 1


def is_of_counters(path: str) -> bool:
    """Whether a call asks for counters, and so where they stand with their resets."""
    return path == COUNTERS_PATH or path.startswith(COUNTERS_PATH + "/")


def parts_of(pattern: str) -> tuple[str, str, bool]:
    """Method (empty for any), path, and whether that is only the beginning of one. ValueError says what is allowed."""
    match = _PATTERN.fullmatch(pattern)
    if match is None:
        raise ValueError("a path like /v1/search or the beginning of one like /v1/export/*, perhaps after a method")
    method, path, star = match.groups()
    if method == "HEAD":
        raise ValueError("GET, which is HEAD as well")
    if not star and (method or "GET", path) in _FREE:
        raise ValueError(f"anything but {path}, which is free")
    return method or _ANY, path, bool(star)


ALL_ALIKE: Final = Routes()
"""Every call weighs 1, but for what is free."""
