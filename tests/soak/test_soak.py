"""The short form of `make soak`: calls through a world of its own while its consumer is killed, its stream delivers
again and its tables fail; then every count. The whole takes three minutes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner

from tallygate.local.world import World
from tests.soak import __main__ as command
from tests.soak.run import Report, Soak
from tests.soak.schedule import FAILURES, KILLS, REDELIVERY, REREADING

SECONDS = 12
"""And on until all that was drawn has happened."""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Not the world of the other tests: what goes wrong here must not go wrong there."""
    with World.start(directory=tmp_path_factory.mktemp("soak")) as world:
        yield world


@pytest.fixture(scope="module")
def soak(world: World) -> Soak:
    return Soak(world, seed=1)


@pytest.fixture(scope="module")
def report(soak: Soak) -> Report:
    return soak.run(SECONDS)


def test_every_call_counts_once_whatever_goes_wrong(report: Report) -> None:
    assert report.differences == []
    assert report.holds
    assert report.answered.statuses.keys() == {"200", "401", "429"}
    assert report.answered.counts.keys() > {"all#us-east-1", "all#eu-west-1", "all#ap-southeast-2", "key#invalid"}


def test_everything_did_go_wrong(report: Report) -> None:
    assert sum(report.faults[kill] for kill in KILLS) >= 5
    assert min(report.faults[fault] for fault in (*FAILURES, REDELIVERY, REREADING)) >= 3
    assert min(report.met.values()) > 0, "the consumer noticed nothing of it"


def test_one_unit_more_or_less_is_reported(report: Report, soak: Soak, world: World) -> None:
    """An item that every run of this seed has: keys that were never given out."""
    item, *_ = world.aws.client("dynamodb", "us-east-1").query(
        TableName=world.names.tally_table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "key#invalid"}},
    )["Items"]
    key = {name: item[name] for name in ("pk", "sk")}
    counted = report.answered.counts["key#invalid"].denied
    for change in (1, -1):
        add(world, key, change)
        found = soak.judge(report.seconds, 0).differences
        assert f"key#invalid: {counted + change} counted as denied, {counted} by the answers" in found
        add(world, key, -change)
    assert soak.judge(report.seconds, 0).differences == []


def add(world: World, key: dict[str, dict[str, str]], denied: int) -> None:
    world.aws.client("dynamodb", "us-east-1").update_item(
        TableName=world.names.tally_table,
        Key=key,
        UpdateExpression="ADD x :denied",
        ExpressionAttributeValues={":denied": {"N": str(denied)}},
    )


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_names_what_differs_and_fails(
    report: Report, monkeypatch: pytest.MonkeyPatch, world: World, as_json: bool
) -> None:
    monkeypatch.setattr(World, "start", lambda **_: world)
    monkeypatch.setattr(World, "stop", lambda self: None)
    arguments = ["--json"] if as_json else []
    for differences, code in (([], 0), (["ip#198.18.0.1: 2 counted as admitted, 1 by the answers"], 1)):
        outcome = replace(report, differences=differences)
        monkeypatch.setattr(command, "_soak", lambda *_, outcome=outcome: outcome)
        done = CliRunner().invoke(command.main, arguments)
        assert done.exit_code == code, done.output
        assert all(difference in done.output for difference in differences)


def test_too_many_calls_without_an_answer_fail_although_no_count_differs(report: Report) -> None:
    answered = replace(report.answered, failures=["eu-west-1 198.18.0.1: reset"] * (report.answered.calls // 50))
    assert not replace(report, answered=answered).holds
