"""Two homes: each counts the calls of its own regions, and the two together are every call."""

import json
import signal
from pathlib import Path

from tallygate.local.world import PROJECT, World
from tests.pipeline.signed import Ops
from tests.pipeline.test_client import caller
from tests.pipeline.test_command import Command

HOMES = ("us-east-1", "eu-west-1")
OF = ("--owner", "tests", "--plan", "pro")


def counters_of_two_homes_are_added_up(world: World, key: str) -> None:
    """Each home has its share, and has an idempotency key of its own."""
    clients = {region: caller(endpoint, key.strip()) for region, endpoint in world.endpoints.items()}
    for client in clients.values():
        for _ in range(2):
            client.counters.increment("orders", 5)
            client.counters.increment("orders", 100, idempotency_key="order-1")
    world.wait_until_caught_up()
    shares = {}
    for client in clients.values():
        orders = client.counters.get("orders")
        assert (orders.total, orders.unread) == (len(clients) * 10 + 200, ())
        shares = {home: share.total for home, share in orders.homes.items()}
    assert shares == {"us-east-1": 10 * (len(clients) - 1) + 100, "eu-west-1": 110}
    assert [client.counters.next("invoice") for client in clients.values()] == list(range(1, len(clients) + 1))


def questions_are_answered_from_both_homes(world: World) -> None:
    """An address, the largest and the regions are added up; each home has its writer, and its rejects."""
    ops = Ops(world)
    asked = {"kind": "ip", "value": "198.18.0.1"}
    by = ops("GET", "/ops/usage", params={**asked, "fill": "false"}).json()["rows"][-1]["by"]
    assert {home: count["admitted"] for home, count in by.items()} == {"us-east-1": 11, "eu-west-1": 50}
    top = ops("GET", "/ops/top", params={"kind": "ip", "limit": "100"}).json()["top"]
    (row,) = (row for row in top if row["value"] == asked["value"])
    assert (row["admitted"], row["limits"][0]["used"], row["by"]) == (61, 61, by)
    standing = ops("GET", "/ops/standing", params=asked).json()
    assert [home["charged"] for home in standing["homes"]] == [11, 50]
    regions = ops("GET", "/ops/usage", params={"kind": "all", "granularity": "month"}).json()["rows"][-1]["by"]
    assert regions.keys() == world.endpoints.keys()
    pipeline = ops("GET", "/ops/pipeline").json()
    assert [writer["home"] for writer in pipeline["writers"]] == list(HOMES)
    assert [queue["home"] for queue in pipeline["rejects"]] == list(HOMES)


def test_the_counts_of_two_homes_are_together_those_of_the_log(tmp_path: Path) -> None:
    config = tmp_path / "tallygate.toml"
    one_home = (PROJECT / "tallygate.toml").read_text()
    config.write_text(one_home.replace('homes = ["us-east-1"]', f"homes = {json.dumps(HOMES)}"))
    command = Command(tmp_path / "world")
    demo = command.start("demo", "--limit", "60", "--json", "--stay", "--config", str(config))
    try:
        assert demo.stdout is not None
        document = ""
        for line in demo.stdout:
            document += line
            if line == "}\n":
                break
        outcome = json.loads(document)
        assert (outcome["matches"], outcome["differences"]) == (True, [])
        assert [claim["claim"] for claim in outcome["quotas"] if not claim["holds"]] == []
        # Calls of one address in Sydney and in Ireland: each home has those of its own regions.
        (shown,) = (row for row in outcome["quotas"] if row["claim"].startswith("10 calls in Sydney and 50 in Ireland"))
        assert shown["seen"] == "Virginia, after a call of its own, leaves 139 of 200"
        homes = command.json("usage", "show", "ip", "198.18.0.1")["homes"]
        assert {home: count["admitted"] for home, count in homes.items()} == {"us-east-1": 11, "eu-west-1": 50}
        questions_are_answered_from_both_homes(World.attach(command.directory))
        counters_of_two_homes_are_added_up(World.attach(command.directory), command.run("keys", "create", *OF).stdout)
    finally:
        demo.send_signal(signal.SIGTERM)
        said = demo.communicate(timeout=60)
    assert demo.returncode == 128 + signal.SIGTERM, said
