"""The page in Chromium, and all that it did besides what was asked of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

SECRET = "tg_local_" + "A" * 30 + "3Fq9Zk"
"""Looks like a key's secret."""


@contextmanager
def opened(
    browser: Browser, url: str, path: str = "", *, scheme: str = "light", width: int = 1280, failing: bool = False
) -> Iterator[Page]:
    """The page, in a browser that remembers nothing of others. At the end: nothing was asked of anybody but its own
    server, and nothing was said on the console; but of what is `failing`, the browser says that it did."""
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 900}
    )
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.clock.install()
    page.goto(url + path)
    try:
        yield page
        assert [text for text in said if not (failing and text.startswith("Failed to load resource"))] == []
        assert {urlsplit(address).netloc for address in asked if not address.startswith("blob:")} == {
            urlsplit(url).netloc
        }
    finally:
        context.close()


def settled(page: Page) -> None:
    """All panels show something, and the charts are drawn."""
    page.wait_for_selector("#calls .regions .main-svg >> nth=2")
    page.wait_for_selector("#top tbody tr")
    page.wait_for_selector("#pipeline .writer")
    page.wait_for_selector("#owners tbody tr")


def answer(page: Page, path: str) -> Any:
    """What the page's own server answers the page."""
    return page.evaluate("async (path) => (await fetch(path)).json()", path)


def rows(page: Page, panel: str) -> list[list[str]]:
    """The cells of the rows of a panel's first table."""
    found: list[list[str]] = page.evaluate(
        """(panel) => [...document.querySelector(`#${panel} table`).querySelectorAll("tbody tr")].map((row) =>
            [...row.children].map((cell) => cell.innerText.trim()))""",
        panel,
    )
    return found
