"""What the page may ask, by the paths below /api/."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

Query = Mapping[str, str]


class Questions(Protocol):
    """What answers: `tallygate/operations/operations.py`. Each method reads tables and may take as long as they do."""

    def usage(self, query: Query, now_ms: int, /) -> Any:
        """A time series."""
        ...

    def top(self, query: Query, now_ms: int, /) -> Any:
        """The largest callers."""
        ...

    def standing(self, query: Query, now_ms: int, /) -> Any:
        """One caller at this moment."""
        ...

    def owners(self, query: Query, now_ms: int, /) -> Any:
        """Owners of keys."""
        ...

    def owner(self, owner: str, query: Query, now_ms: int, /) -> Any:
        """One owner's keys."""
        ...

    def pipeline(self, query: Query, now_ms: int, /) -> Any:
        """How far counting is behind."""
        ...


Ask = Callable[[int], Any]
"""A question with its parameters, to be asked at a time in ms."""

NAMES: Final = ("usage", "top", "standing", "owners", "pipeline")
OWNER: Final = "owner"
"""Asks with a parameter: of a path, a browser takes `owners/..` for the one above it, and an owner may be called so."""


def question(questions: Questions, path: str, query: Query) -> Ask | None:
    """What `path` (without /api/) asks; None when it asks nothing."""
    if path in NAMES:
        method: Callable[[Query, int], Any] = getattr(questions, path)
        return lambda now_ms: method(query, now_ms)
    owner = query.get("name", "")
    if path == OWNER and owner:
        more = {name: value for name, value in query.items() if name != "name"}
        return lambda now_ms: questions.owner(owner, more, now_ms)
    return None
