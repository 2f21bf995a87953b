"""Fixtures for every suite. The local world is built once for a test session and shared: tests keep out of each other's
way by identifiers of their own (`fresh_ip`), never by clearing it."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tallygate.local.world import World

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


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
