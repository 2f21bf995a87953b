"""What callers are answered over HTTP: every header on every answer, a HEAD as its GET, preflight requests for nothing,
and their own past."""

from collections.abc import Callable

import pytest
import requests
from http_sfv.list import List

from tallygate.aws.usage_reader import UsageReader
from tallygate.core.keys import key_id
from tallygate.core.periods import day_of
from tallygate.local.world import World
from tests.pipeline.calls import Asked, ask

SYDNEY, IRELAND, VIRGINIA = "ap-southeast-2", "eu-west-1", "us-east-1"
LIMITS = {"ratelimit", "ratelimit-policy", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}
ORIGIN = {"Origin": "https://shop.example"}

Headers = dict[str, str | bytes]


def told(answer: requests.Response) -> set[str]:
    """The names of the headers that tell limits; each must be readable by a page."""
    names = {name.lower() for name in answer.headers}
    exposed = {name.strip().lower() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    found = {name for name in names if "ratelimit" in name} | names & {"retry-after", "www-authenticate"}
    assert found <= exposed
    return found


@pytest.fixture
def caller(fresh_ip: Callable[[], str], new_key: Callable[[str], str]) -> Headers:
    return {"X-Forwarded-For": fresh_ip(), "x-api-key": new_key("starter"), **ORIGIN}


def charged(world: World, caller: Headers) -> tuple[int, int]:
    """Units charged to a caller's key, and calls refused, in the tally."""
    world.wait_until_caught_up()
    home = world.config.service.administrative_region
    reader = UsageReader({home: world.aws.client("dynamodb", home)}, world.names.tally_table)
    key = caller["x-api-key"]
    assert isinstance(key, str)
    usage = reader.show("key", key_id(key), day_of(ask_time(world, caller)).month)
    return usage.charged, usage.denied


def ask_time(world: World, caller: Headers) -> int:
    """A time of the hour that the service is in: the tightest limit of the plan is one of an hour."""
    limits = ask(world, Asked(IRELAND, caller, "/v1/usage")).headers
    return (int(limits["X-RateLimit-Reset"]) - 1) * 1000


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/whoami", 200), ("GET", "/v1/usage", 200), ("GET", "/v1/usage?from=soon", 400), ("GET", "/", 404),
     ("GET", "/v2/nowhere/at/all", 404), ("POST", "/v1/whoami", 404), ("DELETE", "/v1/usage", 404),
     ("GET", "/v1/problems", 200)],
)  # fmt: skip
def test_an_admitted_call_is_told_its_limits_wherever_it_leads(
    world: World, caller: Headers, method: str, path: str, status: int
) -> None:
    answer = ask(world, Asked(IRELAND, caller, path, method))
    assert (answer.status_code, told(answer)) == (status, LIMITS)
    limits = List()
    limits.parse(answer.headers["RateLimit"].encode())
    assert {item.value for item in limits} == {"key-hour", "key-day", "key-month", "key-month-soft", "key-burst"}
    if status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["instance"]


def test_a_type_of_problem_leads_to_its_description(world: World, caller: Headers) -> None:
    problem = ask(world, Asked(IRELAND, {**caller, "x-api-key": "mistyped"})).json()
    path, anchor, name = problem["type"].partition("#")
    answer = ask(world, Asked(IRELAND, caller, path))
    assert answer.headers["Content-Type"].startswith("text/html")
    assert (anchor, f'<section id="{name}">' in answer.text) == ("#", True)


def test_head_is_answered_and_charged_as_get_but_for_the_body(world: World, caller: Headers) -> None:
    get = ask(world, Asked(IRELAND, caller))
    before = charged(world, caller)
    head = ask(world, Asked(IRELAND, caller, method="HEAD"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert told(head) == told(get) == LIMITS
    assert head.headers["RateLimit-Policy"] == get.headers["RateLimit-Policy"]
    assert int(head.headers["X-RateLimit-Remaining"]) == int(get.headers["X-RateLimit-Remaining"]) - 1
    assert charged(world, caller) == (before[0] + 1, 0)


@pytest.mark.parametrize("asks_for", ["GET", None], ids=["preflight", "plain OPTIONS"])
def test_options_costs_nothing_and_is_never_refused(world: World, caller: Headers, asks_for: str | None) -> None:
    """A preflight carries no key, and nobody may ask for one; the gateway answers it before anything is decided."""
    preflight: Headers = {"X-Forwarded-For": caller["X-Forwarded-For"], **ORIGIN}
    if asks_for:
        preflight |= {"Access-Control-Request-Method": asks_for, "Access-Control-Request-Headers": "x-api-key"}
    ask(world, Asked(SYDNEY, caller))
    for path in ("/v1/whoami", "/v1/usage", "/v2/nowhere"):
        for headers in (preflight, {**preflight, "x-api-key": "mistyped"}):
            answer = ask(world, Asked(SYDNEY, headers, path, "OPTIONS"))
            assert answer.status_code in (200, 204)
            assert "RateLimit" not in answer.headers
            if asks_for:
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert "x-api-key" in answer.headers["Access-Control-Allow-Headers"]
                assert asks_for in answer.headers["Access-Control-Allow-Methods"]
    assert charged(world, caller) == (1, 0)
    address: Headers = {"X-Forwarded-For": caller["X-Forwarded-For"]}
    (limit,) = ask(world, Asked(SYDNEY, address, "/v1/usage")).json()["usage"]
    assert limit["used"] == 0, "the address was charged for none of them"


def test_a_caller_reads_their_own_past_and_nothing_else(world: World, caller: Headers) -> None:
    for region in (SYDNEY, IRELAND, VIRGINIA):
        assert ask(world, Asked(region, caller)).status_code == 200
    total, _ = charged(world, caller)
    assert total >= 3
    today = day_of(ask_time(world, caller))
    key = caller["x-api-key"]
    assert isinstance(key, str)
    for granularity, periods in (("day", today.number), ("month", 1)):
        path = f"/v1/usage?from={today.month}-01&granularity={granularity}"
        past = ask(world, Asked(SYDNEY, caller, path)).json()
        assert (past["kind"], past["value"], past["source"]) == ("key", key_id(key), "tally")
        assert sum(row["charged"] for row in past["usage"]) == total
        assert len(past["usage"]) == periods
        assert past["as_of"]
    hours = ask(world, Asked(IRELAND, caller, f"/v1/usage?from={today.start_ms // 1000}&granularity=hour")).json()
    assert sum(row["charged"] for row in hours["usage"]) == total
    other: Headers = {"X-Forwarded-For": caller["X-Forwarded-For"], "Referer": "https://shop.example/"}
    past = ask(world, Asked(SYDNEY, other, f"/v1/usage?from={today.month}-01")).json()
    assert (past["kind"], past["value"]) == ("ip", caller["X-Forwarded-For"])
    assert {row["charged"] for row in past["usage"]} == {0}
    assert charged(world, caller) == (total, 0), "asking cost nothing"


def test_a_long_past_comes_page_by_page(world: World, caller: Headers) -> None:
    path, starts = "/v1/usage?from=" + str(ask_time(world, caller) // 1000 - 200 * 86_400), []
    while path:
        answer = ask(world, Asked(VIRGINIA, caller, path))
        assert answer.status_code == 200, answer.text
        starts += [row["start"] for row in answer.json()["usage"]]
        path = answer.json()["next"]
    assert len(starts) == len(set(starts)) >= 100
    assert starts == sorted(starts)
