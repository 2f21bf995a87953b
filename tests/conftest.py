"""Fixtures for every suite. The local world is built once for a test session and shared: tests keep out of each other's
way by identifiers of their own (`fresh_ip`), never by clearing it."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from tallygate.local.world import PROJECT, World
from tests.suite_times import suite_of

settings.register_profile("tallygate", deadline=None)  # how fast an example runs is no property of the code
settings.load_profile("tallygate")

WHOLE_SUITES = ("local", "stacks")
"""Suites whose tests share what takes seconds to make: an emulator, synthesized templates."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several workers share the tests (`-n`): one of them has the world, and all others go by suite or file, whose
    fixtures are made once."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        suite = suite_of(item.nodeid)
        group = "world" if "world" in getattr(item, "fixturenames", ()) else suite if suite in WHOLE_SUITES else file
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Without one on the machine its tests are skipped, but not in CI, which installs it."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI has no chromium: .ci/run installs it")
        pytest.skip("no chromium on this machine (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


NOTICES = """
[notices]
sns = true
webhook = "http://127.0.0.1:9/nobody-listens-here-until-a-test-does"
"""


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The whole service on this machine, in every region of tallygate.toml, with a topic and a webhook for notices."""
    directory = tmp_path_factory.mktemp("world")
    config = directory / "tallygate.toml"
    config.write_text((PROJECT / "tallygate.toml").read_text() + NOTICES)
    with World.start(config, directory=directory) as world:
        yield world


@pytest.fixture(scope="session")
def fresh_ip() -> Callable[[], str]:
    """An IPv4 address that no other test of the session uses, from the block for benchmarks (RFC 2544)."""
    numbers = itertools.count(1)

    def take() -> str:
        number = next(numbers)
        return f"198.18.{number // 256}.{number % 256}"

    return take
