"""The page on a port of its own, answered by a stand-in for the reading layer."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tallygate.cli.failures import in_words
from tallygate.dashboard.app import About, dashboard
from tallygate.dashboard.serving import listen, serving
from tests.dashboard.fake import HOMES, REGIONS, FakeOperations

FIRST_CALL = "curl -i http://abc.execute-api.localhost:4566/v1/whoami"

Serve = Callable[[FakeOperations], AbstractContextManager[str]]


@contextmanager
def served(operations: FakeOperations) -> Iterator[str]:
    """The page's URL."""
    about = About("tallygate", "local", REGIONS, HOMES, FIRST_CALL)
    with serving(dashboard(operations, about, in_words), listen(None)) as url:
        yield url


@pytest.fixture(scope="session")
def serve() -> Serve:
    return served
