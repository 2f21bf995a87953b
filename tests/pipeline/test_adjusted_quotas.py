"""Resets and top-ups hold in every region, whoever is still on their way, and the tally is as it was."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner

from tallygate.cli import main
from tallygate.local.world import World
from tests.pipeline.calls import Asked, ask, ask_all

SYDNEY, IRELAND, VIRGINIA = "ap-southeast-2", "eu-west-1", "us-east-1"
TRIAL_PER_DAY, FREE_PER_DAY = 50, 200
PATIENCE_SECONDS = 60

Headers = dict[str, str | bytes]


@pytest.fixture
def tallygate(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command against the world; returns what it printed as JSON."""
    monkeypatch.setenv("TALLYGATE_WORLD", str(world._directory))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(main, [*arguments, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


@contextmanager
def counting_rests(world: World) -> Iterator[None]:
    """Nothing is counted meanwhile: calls lie in the stream."""
    lambda_ = world.aws.client("lambda", world.config.service.administrative_region)
    (mapping,) = lambda_.list_event_source_mappings(FunctionName=world.names.log_consumer)["EventSourceMappings"]
    lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def left(world: World, region: str, caller: Headers) -> int:
    """What the gate of a region leaves the caller; asking costs nothing."""
    return int(ask(world, Asked(region, caller, "/v1/usage")).headers["X-RateLimit-Remaining"])


def told(world: World, region: str, caller: Headers) -> tuple[int, int, int]:
    """Used, limit and remaining, as a region tells a caller who has one limit of interest."""
    limit = ask(world, Asked(region, caller, "/v1/usage")).json()["usage"][0]
    return limit["used"], limit["limit"], limit["remaining"]


def wait_until(holds: Callable[..., bool], *arguments: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds(*arguments):
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s"


def spend(world: World, region: str, caller: Headers) -> None:
    """Calls until nothing is left, by the tally itself: an estimate may refuse for some seconds before that."""

    def is_spent() -> bool:
        ask_all(world, [Asked(region, caller)] * 20)
        world.wait_until_caught_up()
        return told(world, region, caller)[2] == 0

    wait_until(is_spent)


def test_a_spent_key_is_admitted_everywhere_after_a_reset_and_refused_everywhere_when_that_is_spent(
    world: World, fresh_ip: Callable[[], str], new_key: Callable[[str], str], tallygate: Callable[..., Any]
) -> None:
    key = new_key("trial")
    caller: Headers = {"X-Forwarded-For": fresh_ip(), "x-api-key": key}
    spend(world, SYDNEY, caller)
    assert ask_all(world, [Asked(region, caller) for region in world.endpoints]) == [429] * 3
    world.wait_until_caught_up()

    counted = tallygate("usage", "show", "key", key)
    tallygate("quota", "reset", "key", key)
    assert tallygate("usage", "show", "key", key) == counted
    for region in world.endpoints:
        wait_until(lambda region: left(world, region, caller) == TRIAL_PER_DAY, region)
    assert ask_all(world, [Asked(region, caller) for region in world.endpoints]) == [200] * 3
    world.wait_until_caught_up()
    for region in world.endpoints:
        assert told(world, region, caller) == (3, TRIAL_PER_DAY, TRIAL_PER_DAY - 3)
    assert tallygate("usage", "show", "key", key)["charged"] == counted["charged"] + 3

    for _ in range(2):  # the second time it is in already
        (limit,) = tallygate("quota", "top-up", "key", key, "25", "--id", "order-1")["limits"]
        assert (limit["used"], limit["limit"], limit["remaining"]) == (3, TRIAL_PER_DAY + 25, TRIAL_PER_DAY + 22)
    spend(world, IRELAND, caller)
    # A region that was far from every limit may look at what it read a second ago.
    wait_until(lambda region: left(world, region, caller) == 0, VIRGINIA)
    refused = ask(world, Asked(VIRGINIA, caller))
    assert (refused.status_code, refused.headers["X-RateLimit-Limit"]) == (429, str(TRIAL_PER_DAY + 25))
    assert refused.json()["violated-policies"] == ["key-day"]
    until_midnight = 86_400 - time.time() % 86_400
    assert int(refused.headers["Retry-After"]) >= until_midnight - 60, "the count refuses, not an estimate"
    assert tallygate("usage", "show", "key", key)["charged"] >= counted["charged"] + TRIAL_PER_DAY + 25


def test_calls_sent_before_a_reset_and_counted_after_it_use_up_the_new_allowance(
    world: World, fresh_ip: Callable[[], str], tallygate: Callable[..., Any]
) -> None:
    address = fresh_ip()
    caller: Headers = {"X-Forwarded-For": address}
    assert set(ask_all(world, [Asked(IRELAND, caller)] * 60)) == {200}
    world.wait_until_caught_up()
    with counting_rests(world):
        assert set(ask_all(world, [Asked(SYDNEY, caller)] * 25)) == {200}
        world.wait_until_caught_up()  # as far as the stream
        (limit,) = tallygate("quota", "reset", "ip", address)["limits"]
        assert (limit["used"], limit["homes"][VIRGINIA]["counted"]) == (0, 60)
    world.wait_until_caught_up()
    for region in world.endpoints:  # a region far from every limit may know the caller as of a second ago
        wait_until(lambda region: told(world, region, caller)[0] != 85, region)
        assert told(world, region, caller) == (25, FREE_PER_DAY, FREE_PER_DAY - 25)
    (limit,) = tallygate("quota", "show", "ip", address)["limits"]
    assert limit["homes"] == {VIRGINIA: {"counted": 85, "baseline": 60, "used": 25}}
