"""The page in a browser: it shows what it is answered, keeps itself up to date without disturbing anybody, is there for
the keyboard, on a telephone and in the dark, and takes what strangers wrote for text."""

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest.mock import ANY

import pytest
from playwright.sync_api import Browser, Page, expect

from tallygate.cli.failures import in_words
from tallygate.core.keys import key_id
from tallygate.dashboard.app import About, dashboard
from tallygate.dashboard.serving import listen, serving
from tests.dashboard.browsing import SECRET, answer, opened, rows, settled
from tests.dashboard.conftest import FIRST_CALL
from tests.dashboard.fake import HOMES, REGIONS, ROTATED, SUCCESSOR, FakeOperations, unreachable

HOSTILE = (
    '"><script>alert(1)</script><img src=x onerror=alert(2)>.example',
    "<a href='javascript:alert(3)'>acme</a>.example",
    "'-alert(4)-'&of=ip:1#<b>.example",
    "x" * 250 + ".example",
)


class Served:
    """A server whose answers can be changed, and whose cache is as old as it is told."""

    def __init__(self, operations: FakeOperations, url: str, clock: list[float]) -> None:
        self.operations = operations
        self.url = url
        self._clock = clock

    def later(self) -> None:
        """Answers of before are too old for whoever asks now."""
        self._clock[0] += 1_000


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    clock, operations = [0.0], FakeOperations()
    about = About("tallygate", "local", REGIONS, HOMES, FIRST_CALL)
    with serving(dashboard(operations, about, in_words, clock=lambda: clock[0]), listen(None)) as url:
        yield Served(operations, url, clock)


@pytest.fixture
def served(server: Served) -> Served:
    """As if nobody had been there before."""
    server.operations.__init__()  # type: ignore[misc]
    server.later()
    return server


def test_panels_show_what_is_answered(browser: Browser, served: Served) -> None:
    with opened(browser, served.url, "?range=7d&step=day&of=ip:203.0.113.12&owner=bravo") as page:
        settled(page)
        today = datetime.now(UTC)
        start = datetime.fromtimestamp(today.timestamp() - 6 * 86_400, UTC).strftime("%Y-%m-%dT00:00:00.000Z")
        calls = answer(page, f"/api/usage?kind=all&granularity=day&from={start}&fill=true")
        assert len(calls["rows"]) == 7
        tiles = page.locator("#calls .tiles .number").all_inner_texts()
        assert tiles[:2] == [f"{calls['total'][name]:,}" for name in ("admitted", "denied")]
        assert tiles[2:] == ["12.4/s", "5.4 s"]
        expect(page.locator("#calls figure.whole .bars path")).to_have_count(14)
        assert [figure.locator(".bars path").count() for figure in page.locator("#calls .region").all()] == [14, 14, 14]
        admitted = sum(row["by"]["eu-west-1"]["admitted"] for row in calls["rows"])
        assert f"{admitted:,} admitted" in page.locator("#calls .region", has_text="eu-west-1").inner_text()
        page.locator("#calls summary").click()
        table = rows(page, "calls")
        assert [row[1] for row in reversed(table)] == [f"{row['admitted']:,}" for row in calls["rows"]]

        top = answer(page, f"/api/top?kind=ip&period={today:%Y-%m}&limit=10")["top"]
        shown = rows(page, "top")
        assert [(row[0].split("\n")[0], row[2]) for row in shown] == [
            (one["value"], f"{one['admitted']:,}") for one in top
        ]
        assert "ip-day 174 of 200" in shown[2][0].replace("\n", " ")
        assert "87 %" in shown[2][0]

        caller = page.locator("#caller")
        expect(caller.locator("[data-heading]")).to_have_text("203.0.113.12")
        expect(caller).to_contain_text("A call now would be admitted")
        expect(caller).to_contain_text("132 of 200")
        expect(caller).to_contain_text("68 left, 130 known to the regions")
        expect(caller).to_contain_text("day 2026-11-21: 25 more (goodwill-1)")
        expect(caller.locator("[data-part=past-chart] .bars path").first).to_be_attached()
        expect(page.locator("#owners [data-part=owner]")).to_contain_text("Shared quota")
        expect(page.locator("#pipeline .writer").last).to_contain_text("8.3 s behind the newest record")
        assert rows(page, "pipeline") == [["us-east-1", "0", "0"], ["eu-west-1", "3", "0"]]


def test_it_refreshes_without_disturbing_anybody(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        settled(page)
        link = page.locator("#top tbody a").nth(2)
        link.focus()
        page.locator("#top").evaluate("(panel) => panel.querySelectorAll('tr').forEach((row) => (row.mine = true))")
        before = page.locator("#calls .tiles .number").first.inner_text()
        served.operations.scale = 3
        served.operations.values = (*reversed(served.operations.values),)
        served.later()
        page.clock.fast_forward(5_500)
        expect(page.locator("#calls .tiles .number").first).not_to_have_text(before)
        expect(page.locator("#top tbody tr").first).to_contain_text("6,000")
        expect(page.locator("#top tbody tr").first).to_contain_text("203.0.113.19")
        assert page.evaluate("document.activeElement.textContent") == "203.0.113.12"
        assert page.evaluate("[...document.querySelectorAll('#top tr')].every((row) => row.mine)"), "rows are kept"


def test_it_rests_while_nobody_looks(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        settled(page)
        hide = """(hidden) => {
            Object.defineProperty(document, "hidden", {get: () => hidden, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
        page.evaluate(hide, True)
        asked = served.operations.asked.total()
        served.later()
        page.clock.fast_forward(120_000)
        assert served.operations.asked.total() == asked
        with page.expect_response("**/api/top*"):
            page.evaluate(hide, False)
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("status")).to_contain_text("Paused")
        page.wait_for_load_state("networkidle")
        asked = served.operations.asked.total()
        served.later()
        page.clock.fast_forward(120_000)
        assert served.operations.asked.total() == asked
        with page.expect_response("**/api/top*"):
            page.get_by_role("button", name="Go on").click()


CONTROLS = """() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
    .filter((one) => one.checkVisibility() && !one.disabled && !(one.type === "radio" && !one.checked))
    .map((one) => (one.dataset.visited = "no", one)).length"""
VISIT = """() => {
    const one = document.activeElement;
    one.dataset.visited = "yes";
    const ring = one.type === "radio" ? one.nextElementSibling : one;
    const name = one.ariaLabel || one.labels?.[0]?.innerText || one.innerText || one.placeholder;
    return [one.nodeName, getComputedStyle(ring).outlineStyle, Boolean(name)];
}"""


def test_every_control_is_reached_by_keyboard(browser: Browser, served: Served) -> None:
    with opened(browser, served.url, "?of=ip:203.0.113.12&owner=bravo") as page:
        settled(page)
        page.wait_for_selector("#owners [data-part=owner] table")
        page.wait_for_selector("[data-part=past-chart] .main-svg")
        page.get_by_role("button", name="Pause").press("Enter")
        controls = page.evaluate(CONTROLS)
        page.evaluate("document.activeElement.blur()")
        page.evaluate(
            "document.body.prepend(Object.assign(document.createElement('span'), {tabIndex: -1, id: 'begin'}))"
        )
        page.locator("#begin").focus()
        visited = []
        for _ in range(controls):
            page.keyboard.press("Tab")
            visited.append(page.evaluate(VISIT))
        missed = page.evaluate("[...document.querySelectorAll(`[data-visited='no']`)].map((one) => one.outerHTML)")
        assert missed == [], "in as many steps as there are controls, each was reached once"
        assert [one for one in visited if one[1] == "none"] == [], "each shows that it has the focus"
        assert [one for one in visited if not one[2]] == [], "each has a name"


def test_a_keyboard_does_all_that_a_mouse_does(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        settled(page)
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the calls")).to_be_in_viewport()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "calls"
        page.keyboard.press("Tab")
        with page.expect_response("**/api/usage*"):
            page.keyboard.press("ArrowRight")
        expect(page.locator("#calls .head p")).to_contain_text("The last 7 days, by the hour")
        page.locator("#top a").nth(1).focus()
        page.keyboard.press("Enter")
        heading = page.locator("#caller [data-heading]")
        expect(heading).to_have_text("203.0.113.11")
        expect(heading).to_be_focused()
        expect(page.locator("#top tr[aria-current]")).to_contain_text("203.0.113.11")
        page.go_back()
        expect(page.locator("#caller")).to_contain_text("Nobody is chosen")
        page.locator("#owners input").press_sequentially("brav")
        page.clock.fast_forward(300)
        expect(page.locator("#owners tbody tr")).to_have_count(1)
        page.locator("#owners tbody a").press("Enter")
        expect(page.locator("#owners [data-heading]")).to_be_focused()
        page.locator("#owners [data-part=owner] tbody a").first.press("Enter")
        expect(heading).to_have_text("0123456789abcdef")
        page.reload()
        expect(heading).to_have_text("0123456789abcdef")


def test_a_row_is_chosen_by_a_click_anywhere_in_it(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        settled(page)
        page.locator("#top tbody tr").nth(3).locator("td").last.click()
        expect(page.locator("#caller [data-heading]")).to_have_text("203.0.113.13")


@pytest.mark.parametrize("scale", [1, 10**9])
def test_a_telephone_scrolls_in_one_direction_only(browser: Browser, served: Served, scale: int) -> None:
    served.operations.values = (*served.operations.values, *HOSTILE)
    served.operations.scale = scale
    with opened(browser, served.url, f"?of=ref:{'x' * 250}&owner=bravo", width=390) as page:
        settled(page)
        page.wait_for_selector("#caller .decision")
        page.locator("#calls summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        for chart in page.locator(".chart .main-svg").all():
            box = chart.bounding_box()
            assert box is not None
            assert box["width"] <= 390
        wide = page.evaluate(
            """() => [...document.querySelectorAll("body *")].filter((one) => !one.closest(".scroll, .chart, .unseen")
                && one.checkVisibility() && one.getBoundingClientRect().right > 390).map((one) => one.outerHTML)"""
        )
        assert wide == []


TEXT = {
    "text": ("panel", "ground", "raised", "track", "bad-ground"),
    "quiet": ("panel", "ground", "raised"),
    "accent": ("panel", "raised"),
    "on-accent": ("accent",),
    "denied": ("panel", "ground", "raised"),
    "warn": ("panel", "raised"),
    "panel": ("good", "denied"),
}
MARKS = dict.fromkeys(("admitted", "denied", "third", "edge", "good", "warn"), ("panel", "ground"))


def test_text_and_marks_stand_out(browser: Browser, served: Served) -> None:
    names = {*TEXT, *MARKS, *(ground for grounds in TEXT.values() for ground in grounds)}
    with opened(browser, served.url) as page:
        settled(page)
        for scheme in ("light", "dark"):
            page.get_by_label("Colours").select_option(scheme)
            lit = {name: luminance(page, name) for name in names}
            for kinds, least in ((TEXT, 4.5), (MARKS, 3)):
                found = {(name, ground): contrast(lit[name], lit[ground]) for name in kinds for ground in kinds[name]}
                low = {pair: value for pair, value in found.items() if value < least}
                assert low == {}, f"{scheme}: WCAG 2.2, 1.4.3 and 1.4.11"


def contrast(first: float, second: float) -> float:
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


def luminance(page: Page, name: str) -> float:
    """Relative luminance of a colour of the page, by the definition of WCAG."""
    colour = page.evaluate("(name) => getComputedStyle(document.documentElement).getPropertyValue(name)", f"--{name}")
    channels = [int(colour.strip()[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_colours_are_the_systems_until_others_are_chosen(browser: Browser, served: Served) -> None:
    with opened(browser, served.url, scheme="dark") as page:
        settled(page)
        bar = page.locator("#calls .whole .bars path").first
        dark = bar.evaluate("(path) => getComputedStyle(path).fill")
        assert is_dark(page)
        page.get_by_label("Colours").select_option("light")
        expect(bar).not_to_have_css("fill", dark)
        page.reload()
        assert not is_dark(page), "it is remembered"
        page.get_by_label("Colours").select_option("system")
        assert is_dark(page)
        page.emulate_media(color_scheme="light")
        expect(page.locator("html")).to_have_attribute("data-scheme", "light")
        assert not is_dark(page)


def is_dark(page: Page) -> bool:
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(channel) for channel in re.findall(r"\d+", background)) < 150


def test_times_say_which_zone_they_are_of(browser: Browser, served: Served) -> None:
    context = browser.new_context(timezone_id="Asia/Kolkata")
    page = context.new_page()
    page.goto(served.url)
    settled(page)
    page.locator("#calls summary").click()
    expect(page.locator("#calls thead")).to_contain_text("From (UTC)")
    start = rows(page, "calls")[0][0]
    page.get_by_label("Times").select_option("local")
    expect(page.locator("#calls thead")).to_contain_text("From (Asia/")
    assert start.endswith(":00")
    assert rows(page, "calls")[0][0].endswith(":30"), "an hour of UTC begins at half past there"
    context.close()


def test_an_hour_that_clocks_show_twice_is_two_bars(
    browser: Browser, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = datetime(2026, 10, 25, 12, tzinfo=UTC)
    now_ms, usage = int(noon.timestamp() * 1000), served.operations.usage
    monkeypatch.setattr(served.operations, "usage", lambda query, _now_ms: usage(query, now_ms))
    context = browser.new_context(timezone_id="Europe/Berlin")
    page = context.new_page()
    page.clock.install(time=noon)
    page.goto(served.url)
    page.get_by_label("Times").select_option("local")
    page.wait_for_selector("#calls .main-svg")
    chart = page.locator("#calls [data-part=chart]")
    found = chart.evaluate("({data: [{x, width}]}) => x.map((start, at) => [Date.parse(`${start}Z`), width[at]])")
    ends = [start + width for start, width in found]
    assert len(found) >= 23
    assert all(end <= start for end, (start, _) in zip(ends, found[1:], strict=False))
    assert [width for _, width in found].count(1_800_000) == 2
    context.close()


def test_a_service_without_calls_says_how_to_send_the_first(browser: Browser, served: Served) -> None:
    served.operations.scale = 0
    with opened(browser, served.url) as page:
        expect(page.locator("#calls")).to_contain_text("No call was counted in the last 24 hours")
        expect(page.locator("#calls code")).to_have_text(FIRST_CALL)
        expect(page.locator("#top")).to_contain_text("No addresses among the largest")
        expect(page.locator("#pipeline")).to_contain_text("Nothing was counted yet")
        expect(page.locator("#owners")).to_contain_text("Nobody has a key yet")
        served.operations.scale = 1
        served.later()
        page.clock.fast_forward(5_500)
        page.wait_for_selector("#calls .whole .main-svg")
        assert page.locator("#calls [data-part=empty]").inner_text() == ""


def test_what_fails_is_said_and_tried_again(browser: Browser, served: Served) -> None:
    with opened(browser, served.url, failing=True) as page:
        settled(page)
        served.operations.before = unreachable
        served.later()
        page.clock.fast_forward(5_500)
        notice = page.locator("#top").get_by_role("alert")
        expect(notice).to_contain_text("The tally in eu-west-1 cannot be read")
        expect(notice).to_contain_text("Trying again in 10 s")
        expect(page.locator("#state")).to_contain_text("Some of it cannot be read")
        assert len(rows(page, "top")) == 10, "what was read before stays"
        served.operations.before = lambda _name: None
        served.later()
        notice.get_by_role("button", name="Try now").click()
        expect(notice).to_have_count(0)
        page.clock.fast_forward(15_000)
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.locator("#state")).to_contain_text("Live")


def test_a_start_that_fails_shows_no_zeros(browser: Browser, served: Served) -> None:
    served.operations.before = unreachable
    with opened(browser, served.url, failing=True) as page:
        expect(page.get_by_role("alert")).to_have_count(4)
        assert page.locator("#calls .tiles .number").all_inner_texts() == ["–"] * 4
        assert page.locator(".skeleton").count() == 0


def test_a_server_that_is_gone_is_said_to_be(browser: Browser) -> None:
    about = About("tallygate", "local", REGIONS, HOMES)
    with serving(dashboard(FakeOperations(), about, in_words), listen(None)) as url:
        context = browser.new_context()
        page = context.new_page()
        page.clock.install()
        page.goto(url)
        settled(page)
    page.clock.fast_forward(5_500)
    expect(page.locator("#calls").get_by_role("alert")).to_contain_text("`tallygate dashboard` starts it again")
    context.close()


def test_one_slow_panel_holds_up_no_other_and_nothing_jumps(browser: Browser, served: Served) -> None:
    slow = threading.Event()
    served.operations.before = lambda _name: assert_set(slow)
    with opened(browser, served.url) as page:
        expect(page.locator("#calls .skeleton")).to_have_count(4)
        places = [page.locator(panel).bounding_box() for panel in ("#top", "#caller")]
        slow.set()
        settled(page)
        slow.clear()
        served.operations.before = lambda name: assert_set(slow) if name == "top" else None
        assert [page.locator(panel).bounding_box() for panel in ("#top", "#caller")] == [
            {**(place or {}), "height": ANY} for place in places
        ]
        served.later()
        page.reload()
        page.wait_for_selector("#calls .regions .main-svg >> nth=2")
        page.wait_for_selector("#pipeline .writer")
        expect(page.locator("#top .skeleton")).to_have_count(10)
        slow.set()
        page.wait_for_selector("#top tbody tr")


def test_what_strangers_wrote_is_text(browser: Browser, served: Served) -> None:
    served.operations.values = HOSTILE
    with opened(browser, served.url, "?kind=ref") as page:
        settled(page)
        assert page.locator("#top tbody a").all_inner_texts() == list(HOSTILE)
        for value in HOSTILE:
            page.locator("#top").get_by_text(value, exact=True).click()
            expect(page.locator("#caller [data-heading]")).to_have_text(value)
            expect(page.get_by_label("Address, site, key or owner")).to_have_value(value)
        page.locator("#owners tbody a").first.click()
        expect(page.locator("#owners [data-heading]")).to_contain_text("acme <b>& sons</b> in 2026-11")
        page.goto(f"{served.url}?owner=..")
        expect(page.locator("#owners [data-heading]")).to_contain_text(".. in 2026-11")
        assert page.locator("main b:has-text('sons'), main script, main img, main [href^=javascript]").count() == 0


def test_a_rotated_key_leads_to_the_one_that_took_over(browser: Browser, served: Served) -> None:
    with opened(browser, served.url, f"?of=key:{ROTATED}") as page:
        page.locator("#caller").get_by_text(SUCCESSOR, exact=True).click()
        expect(page.locator("#caller [data-heading]")).to_have_text(SUCCESSOR)
        expect(page.locator("#caller")).not_to_contain_text("Taken over by")


def test_a_secret_stays_in_the_browser(browser: Browser, served: Served) -> None:
    with opened(browser, served.url) as page:
        settled(page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.locator("#caller select").select_option("key")
        page.get_by_label("Address, site, key or owner").fill(SECRET)
        page.get_by_role("button", name="Look up").click()
        expect(page.locator("#caller [data-heading]")).to_have_text(key_id(SECRET))
        assert asked
        assert not [address for address in [*asked, page.url] if SECRET in address]


def test_a_value_that_is_none_is_explained(browser: Browser, served: Served) -> None:
    with opened(browser, served.url, failing=True) as page:
        settled(page)
        page.get_by_label("Address, site, key or owner").fill("nonsense")
        page.keyboard.press("Enter")
        expect(page.locator("#caller").get_by_role("alert")).to_contain_text("an IP address")
        expect(page.locator("#caller").get_by_role("button", name="Try now")).to_have_count(0)


def assert_set(event: threading.Event) -> None:
    assert event.wait(20)
