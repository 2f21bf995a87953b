"""What refusing costs, seen from the tables: nothing for garbage, at most a read for what might be a key."""

import random
import secrets
from collections.abc import Callable

import pytest

from tallygate.core.keys import mint
from tallygate.local.world import World
from tests.pipeline.calls import Asked, ask, ask_all

IRELAND = "eu-west-1"
CALLS = 60


def made_up(world: World, seed: int) -> str:
    return mint(world.names.stage, random.Random(seed).choice)


GARBAGE: dict[str, Callable[[World, int], str]] = {
    "nonsense": lambda world, seed: f"nonsense-{seed}",
    "nothing": lambda world, seed: "",
    "a wrong checksum": lambda world, seed: made_up(world, seed)[:-6] + "000000",
    "of another stage": lambda world, seed: mint("elsewhere", random.Random(seed).choice),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_no_read_reaches_the_gate_for_what_can_be_no_key(world: World, kind: str) -> None:
    before = world.queries_of_gate(IRELAND)
    calls = [Asked(IRELAND, {"x-api-key": GARBAGE[kind](world, seed)}) for seed in range(CALLS)]
    assert set(ask_all(world, calls)) == {401}
    assert world.queries_of_gate(IRELAND) == before


def test_an_unknown_key_is_read_about_once_however_often_it_is_tried(world: World) -> None:
    unknown = mint(world.names.stage, secrets.choice)
    before = world.queries_of_gate(IRELAND)
    assert set(ask_all(world, [Asked(IRELAND, {"x-api-key": unknown})] * CALLS)) == {401}
    read = world.queries_of_gate(IRELAND) - before
    # A worker reads it when it first meets it and 5 s later, and the plans with it every 30 s.
    assert 0 < read < CALLS / 2


def test_a_bearer_token_of_somebody_else_is_ignored(world: World, fresh_ip: Callable[[], str]) -> None:
    address = fresh_ip()
    headers: dict[str, str | bytes] = {"X-Forwarded-For": address, "Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"}
    for region in world.endpoints:
        answer = ask(world, Asked(region, headers))
        assert (answer.status_code, answer.json()["plan"], answer.json()["key"]) == (200, "anonymous", None)
    refused = ask(world, Asked(IRELAND, headers | {"Authorization": "Bearer tg_local_mistyped"}))
    assert refused.status_code == 401
