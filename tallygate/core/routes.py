"""What a call weighs, by what it asks for."""

from typing import Final

WHOAMI_PATH: Final = "/v1/whoami"
USAGE_PATH: Final = "/v1/usage"

_FREE: Final = frozenset({("GET", USAGE_PATH), ("HEAD", USAGE_PATH)})
"""Asking what is left must not use it up."""


def units_of(method: str, path: str) -> int:
    """Units charged for a call; 0 when it is free, and so never refused for a quota."""
    return 0 if (method, path) in _FREE else 1
