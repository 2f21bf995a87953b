"""A page of another site calls the API from a real browser: the preflight passes and is not charged, and the page may
read the headers that tell it how much is left."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page

from tallygate.local.world import World
from tests.pipeline.calls import Asked, ask, ask_all

CALL = """async ([url, headers]) => {
    const answer = await fetch(url, {headers});
    return {status: answer.status, body: await answer.json(), headers: Object.fromEntries(answer.headers)};
}"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>A page of another site</title>")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def page(browser: Browser, site: str) -> Page:
    page = browser.new_page()
    page.goto(site)
    return page


def test_a_page_reads_what_is_left(page: Page, site: str, world: World, new_key: Callable[[str], str]) -> None:
    key = new_key("starter")
    url = world.endpoints["eu-west-1"].url
    for _ in range(3):
        answer = page.evaluate(CALL, [f"{url}/v1/whoami", {"x-api-key": key}])
        assert answer["status"] == 200
    assert answer["body"]["key"]
    assert answer["body"]["ref"] == "127.0.0.1"
    assert answer["headers"]["x-ratelimit-limit"] == "400"
    assert {"ratelimit", "ratelimit-policy", "x-ratelimit-remaining", "x-ratelimit-reset"} <= answer["headers"].keys()
    world.wait_until_caught_up()
    usage = ask(world, Asked("us-east-1", {"x-api-key": key}, "/v1/usage")).json()
    assert {limit["used"] for limit in usage["usage"]} == {3}, "a preflight is not charged"


def test_a_page_reads_why_it_was_refused(page: Page, world: World) -> None:
    url = world.endpoints["ap-southeast-2"].url
    answer = page.evaluate(CALL, [f"{url}/v1/whoami", {"x-api-key": "tg_local_mistyped"}])
    assert (answer["status"], answer["body"]["status"]) == (401, 401)


def test_a_page_reads_when_to_come_back(page: Page, world: World, new_key: Callable[[str], str]) -> None:
    key = new_key("trial")
    region = world.endpoints["us-east-1"]
    for _ in range(20):
        if 429 in ask_all(world, [Asked("us-east-1", {"x-api-key": key})] * 25):
            break
        world.wait_until_caught_up()
    answer = page.evaluate(CALL, [f"{region.url}/v1/whoami", {"x-api-key": key}])
    assert (answer["status"], answer["body"]["violated-policies"]) == (429, ["key-day"])
    headers = answer["headers"]
    assert 0 < int(headers["retry-after"]) <= 86_400
    assert headers["ratelimit"] == f'"key-day";r=0;t={headers["retry-after"]}'
    assert (headers["ratelimit-policy"], headers["x-ratelimit-remaining"]) == ('"key-day";q=50;w=86400', "0")
    assert answer["body"]["detail"].endswith(f"Try again in {headers['retry-after']} s.")
    free = page.evaluate(CALL, [f"{region.url}{answer['body']['usage']}", {"x-api-key": key}])
    assert (free["status"], free["body"]["usage"][0]["limit"]) == (200, 50)
