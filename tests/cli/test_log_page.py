"""The page of `tallygate simulate log` in a real browser: charts without a network, in both schemes and on a telephone,
and nothing that strangers wrote is more than text."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Page, expect

from tallygate.access_log.entry import Skipped
from tallygate.cli import main
from tallygate.core.plans import Limit, Plan
from tallygate.sim.replay.findings import Findings, LogFindings
from tallygate.sim.replay.page import page
from tallygate.sim.replay.replay import Replay

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
MARKED = '<a href="javascript:alert(3)">acme</a></script><script>alert(4)</script>'
START_MS = 1_794_823_200_000


def found() -> Findings:
    """A plan for keys, one of which is named like HTML, in a file and with a line that are, too."""
    plan = Plan("starter", (Limit("key", 2, "day"),))
    replay = Replay(plan, None)
    for number in range(200):
        name = MARKED if number % 3 else f"key{number % 7}"
        replay.call(START_MS + number * 900_000, "us-east-1", (("key", name),))
    names, unreadable = (HOSTILE, "b.log"), [(HOSTILE, Skipped(3, "not in the combined format", HOSTILE))]
    log = LogFindings(names, 201, 200, 1, unreadable, START_MS, START_MS + 199 * 900_000, 300_000, 0, 0, 0)
    return Findings(log, "none", ("us-east-1",), [replay.findings(10)])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "quotas.html"
    path.write_text(page(found()), encoding="utf-8")
    return path


class Opened:
    """A page that was opened, and all that it did besides."""

    def __init__(self, browser: Browser, file: Path, scheme: str = "light", width: int = 1100) -> None:
        assert scheme in ("light", "dark")
        context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light", offline=True)
        self.page: Page = context.new_page()
        self.page.set_viewport_size({"width": width, "height": 800})
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("#quota-0-key .main-svg")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1100), ("dark", 390)])
def test_charts_are_drawn_without_a_network_and_without_a_word(
    browser: Browser, file: Path, scheme: str, width: int
) -> None:
    opened = Opened(browser, file, scheme, width)
    tab = opened.page
    assert (opened.said, opened.requests) == ([], [file.as_uri()])
    assert tab.locator(".chart .main-svg").count() >= tab.locator(".chart").count() == 3
    assert tab.locator("#time-0 .bars path").count() > 20
    assert tab.locator("#callers-0 .bars path").count() == 2 * 8
    assert tab.locator("#quota-0-key .scatterlayer path.js-line").count() == 3, "nobody calls twice a minute"
    assert tab.evaluate("document.documentElement.scrollWidth") == width, "only tables scroll sideways"
    for chart in tab.locator(".chart").all():
        box = chart.bounding_box()
        assert box is not None
        assert box["width"] <= width
        assert box["height"] > 200
    background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [int(channel) for channel in re.findall(r"\d+", background)]
    assert (sum(channels) < 150) == (scheme == "dark")


def test_a_changed_scheme_changes_the_charts(browser: Browser, file: Path) -> None:
    opened = Opened(browser, file)
    bar = opened.page.locator("#time-0 .bars path").first
    before = bar.evaluate("(path) => getComputedStyle(path).fill")
    opened.page.emulate_media(color_scheme="dark")
    expect(bar).not_to_have_css("fill", before)
    assert opened.said == []


def test_what_strangers_wrote_is_text(browser: Browser, file: Path) -> None:
    opened = Opened(browser, file)
    tab = opened.page
    assert HOSTILE in tab.inner_text("main")
    assert tab.locator("td, th").get_by_text(MARKED).count() == 1
    assert tab.locator("main script, main img, main a, .chart a").count() == 0
    assert "<a href" in (tab.locator("#callers-0 .yaxislayer-above").text_content() or "")
    assert tab.locator("script").count() == 3
    assert opened.said == []
    tab.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'alert(5)'}))")
    assert [said for said in opened.said if said == "5"] == []
    assert "Content Security Policy" in opened.said[0]


def test_each_chart_has_its_figures_in_a_table_that_a_keyboard_reaches(browser: Browser, file: Path) -> None:
    tab = Opened(browser, file).page
    assert tab.locator("section:has(.chart)").count() == tab.locator("section:has(.chart) table").count() == 3
    tab.locator("summary", has_text="The same as a table").focus()
    tab.keyboard.press("Enter")
    assert tab.locator("details[open] tbody tr").count() > 20
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "Calls over time"
    assert tab.locator(".scroll:not([tabindex='0'])").count() == 0
    assert tab.evaluate("[...document.querySelectorAll('[role=img]')].every((chart) => chart.ariaLabel)")
    rows = tab.locator("section:has(#callers-0) tbody tr").all_inner_texts()
    [plan] = found().plans
    assert [row.split("\t")[2] for row in rows] == [str(caller.refused) for caller in plan.top]


def test_the_command_writes_the_page(browser: Browser, tmp_path: Path) -> None:
    log, html = tmp_path / "access.log", tmp_path / "quotas.html"
    line = '203.0.113.7 - - [16/Nov/2026:10:{:02}:00 +0000] "GET / HTTP/1.1" 200 1 "{}" "-"\n'
    log.write_text("".join(line.format(minute, HOSTILE.replace('"', r"\"")) for minute in range(60)))
    ran = CliRunner().invoke(main, ["simulate", "log", str(log), "--quota", "ip=9/hour", "--html", str(html), "--json"])
    assert (ran.exit_code, json.loads(ran.stdout)["plans"][0]["exact"]) == (0, {"refused": 51})
    assert "has the charts" in ran.stderr
    written = html.read_text()
    assert "<script>alert" not in written
    tab = browser.new_page()
    tab.goto(html.as_uri())
    tab.wait_for_selector("#time-0 .main-svg")
    assert "51 of 60 calls" in tab.inner_text("main") or "of 60 calls" in tab.inner_text("main")


def test_a_page_of_an_interrupted_run_says_so() -> None:
    assert "Reading was interrupted" in page(replace(found(), is_complete=False))
    assert "Reading was interrupted" not in page(found())
