"""Plans that are applied hold in every region within what is promised, also for what has been used."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tallygate.local.world import PROJECT, World
from tests.pipeline.calls import Asked, ask, ask_all

SYDNEY, IRELAND, VIRGINIA = "ap-southeast-2", "eu-west-1", "us-east-1"
TALLYGATE = Path(sys.executable).with_name("tallygate")
WITHIN_SECONDS = 45
"""Plans are read again after 30 s, and this machine may be busy."""

Headers = dict[str, str | bytes]
Run = Callable[..., Any]


@pytest.fixture
def run(world: World) -> Run:
    """Runs `tallygate … --json` against the world as against AWS."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TALLYGATE_"))}
    environment = ours | world.aws.environment(world.config.service.administrative_region)

    def command(*arguments: str) -> Any:
        done = subprocess.run(
            [TALLYGATE, *arguments, "--json"],
            env=environment, capture_output=True, text=True, check=False, timeout=120, cwd=PROJECT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return command


@pytest.fixture
def apply(run: Run, tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Applies the configuration of the world and further plans; in the end, no others than its own."""
    file = tmp_path / "tallygate.toml"
    ours = (PROJECT / "tallygate.toml").read_text()

    def apply(more: str) -> Any:
        file.write_text(ours + more)
        return run("plans", "apply", "--no-wait", "--config", str(file))

    yield apply
    file.write_text(ours)
    run("plans", "apply", "--no-wait", "--force", "--config", str(file))


def until(holds: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < WITHIN_SECONDS, "it does not hold within what is promised"
        time.sleep(0.1)  # between two questions to the deployed service, whose caches keep real time


def held_to(quota: int) -> str:
    return f'\n[plans.changing]\nlimits = [{{ per = "key", quota = {quota}, window = "day" }}]\n'


def test_a_lowered_quota_refuses_in_every_region_who_used_more_and_a_raised_one_readmits(
    world: World, run: Run, apply: Callable[[str], Any], fresh_ip: Callable[[], str]
) -> None:
    apply(held_to(100_000))
    made = run("keys", "create", "--owner", "tests", "--plan", "changing")
    caller: Headers = {"X-Forwarded-For": fresh_ip(), "x-api-key": made["secret"]}
    # Far below the first mark of a hundred thousand: no region knows of it.
    assert ask_all(world, [Asked(IRELAND, caller)] * 30 + [Asked(SYDNEY, caller)] * 30) == [200] * 60
    world.wait_until_caught_up()

    lowered = apply(held_to(50))
    assert lowered["touched"] == {"key": {"callers": 1, "were_over": 0, "are_over": 1, "behind": 1}}
    assert lowered["published"] == 1
    for region in world.endpoints:
        until(lambda region=region: ask(world, Asked(region, caller)).status_code == 429)  # type: ignore[misc]

    raised = apply(held_to(10_000))
    assert (raised["touched"]["key"]["were_over"], raised["touched"]["key"]["are_over"]) == (1, 0)
    for region in world.endpoints:
        until(lambda region=region: ask(world, Asked(region, caller)).status_code == 200)  # type: ignore[misc]


def test_a_call_weighs_what_is_applied(world: World, apply: Callable[[str], Any], fresh_ip: Callable[[], str]) -> None:
    """On a path of its own, which leads nowhere: containers know the weight for 30 s after this test."""
    apply('\n[routes]\n"GET /weighed/*" = 25\n')
    caller: Headers = {"X-Forwarded-For": fresh_ip()}

    def used(method: str) -> int:
        world.wait_until_caught_up()
        (before,) = ask(world, Asked(VIRGINIA, caller, "/v1/usage")).json()["usage"]
        assert ask(world, Asked(VIRGINIA, caller, "/weighed/thing", method)).status_code == 404
        world.wait_until_caught_up()
        (after,) = ask(world, Asked(VIRGINIA, caller, "/v1/usage")).json()["usage"]
        return int(after["used"] - before["used"])

    until(lambda: used("GET") == 25)
    assert used("HEAD") == 25


def test_two_keys_of_one_owner_spend_one_quota_in_different_regions(
    world: World, run: Run, apply: Callable[[str], Any], fresh_ip: Callable[[], str]
) -> None:
    apply(
        '\n[plans.shared]\nlimits = [{ per = "key", quota = 1000, window = "day" }, '
        '{ per = "owner", quota = 40, window = "day" }]\n'
    )
    owner = "Bücher & Söhne #1"
    secrets = [run("keys", "create", "--owner", owner, "--plan", "shared")["secret"] for _ in range(2)]
    sydney, ireland = (
        Asked(region, {"X-Forwarded-For": fresh_ip(), "x-api-key": secret})
        for region, secret in zip((SYDNEY, IRELAND), secrets, strict=True)
    )
    until(lambda: {"owner-day"} <= names_of(world, sydney) & names_of(world, ireland))
    before = run("usage", "show", "owner", owner)["charged"]
    assert set(ask_all(world, [sydney] * 12 + [ireland] * 12)) == {200}
    world.wait_until_caught_up()
    assert run("usage", "show", "owner", owner)["charged"] == before + 24

    def is_spent() -> bool:
        ask_all(world, [sydney, ireland] * 3)
        world.wait_until_caught_up()
        return int(run("usage", "show", "owner", owner)["charged"]) >= 40

    until(is_spent)
    until(lambda: ask_all(world, [sydney, ireland]) == [429, 429])
    refused = ask(world, Asked(VIRGINIA, sydney.headers)).json()
    assert refused["violated-policies"] == ["owner-day"]
    (key, of_owner) = ask(world, Asked(VIRGINIA, ireland.headers, "/v1/usage")).json()["usage"]
    assert (key["kind"], of_owner["kind"], of_owner["value"], of_owner["remaining"]) == ("key", "owner", owner, 0)
    assert key["used"] < 40
    assert run("quota", "reset", "owner", owner)["limits"][0]["used"] == 0
    until(lambda: ask_all(world, [sydney, ireland]) == [200, 200])


def names_of(world: World, asked: Asked) -> set[str]:
    """The policies that an answer names; asking costs nothing."""
    told = ask(world, Asked(asked.region, asked.headers, "/v1/usage")).headers.get("RateLimit-Policy", "")
    return {policy.split('"')[1] for policy in told.split(", ") if policy}
