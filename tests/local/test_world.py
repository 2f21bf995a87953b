"""The world as a whole: the app's own templates, every region of tallygate.toml."""

import http.client
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallygate.core import names
from tallygate.local.world import Phase, RegionEndpoint, World


def whoami(endpoint: RegionEndpoint, address: str) -> int:
    """Calls a region as a client that knows nothing of *.localhost, for a caller at `address`."""
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port)
    connection.request("GET", "/v1/whoami", headers={"Host": endpoint.host, "X-Forwarded-For": address})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def counted(world: World, address: str) -> int:
    """Units of an address in this month, from the tally of the first home."""
    rows = world.aws.client("dynamodb", world.config.service.administrative_region).query(
        TableName=world.names.tally_table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :month)",
        ExpressionAttributeValues={":pk": {"S": names.pk_of("ip", address)}, ":month": {"S": names.MONTH_SK}},
        ConsistentRead=True,
    )["Items"]
    return sum(int(row[names.UNITS]["N"]) for row in rows)


def test_every_region_answers_and_counts(world: World, fresh_ip: Callable[[], str]) -> None:
    address = fresh_ip()
    assert set(world.endpoints) == set(world.config.service.regions)
    assert [whoami(endpoint, address) for endpoint in world.endpoints.values()] == [200, 200, 200]
    world.wait_until_caught_up()
    assert counted(world, address) == 3


def test_caught_up_means_every_call_that_was_answered(world: World, fresh_ip: Callable[[], str]) -> None:
    address = fresh_ip()
    for expected, endpoint in enumerate([*world.endpoints.values()] * 3, start=1):
        whoami(endpoint, address)
        world.wait_until_caught_up()
        assert counted(world, address) == expected


def test_plans_of_the_configuration_are_in_every_replica_of_the_gate(world: World) -> None:
    for region in world.config.service.gate_regions:
        found = world.aws.client("dynamodb", region).query(
            TableName=world.names.gate_table,
            KeyConditionExpression="pk = :plans",
            ExpressionAttributeValues={":plans": {"S": names.PLANS_PK}},
        )
        (plans,) = found["Items"]
        assert plans[names.PLANS]["M"].keys() == {plan.name for plan in world.config.plans}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc, which only Linux has")
def test_it_can_be_reached_from_this_machine_alone(world: World, listening: Callable[[int], set[str]]) -> None:
    assert listening(world.pid) == {f"127.0.0.1:{world.port}"}


def test_a_world_that_was_killed_is_replaced_by_the_next(tmp_path: Path, eventually: Any) -> None:
    phases: list[Phase] = []
    killed = World.start(directory=tmp_path, report=phases.append)
    try:
        killed.remember(greeting="hello")
        found = World.attach(tmp_path)
        assert (found.endpoints, found.notes) == (killed.endpoints, {"greeting": "hello"})
        os.kill(killed.pid, signal.SIGKILL)
        eventually(lambda: not killed.is_running())
        with World.start(directory=tmp_path) as next_world:
            assert next_world.pid != killed.pid
            assert whoami(next_world.endpoints["eu-west-1"], "203.0.113.9") == 200
            assert not next_world.notes
    finally:
        killed.stop()
    assert {path.name for path in tmp_path.iterdir()} == {"emulator.log"}
    begun = [phase.name for phase in phases if phase.seconds is None]
    ended = [phase.name for phase in phases if phase.seconds is not None]
    assert begun == ended == ["emulator", "synthesize", "deploy", "plans", "functions"]
