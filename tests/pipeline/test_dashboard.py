"""The page shows what the tables hold: calls through the deployed service, counted by it, read in a browser."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, expect

from tallygate.cli.dashboard import served_world
from tallygate.cli.failures import in_words
from tallygate.cli.operations import operations_of
from tallygate.cli.target import Target
from tallygate.core.keys import key_id
from tallygate.dashboard.app import About, dashboard
from tallygate.dashboard.serving import listen, serving
from tallygate.local.aws import LocalAws
from tallygate.local.world import PROJECT, World
from tests.dashboard.browsing import answer, opened, settled
from tests.pipeline.calls import Asked, ask_all

DOCUMENT = (PROJECT / "docs" / "dashboard.md").read_text()
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")
CLOCK = [0.0]


@pytest.fixture(scope="module")
def asked() -> set[tuple[str, str]]:
    """What was asked of which resource: (`<service>:<action>`, resource)."""
    return set()


@pytest.fixture(scope="module")
def url(world: World, asked: set[tuple[str, str]]) -> Iterator[str]:
    aws, names = LocalAws(world.aws.endpoint), world.names
    target = Target(world.config, world.config, names, None, aws.client)
    about = About(names.service, names.stage, world.config.service.regions, world.config.service.homes)
    tables = {names.tally_table: "tally", names.gate_table: "gate"}

    def note(model: Any, params: Any, **_: Any) -> None:
        service = model.service_model.service_name
        if service == "dynamodb":
            [resource] = {kind for name, kind in tables.items() if f'"{name}"' in str(params["body"])}
        else:
            resource = {"kinesis": "stream", "sqs": "queue"}[service]
        asked.add((f"{service}:{model.name}", resource))

    for service in ("dynamodb", "kinesis", "sqs"):
        aws.client(service, "us-east-1").meta.events.register("before-call", note)
    with serving(dashboard(operations_of(target), about, in_words, clock=lambda: CLOCK[0]), listen(None)) as url:
        yield url


def test_calls_that_were_counted_are_shown_and_further_ones_follow(
    browser: Browser, world: World, url: str, new_key: Callable[[str], str], fresh_ip: Callable[[], str]
) -> None:
    key, address = new_key("trial"), fresh_ip()
    calls = [Asked(region, {"x-api-key": key, "x-forwarded-for": address}) for region in REGIONS]
    ask_all(world, calls * 4)
    world.wait_until_caught_up()
    CLOCK[0] += 1_000
    with opened(browser, url, f"?kind=key&of=key:{key_id(key)}") as page:
        settled(page)
        caller = page.locator("#caller")
        expect(caller.locator("[data-heading]")).to_have_text(key_id(key))
        expect(caller).to_contain_text("12 of 50")
        expect(caller).to_contain_text("A call now would be admitted")
        largest = answer(page, "/api/top?kind=key")["top"][0]
        row = page.locator("#top tr", has_text=largest["value"])
        expect(row.locator("td").nth(1)).to_have_text(f"{largest['admitted']:,}")
        for limit in largest["limits"]:
            expect(row).to_contain_text(f"{limit['used']:,} of {limit['limit']:,}")
        expect(caller.locator("[data-part=past-total]")).to_contain_text("12 admitted (12 charged), 0 denied")
        shown = [int(number.replace(",", "")) for number in page.locator("#calls .tiles .number").all_inner_texts()[:2]]
        hours = answer(page, "/api/usage?kind=all&granularity=hour")["total"]
        assert shown == [hours["admitted"], hours["denied"]]
        by_region = page.locator("#calls .region h3").all_inner_texts()
        assert by_region == list(REGIONS)
        expect(page.locator("#pipeline .writer")).to_contain_text("us-east-1")
        expect(page.locator("#pipeline .stages")).to_contain_text("Counted after")

        for _ in range(20):
            if 429 in ask_all(world, calls * 8):
                break
            world.wait_until_caught_up()
        world.wait_until_caught_up()
        CLOCK[0] += 1_000
        page.clock.fast_forward(5_500)
        expect(caller).to_contain_text("A call now would be refused")
        expect(caller).to_contain_text("By key-day; opens in")
        expect(page.locator("#calls .tiles .number").first).not_to_have_text(f"{shown[0]:,}")

        page.locator("#caller select").select_option("ip")
        page.get_by_label("Address, site, key or owner").fill(f"::ffff:{address}")
        page.keyboard.press("Enter")
        expect(caller.locator("[data-heading]")).to_have_text(address)
        expect(caller).to_contain_text("0 of 200")


def test_an_owner_is_found_with_what_its_keys_used(
    browser: Browser, world: World, url: str, new_key: Callable[[str], str]
) -> None:
    key = new_key("starter")
    ask_all(world, [Asked("eu-west-1", {"x-api-key": key})] * 3)
    world.wait_until_caught_up()
    CLOCK[0] += 1_000
    with opened(browser, url) as page:
        page.wait_for_selector("#owners tbody tr")
        page.get_by_label("Part of the name").fill("TEST")
        page.clock.fast_forward(300)
        page.locator("#owners tbody a", has_text="tests").click()
        row = page.locator("#owners [data-part=owner] tr", has_text=key_id(key))
        expect(row).to_contain_text("starter")
        assert row.locator("td").all_inner_texts() == ["starter", "active", "3", "3", "0"]


def test_what_it_asks_is_what_its_document_says_that_credentials_must_allow(
    url: str, asked: set[tuple[str, str]], browser: Browser, world: World, new_key: Callable[[str], str]
) -> None:
    key = new_key("starter")
    ask_all(world, [Asked("us-east-1", {"x-api-key": key})] * 9)
    world.wait_until_caught_up()
    CLOCK[0] += 1_000
    with opened(browser, url, f"?of=key:{key_id(key)}&kind=key&owner=tests") as page:
        page.wait_for_selector("#owners [data-part=owner] table")
        page.wait_for_selector("#caller .decision")
        page.wait_for_selector("#pipeline .writer")
    table = DOCUMENT.split("## What the credentials must allow")[1].split("##")[0]
    said = {
        "the tally": "tally",
        "the gate": "gate",
        "its index": "gate",
        "the stream": "stream",
        "the rejects": "queue",
    }
    documented = {
        (action, resource)
        for beginning, resource in said.items()
        for row in table.splitlines()
        if row.startswith(f"| {beginning}")
        for action in re.findall(r"`(\w+:\w+)`", row)
    }
    assert asked == documented


def get(url: str) -> Any:
    with urlopen(url, timeout=30) as answer:
        return json.load(answer)


def test_a_world_serves_its_own_page(world: World) -> None:
    with served_world(world) as url:
        about = get(f"{url}api/service")
    assert (about["stage"], about["homes"]) == ("local", ["us-east-1"])
    assert about["first_call"] == f"curl -i {world.endpoints['us-east-1'].url}/v1/whoami"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_the_command_serves_until_it_is_told_to_end(world: World, number: signal.Signals, code: int) -> None:
    environment = {**os.environ, **world.aws.environment("us-east-1"), "TALLYGATE_WORLD": "/nowhere"}
    tallygate = Path(sys.executable).with_name("tallygate")
    with subprocess.Popen(
        [tallygate, "dashboard", "--json"], cwd=PROJECT, env=environment, stdout=PIPE, stderr=PIPE, text=True
    ) as process:
        assert process.stdout is not None
        document = json.loads("".join(takewhile(lambda line: line != "}\n", process.stdout)) + "}")
        assert get(f"{document['url']}api/pipeline")["rejects"][0]["home"] == "us-east-1"
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in said) == (code, False)
    with pytest.raises(URLError):
        get(document["url"])
