"""Makes docs/images/dashboard-*.png: the page of a world of its own that the demo's log was sent through.

    python -m docs.screenshots

The callers, their limits and the delays are the log's own, counted by the world. The log is sent within seconds: so the
hours before are filled up with totals of regions, so that there is a day to see.
"""

import io
import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console

from tallygate.aws.key_admin import key_admin
from tallygate.aws.usage_reader import UsageReader
from tallygate.aws.whole_tally import WholeTally
from tallygate.cli.dashboard import served_world
from tallygate.cli.demo_report import DemoReport
from tallygate.cli.phases import Phases
from tallygate.core import names
from tallygate.core.periods import HOUR_MS, period_of
from tallygate.demo.access_log import read_log
from tallygate.demo.keys import give_out_keys
from tallygate.demo.run import run
from tallygate.demo.sample import SAMPLE, SCRAPER
from tallygate.local.world import World
from tests.conftest import CHROMIUM, CHROMIUM_OPTIONS

IMAGES = Path(__file__).with_name("images")
MOST_BYTES = 300_000
WIDE, NARROW = 1280, 390
COLOURS = 256


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, World.start(directory=Path(directory)) as world:
        key = send_the_log(world)
        fill_hours(world)
        with served_world(world) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
            take(browser, f"{url}?of=ip:{SCRAPER}", "light", WIDE, 1620)
            take(browser, f"{url}?kind=key&of=key:{key}&past=24h", "dark", WIDE, 1620)
            take(browser, f"{url}?kind=ref", "phone", NARROW, 2200)
            browser.close()


def send_the_log(world: World) -> str:
    """The demo, and the id of a key that its log brought."""
    home = world.config.service.administrative_region
    admin = key_admin(world.aws.client("dynamodb", home), world.names.gate_table, world.names.stage)
    keys = give_out_keys(admin, world.config.plans, time.time_ns() // 1_000_000)
    out = Console(stderr=True)
    tallies = {home: world.aws.client("dynamodb", home) for home in world.config.service.homes}
    urls = {region: endpoint.url for region, endpoint in world.endpoints.items()}
    report = DemoReport(out, Phases(out))
    tally = WholeTally(tallies, world.names.tally_table)
    run(urls, world, tally, world.config.plans, keys, list(read_log(SAMPLE)), report, world.config.service.ipv6_prefix)
    reader = UsageReader(tallies, world.names.tally_table)
    largest = reader.top("key", time.strftime("%Y-%m", time.gmtime()), 5)
    hourly = {key.id for key in keys if key.plan == "starter"}
    return next((usage.value for usage in largest if usage.value in hourly), largest[0].value)


def fill_hours(world: World) -> None:
    """Totals of regions for the 23 hours before this one, by a day's curve."""
    home = world.config.service.administrative_region
    client, now_ms = world.aws.client("dynamodb", home), time.time_ns() // 1_000_000
    for place, region in enumerate(world.config.service.regions):
        for ago in range(1, 24):
            at_ms = now_ms - ago * HOUR_MS
            calls = round(140 + 110 * math.sin((at_ms / HOUR_MS - 6 + 7 * place) / 24 * 2 * math.pi) + 13 * (ago % 3))
            denied = calls // (9 if region == "us-east-1" else 30)
            counts = {names.UNITS: calls, names.CHARGED: calls, names.DENIED: denied}
            client.put_item(
                TableName=world.names.tally_table,
                Item={
                    names.PK: {"S": names.ALL_PREFIX + region},
                    names.SK: {"S": period_of("hour", at_ms)},
                    **{name: {"N": str(count)} for name, count in counts.items()},
                },
            )


def take(browser: Browser, url: str, name: str, width: int, height: int) -> None:
    """The upper part of the page, as a picture with few colours."""
    with opened(browser, url, width, height, dark=name == "dark") as page:
        page.wait_for_selector("#calls .regions .main-svg >> nth=2")
        page.wait_for_selector("#top tbody tr")
        page.wait_for_selector("#pipeline .writer .main-svg")
        if "of=" in url:
            page.wait_for_selector("#caller [data-part=past-chart] .bars path", state="attached")
        page.evaluate("() => document.activeElement.blur()")
        taken = page.screenshot(clip={"x": 0, "y": 0, "width": width, "height": height})
    path = IMAGES / f"dashboard-{name}.png"
    Image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{path} has {size:,} bytes, more than {MOST_BYTES:,}")
    print(f"{path.relative_to(IMAGES.parents[1])}: {size:,} bytes")


@contextmanager
def opened(browser: Browser, url: str, width: int, height: int, *, dark: bool) -> Iterator[Page]:
    context = browser.new_context(
        color_scheme="dark" if dark else "light", viewport={"width": width, "height": height}, timezone_id="UTC"
    )
    page = context.new_page()
    page.goto(url)
    yield page
    context.close()


if __name__ == "__main__":
    main()
