"""Fixtures for every suite. The local world is built once for a test session and shared: tests keep out of each other's
way by identifiers of their own (`fresh_ip`), never by clearing it."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from tallygate.local.world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The whole service on this machine, in every region of tallygate.toml."""
    with World.start(directory=tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture(scope="session")
def fresh_ip() -> Callable[[], str]:
    """An IPv4 address that no other test of the session uses, from the block for benchmarks (RFC 2544)."""
    numbers = itertools.count(1)

    def take() -> str:
        number = next(numbers)
        return f"198.18.{number // 256}.{number % 256}"

    return take
