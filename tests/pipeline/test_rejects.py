"""What could not be counted lies in the mailbox until it is mended, and then counts once."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from tallygate.cli import main
from tallygate.core.lines import UsageLine, format_line
from tallygate.local.world import World


@pytest.fixture
def tallygate(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command against the world; returns its exit code and what it printed as JSON."""
    monkeypatch.setenv("TALLYGATE_WORLD", str(world._directory))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    def run(*arguments: str) -> tuple[int, Any]:
        result = CliRunner().invoke(main, [*arguments, "--json"])
        return result.exit_code, json.loads(result.stdout)

    return run


def _log(world: World, stream: str, *messages: str) -> None:
    """Lines in the log of the API function, as anything could print them there."""
    logs = world.aws.client("logs", world.config.service.administrative_region)
    group = world.names.log_group(world.names.api)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now_ms = time.time_ns() // 1_000_000
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": now_ms, "message": message} for message in messages],
    )
    world.wait_until_caught_up()


def test_a_reject_is_listed_shown_mended_and_counted_once(
    world: World, fresh_ip: Callable[[], str], tallygate: Callable[..., Any]
) -> None:
    address, now_ms = fresh_ip(), time.time_ns() // 1_000_000
    good = UsageLine(f"q-{address}", now_ms, "us-east-1", "us-east-1", address, None, None, 3, 200)
    bad = format_line(good).replace('"units":3', '"units":"three"')
    _log(world, address, bad, format_line(good))

    def mine() -> list[Any]:
        code, listed = tallygate("rejects", "list")
        assert code == 0
        return [reject for reject in listed if address in reject["body"]]

    def admitted() -> int:
        count: int = tallygate("usage", "show", "ip", address)[1]["admitted"]
        return count

    (reject,) = mine()
    assert (reject["reason"], reject["body"], reject["log_stream"]) == (
        "units is not an integer from 0 to 1000000000",
        bad,
        address,
    )
    assert admitted() == 3, "the rest of the batch is counted"
    assert tallygate("rejects", "show", reject["id"]) == (0, reject)

    code, retried = tallygate("rejects", "retry", reject["id"])
    assert (code, retried["retried"], list(retried["left"])) == (1, [], [reject["id"]])
    assert mine() == [reject]

    code, retried = tallygate("rejects", "retry", reject["id"], "--set", "units=3")
    assert (code, retried["retried"], retried["lines"]) == (0, [reject["id"]], 1)
    world.wait_until_caught_up()
    assert mine() == []
    assert admitted() == 6


def test_a_retry_that_is_repeated_counts_once(
    world: World, fresh_ip: Callable[[], str], tallygate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, now_ms = fresh_ip(), time.time_ns() // 1_000_000
    line = format_line(UsageLine("q", now_ms, "us-east-1", "us-east-1", address, None, None, 1, 200))
    _log(world, address, line.replace('"region":"us-east-1"', '"region":"Mars"'))
    (reject,) = [reject for reject in tallygate("rejects", "list")[1] if address in reject["body"]]
    command = ["rejects", "retry", reject["id"], "--set", "region=us-east-1"]

    def die(self: object, kept: object) -> None:
        raise ConnectionError("died after the line was given again, before the reject was taken out")

    with monkeypatch.context() as patch:
        patch.setattr("tallygate.aws.rejects_mailbox.RejectsMailbox.remove", die)
        for _ in range(2):
            assert CliRunner().invoke(main, command).exit_code == 1
            world.wait_until_caught_up()
    assert tallygate(*command)[0] == 0
    world.wait_until_caught_up()
    assert tallygate("usage", "show", "ip", address)[1]["admitted"] == 1
