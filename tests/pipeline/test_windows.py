"""Hours, a rolling day, limits that only warn, plans in shadow and bursts, over HTTP in three regions."""

import json
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from click.testing import CliRunner
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from tallygate.aws.gate_table import GateTable
from tallygate.aws.plan_store import PlanStore
from tallygate.aws.tally_table import TallyTable
from tallygate.cli import main
from tallygate.core import names
from tallygate.core.keys import key_id
from tallygate.core.names import pk_of
from tallygate.core.periods import DAY_MS, day_of, hour_of, window_bounds_ms
from tallygate.core.plans import Limit, Plan
from tallygate.core.publish import publication_of
from tallygate.core.tally import Delta, ItemKey, Update, applied_to
from tallygate.local.world import World
from tests.pipeline.calls import Asked, ask, ask_all

SYDNEY, IRELAND, VIRGINIA = REGIONS = "ap-southeast-2", "eu-west-1", "us-east-1"
HOURLY, WARNED, ROLLING = 20, 5, 1_000
PATIENCE_SECONDS = 90
"""A changed plan holds within 30 s."""

LIMITED = Plan(
    "test-windows",
    (
        Limit("key", HOURLY, "hour"),
        Limit("key", WARNED, "day", soft=True),
        Limit("key", ROLLING, "day", rolling=True),
    ),
    burst=500,
)
ROLLED = Plan("test-rolling", (Limit("key", ROLLING, "day", rolling=True),))
SHADOWED = Plan("test-shadow", (Limit("key", 3, "hour"),), burst=1, shadow=True)
BURSTY = Plan("test-burst", (Limit("key", 1_000, "day"),), burst=1)

Headers = dict[str, str | bytes]


@pytest.fixture(scope="module")
def plans(world: World) -> Iterator[None]:
    """Plans beside those of the configuration, gone when these tests are over."""
    gate = world.aws.client("dynamodb", world.config.service.administrative_region)
    more = (LIMITED, ROLLED, SHADOWED, BURSTY)
    PlanStore(gate, world.names.gate_table).apply([*world.config.plans, *more])
    yield
    for plan in more:
        key = {names.PK: {"S": names.PLANS_PK}, names.SK: {"S": plan.name}}
        gate.delete_item(TableName=world.names.gate_table, Key=key)


@pytest.fixture
def caller(
    world: World, plans: None, fresh_ip: Callable[[], str], new_key: Callable[[str], str]
) -> Callable[[Plan], Headers]:
    """A new caller on a plan, once every region knows the plan."""

    def make(plan: Plan) -> Headers:
        headers: Headers = {"X-Forwarded-For": fresh_ip(), "x-api-key": new_key(plan.name)}
        shown = "RateLimit-Policy" if not plan.shadow else None
        for region in REGIONS:
            wait_until(lambda region=region: knows(world, region, headers, shown))  # type: ignore[misc]
        return headers

    return make


def test_a_client_that_waits_as_told_gets_through_by_itself(world: World, caller: Callable[[Plan], Headers]) -> None:
    """requests with urllib3's Retry, as it comes: it reads Retry-After, waits, and asks again."""
    headers, refused = caller(BURSTY), 0
    session = requests.Session()
    retry = Retry(total=5, status_forcelist=[429], allowed_methods=["GET"], respect_retry_after_header=True)
    session.mount("http://", HTTPAdapter(max_retries=retry))
    url = f"http://127.0.0.1:{world.port}/v1/whoami"
    for _ in range(20):
        began = time.monotonic()
        answer = session.get(url, headers={"Host": world.endpoints[SYDNEY].host, **headers}, timeout=60)
        assert answer.status_code == 200
        history = answer.raw.retries.history
        assert all(attempt.status == 429 for attempt in history)
        assert len(history) <= time.monotonic() - began, "it waited a second for each"
        refused += len(history)
        if refused >= 2:
            break
    assert refused >= 2, "one call a second, as fast as they can: most are refused first"


def knows(world: World, region: str, headers: Headers, shown: str | None) -> bool:
    """Whether a region holds the caller to their plan. One in shadow shows nothing, in `whoami` neither; that it is
    known is told by its name alone."""
    answer = ask(world, Asked(region, headers, "/v1/usage"))
    return shown in answer.headers if shown else answer.json()["plan"] == SHADOWED.name


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s"


def in_one_hour(attempt: Callable[[], None]) -> None:
    """Run `attempt`; once more if an hour ended meanwhile, whatever it came to."""
    for last in (False, True):
        hour = hour_of(now_ms())
        try:
            attempt()
        except AssertionError:
            if last or hour_of(now_ms()) == hour:
                raise
        else:
            return


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def used(world: World, region: str, headers: Headers) -> dict[tuple[str, bool], int]:
    usage = ask(world, Asked(region, headers, "/v1/usage")).json()["usage"]
    return {(limit["window"], limit["soft"]): limit["used"] for limit in usage}


def policies(answer: requests.Response) -> dict[str, dict[str, int]]:
    """The items of RateLimit by policy."""
    found = {}
    for item in answer.headers["RateLimit"].split(", "):
        name, *parameters = item.split(";")
        found[name.strip('"')] = {each[0]: int(each[2:]) for each in parameters}
    return found


def test_an_hour_that_is_spent_anywhere_is_over_everywhere_and_a_warning_is_none(
    world: World, caller: Callable[[Plan], Headers]
) -> None:
    def attempt() -> None:
        headers = caller(LIMITED)

        def is_spent() -> bool:
            ask_all(world, [Asked(region, headers) for region in REGIONS])
            world.wait_until_caught_up()
            return used(world, VIRGINIA, headers)["hour", False] >= HOURLY

        first = ask(world, Asked(SYDNEY, headers))
        assert first.status_code == 200
        assert set(policies(first)) == {"key-hour", "key-day-soft", "key-day", "key-burst"}
        assert first.headers["X-RateLimit-Limit"] == str(HOURLY)
        ask_all(world, [Asked(region, headers) for region in (IRELAND, SYDNEY, IRELAND)] * 2)
        world.wait_until_caught_up()
        wait_until(lambda: policies(ask(world, Asked(VIRGINIA, headers, "/v1/usage")))["key-day-soft"]["r"] == 0)
        warned = ask(world, Asked(VIRGINIA, headers))
        assert (warned.status_code, policies(warned)["key-day-soft"]["r"]) == (200, 0)

        wait_until(is_spent)
        for region in REGIONS:
            wait_until(lambda region=region: ask(world, Asked(region, headers)).status_code == 429)  # type: ignore[misc]
            refused = ask(world, Asked(region, headers))
            assert refused.json()["violated-policies"] == ["key-hour"]
            until_end = (window_bounds_ms("hour", now_ms())[1] - now_ms()) / 1000
            assert until_end - 60 < int(refused.headers["Retry-After"]) <= until_end + 5
        world.wait_until_caught_up()
        counts = used(world, SYDNEY, headers)
        assert HOURLY <= counts["hour", False] < HOURLY + len(REGIONS), "the last calls came at the same time"
        assert counts["hour", False] == counts["day", True] == counts["day", False]

    in_one_hour(attempt)


def test_yesterday_weighs_on_a_rolling_day_until_it_is_forgiven(
    world: World, caller: Callable[[Plan], Headers], monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = caller(ROLLED)
    assert ask(world, Asked(IRELAND, headers)).status_code == 200
    world.wait_until_caught_up()
    home = world.config.service.administrative_region
    start_ms, end_ms = window_bounds_ms("day", now_ms())
    yesterday = day_of(start_ms - 1)
    # One and a half times the quota, by what is left of today.
    charged = 3 * ROLLING // 2 * DAY_MS // (end_ms - now_ms()) + 1
    key = ItemKey(pk_of("key", key_id(str(headers["x-api-key"]))), names.MONTH_SK + yesterday.month)
    delta = Delta(charged, charged, 0, {yesterday.number: charged})
    update = Update(key, "yesterday", 1, 1, delta, start_ms - 1, 2**40)
    client = world.aws.client("dynamodb", home)
    counted = applied_to(TallyTable(client, world.names.tally_table).add(update).before, update)
    told = publication_of(key, home, counted, 0, now_ms(), 1_000, yesterday.next_month_end_ms // 1000)
    assert GateTable(client, world.names.gate_table).publish(told)

    for region in REGIONS:
        wait_until(lambda region=region: ask(world, Asked(region, headers)).status_code == 429)  # type: ignore[misc]
        refused = ask(world, Asked(region, headers))
        assert refused.json()["violated-policies"] == ["key-day"]
        until_end = (window_bounds_ms("day", now_ms())[1] - now_ms()) / 1000
        assert 0 < int(refused.headers["Retry-After"]) <= until_end, "there is room before the day ends"
    assert used(world, VIRGINIA, headers)["day", False] > ROLLING

    monkeypatch.setenv("TALLYGATE_WORLD", str(world._directory))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    reset = CliRunner().invoke(main, ["quota", "reset", "key", str(headers["x-api-key"]), "--window", "day", "--json"])
    assert reset.exit_code == 0, reset.output
    assert {limit["used"] for limit in json.loads(reset.stdout)["limits"] if limit["window"] == "day"} == {0}
    for region in REGIONS:
        wait_until(lambda region=region: ask(world, Asked(region, headers)).status_code == 200)  # type: ignore[misc]


def test_a_plan_in_shadow_lets_everybody_through_unseen_and_its_log_tells(
    world: World, caller: Callable[[Plan], Headers]
) -> None:
    headers = caller(SHADOWED)
    answers = [ask(world, Asked(region, headers)) for region in REGIONS * 3]
    assert {answer.status_code for answer in answers} == {200}
    assert not any(name.lower().startswith(("ratelimit", "x-ratelimit")) for each in answers for name in each.headers)
    assert [answer.json()["limits"] for answer in answers] == [[]] * 9
    world.wait_until_caught_up()
    last = ask(world, Asked(SYDNEY, headers))
    world.wait_until_caught_up()
    assert last.status_code == 200
    assert used(world, IRELAND, headers) == {("month", False): 10}, "charged like any other call"
    logs = world.aws.client("logs", SYDNEY)
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=world.names.log_group(world.names.api))
    lines = [
        json.loads(event["message"]) for page in pages for event in page["events"] if '"would"' in event["message"]
    ]
    mine = [line for line in lines if line.get("key") == key_id(str(headers["x-api-key"]))]
    assert (mine[-1]["would"], mine[-1]["units"], mine[-1]["status"]) == ("quota", 1, 200)


def test_a_burst_is_refused_for_a_second(world: World, caller: Callable[[Plan], Headers]) -> None:
    headers = caller(BURSTY)
    answers = [ask(world, Asked(IRELAND, headers)) for _ in range(30)]
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    for answer in answers:
        if answer.status_code == 429:
            assert (answer.json()["violated-policies"], answer.headers["Retry-After"]) == (["key-burst"], "1")
    wait_until(lambda: ask(world, Asked(IRELAND, headers)).status_code == 200)
    world.wait_until_caught_up()
    assert used(world, IRELAND, headers)["day", False] == statuses.count(200) + 1, "what was refused consumes nothing"
