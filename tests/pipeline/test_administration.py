"""What operators change with the command holds in every region."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tallygate.core.keys import mint
from tallygate.local.world import World
from tests.pipeline.calls import Asked, ask, ask_all

TALLYGATE = Path(sys.executable).with_name("tallygate")
WITHIN_SECONDS = 45
"""Rules and plans are read again after 30 s."""

Run = Callable[..., Any]


@pytest.fixture
def run(world: World) -> Run:
    """Runs `tallygate … --json` against the world as against AWS."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TALLYGATE_"))}
    environment = ours | world.aws.environment(world.config.service.administrative_region)

    def command(*arguments: str, given: str | None = None) -> Any:
        done = subprocess.run(
            [TALLYGATE, *arguments, "--json"],
            env=environment, input=given, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return command


def until(condition: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < WITHIN_SECONDS, "it does not hold within what is promised"


def test_a_revoked_key_is_refused_in_every_region(world: World, run: Run) -> None:
    made = run("keys", "create", "--owner", "acme", "--plan", "pro")
    asked = {region: Asked(region, {"x-api-key": made["secret"]}) for region in world.endpoints}
    assert {ask(world, each).status_code for each in asked.values()} == {200}
    run("keys", "revoke", made["id"])
    for each in asked.values():
        until(lambda each=each: ask(world, each).status_code == 401)  # type: ignore[misc]
    trail = run("audit", "list", "--since", "1h", "--key", made["id"])
    assert [(entry["action"], entry["who"]) for entry in trail] == [
        ("key.create", "arn:aws:iam::000000000000:root"),
        ("key.revoke", "arn:aws:iam::000000000000:root"),
    ]


def test_a_blocked_range_is_refused_in_every_region_and_an_allowed_address_in_it_is_not(world: World, run: Run) -> None:
    blocked, allowed = "198.51.100.66", "198.51.100.67"
    run("addresses", "block", "198.51.100.64/27", "--reason", "tests")
    run("addresses", "allow", allowed)
    try:
        # Each container reads the rules again in its own time: several calls at once meet all of them.
        asked = [Asked(region, {"X-Forwarded-For": blocked}) for region in world.endpoints] * 4
        until(lambda: set(ask_all(world, asked)) == {403})
        for region in world.endpoints:
            for key in ({}, {"x-api-key": "tg_local_mistyped"}):
                answer = ask(world, Asked(region, {"X-Forwarded-For": blocked, **key}))
                assert (answer.status_code, answer.json()["restriction"]) == (403, "address")
            served = ask(world, Asked(region, {"X-Forwarded-For": allowed}))
            assert (served.status_code, served.json()["limits"]) == (200, [])
    finally:
        run("addresses", "remove", "198.51.100.64/27")
        run("addresses", "remove", allowed)
    world.wait_until_caught_up()
    used = run("usage", "show", "ip", allowed)
    assert (used["admitted"], used["charged"]) == (len(world.endpoints), 0)
    assert run("usage", "show", "ip", blocked)["denied"] >= 2 * len(world.endpoints)


def test_imported_keys_are_good_and_those_of_others_are_not(world: World, run: Run, tmp_path: Path) -> None:
    secrets = [mint(world.names.stage, Random(seed).choice) for seed in range(100, 160)]
    file = tmp_path / "keys.csv"
    rows = [f"{sha256(secret.encode()).hexdigest()},imported,pro" for secret in secrets]
    file.write_text("\n".join(["hash,owner,plan", *rows]))
    assert run("keys", "import", str(file))["taken"] == len(secrets)
    again = run("keys", "import", "-", given="\n".join(["secret,owner,plan", *(f"{each},x,pro" for each in secrets)]))
    assert (again["taken"], again["kept"]) == (0, len(secrets))
    for region in world.endpoints:
        assert ask(world, Asked(region, {"x-api-key": secrets[0]})).status_code == 200
