"""The demo against regions that count at once: what it sends, what it finds equal, and that it finds what is not."""

import json
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result

from tallygate.access_log.entry import Skipped
from tallygate.aws.whole_tally import WholeTally
from tallygate.cli import main
from tallygate.config import Config, load
from tallygate.core.identity import host_of
from tallygate.core.keys import key_id, mint, stage_of
from tallygate.core.plans import Limit, Plan
from tallygate.demo.access_log import LogLine, read_log
from tallygate.demo.calls import calls_of, mistyped
from tallygate.demo.comparison import Comparison, Count, differences
from tallygate.demo.keys import KEYS_PER_PLAN, DemoKey
from tallygate.demo.quotas import SETTLE_SECONDS, Claim
from tallygate.demo.run import Outcome, run
from tallygate.demo.sample import SAMPLE, SCRAPER
from tallygate.demo.sender import NoAnswersError, Sender
from tallygate.local.world import PROJECT
from tests.cli.fake_regions import FakeRegions

REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake regions know at once what real ones know after a second."""
    assert SETTLE_SECONDS > 1
    monkeypatch.setattr("tallygate.demo.quotas.SETTLE_SECONDS", 0)


@pytest.fixture
def config() -> Config:
    return load(PROJECT / "tallygate.toml")


@pytest.fixture
def keys(config: Config) -> list[DemoKey]:
    draw = random.Random(7)
    plans = [plan.name for plan in config.plans if not plan.anonymous for _ in range(2)]
    secrets = [mint("local", draw.choice) for _ in plans]
    return [DemoKey(key_id(secret), secret, plan, "demo") for secret, plan in zip(secrets, plans, strict=True)]


@pytest.fixture
def regions(config: Config, keys: list[DemoKey]) -> Iterator[FakeRegions]:
    with FakeRegions(list(config.plans), keys).serving(REGIONS) as fake:
        yield fake


class Silent:
    """A reporter that keeps what it is told, and interferes when the log was compared or is about to be."""

    def __init__(self, before_comparing: Any = lambda: None) -> None:
        self.claims: list[Claim] = []
        self.outcomes: list[Outcome] = []
        self._before_comparing = before_comparing

    def phase(self, name: str) -> AbstractContextManager[None]:
        if name == "comparing":
            self._before_comparing()
        return nullcontext()

    def counted(self, name: str, total: int) -> AbstractContextManager[Any]:
        return nullcontext(lambda: None)

    def compared(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def claimed(self, claim: Claim) -> None:
        self.claims.append(claim)


def run_demo(
    regions: FakeRegions,
    config: Config,
    keys: list[DemoKey],
    reporter: Silent,
    lines: list[LogLine | Skipped] | None = None,
) -> Outcome:
    usage = cast("WholeTally", regions)
    return run(regions.urls, regions, usage, config.plans, keys, lines or read_log(SAMPLE), reporter)


def test_the_sample_is_counted_exactly_and_the_quotas_hold(
    regions: FakeRegions, config: Config, keys: list[DemoKey]
) -> None:
    outcome = run_demo(regions, config, keys, Silent())
    assert outcome.comparison.differences == []
    assert [(claim.text, claim.seen) for claim in outcome.claims if not claim.holds] == []
    assert outcome.is_well
    statuses = {status for counts in outcome.by_region().values() for status in counts}
    assert statuses == {"200", "401", "429"}
    assert outcome.comparison.log["ip", SCRAPER].denied > 0
    assert outcome.comparison.log["key", "invalid"].admitted == 0


def test_one_lost_call_is_named_and_is_no_success(regions: FakeRegions, config: Config, keys: list[DemoKey]) -> None:
    outcome = run_demo(regions, config, keys, Silent(lambda: regions.lose("ref", "shop.example")))
    (difference,) = outcome.comparison.differences
    assert (difference.kind, difference.value) == ("ref", "shop.example")
    assert difference.log is not None
    assert difference.tally is not None
    assert difference.log.admitted == difference.tally.admitted + 1
    assert not outcome.matches
    assert not outcome.is_well
    assert [claim.holds for claim in outcome.claims] == [True, True, True, True, False]


def test_an_answer_that_nobody_should_get_is_no_success(
    regions: FakeRegions, config: Config, keys: list[DemoKey]
) -> None:
    regions.broken_region = "eu-west-1"
    reporter = Silent()
    outcome = run_demo(regions, config, keys, reporter, [LogLine(1, "192.0.2.1", None), LogLine(2, "192.0.2.2", None)])
    assert [answer.status for answer in outcome.unexpected] == [500]
    assert not outcome.matches
    assert outcome.comparison.differences == []
    assert outcome.by_region() == {"eu-west-1": {"500": 1}, "us-east-1": {"200": 1}}


@pytest.mark.parametrize("limiter", ["regional", "none"])
def test_a_limiter_that_does_not_span_regions_is_found_out(
    regions: FakeRegions, config: Config, keys: list[DemoKey], limiter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many limiters as regions, or none at all: the counts are right, and every claim about limits fails."""
    fakes = {region: FakeRegions(list(config.plans), keys) for region in REGIONS}

    def answer(region: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        status, more = fakes[region].answer(region, headers)
        return (status, more) if limiter == "regional" else (401 if status == 401 else 200, {})

    monkeypatch.setattr(regions, "answer", answer)
    outcome = run_demo(regions, config, keys, Silent(), [LogLine(1, "192.0.2.1", None)])
    one_limiter, everywhere, key_everywhere, *_ = outcome.claims
    assert [claim.holds for claim in (one_limiter, everywhere, key_everywhere)] == [False, False, False]


def test_plans_that_have_no_keys_are_shown_as_far_as_they_go(config: Config) -> None:
    """And a quota of one call cannot tell one region's calls from another's."""
    plan = Plan("anonymous", (Limit("ip", 1, "day"),), anonymous=True)
    with FakeRegions([plan], []).serving(REGIONS) as regions:
        outcome = run_demo(regions, replace(config, plans=(plan,)), [], Silent())
    assert outcome.is_well
    assert outcome.comparison.log["ip", SCRAPER].admitted == 1
    assert not [identifier for identifier in outcome.comparison.tally if identifier[0] == "key"]
    assert [(claim.holds, claim.seen) for claim in outcome.claims if claim.holds is not True] == [
        (None, "1 a day are too few to show it"),
        (None, "no plan for keys has a quota up to 1,000"),
    ]
    assert [claim.text for claim in outcome.claims if claim.holds] == [
        "an address past 1 free calls a day is refused in every region",
        "these 12 calls are counted, too, and nothing else is",
    ]


def test_the_only_plan_for_keys_is_called_with_and_spent(config: Config) -> None:
    plans = tuple(plan for plan in config.plans if plan.anonymous or plan.name == "trial")
    draw = random.Random(7)
    secrets = [mint("local", draw.choice) for _ in range(KEYS_PER_PLAN)]
    keys = [DemoKey(key_id(secret), secret, "trial", "demo") for secret in secrets]
    with FakeRegions(list(plans), keys).serving(REGIONS) as regions:
        outcome = run_demo(regions, replace(config, plans=plans), keys, Silent())
    assert outcome.is_well
    assert [claim.holds for claim in outcome.claims] == [True] * 5
    assert ("key", keys[-1].id) in outcome.comparison.log


def test_one_region_claims_nothing_of_others(regions: FakeRegions, config: Config, keys: list[DemoKey]) -> None:
    regions.urls = {"us-east-1": regions.urls["us-east-1"]}
    outcome = run_demo(regions, config, keys, Silent(), [LogLine(1, "192.0.2.1", None)])
    assert outcome.is_well
    assert [claim.holds for claim in outcome.claims] == [None, True, None, True]


def test_calls_carry_what_the_log_says_to_each_region_in_turn(keys: list[DemoKey]) -> None:
    lines = [line for line in read_log(SAMPLE) if isinstance(line, LogLine)]
    secrets = [key.secret for key in keys]
    calls = list(calls_of(lines, REGIONS, secrets))
    assert [(call.client, call.referer) for call in calls] == [(line.client, line.referer) for line in lines]
    assert [call.region for call in calls[:4]] == ["us-east-1", "eu-west-1", "ap-southeast-2", "us-east-1"]
    assert calls == list(calls_of(lines, REGIONS, secrets))
    keyed = [call for call in calls if call.secret and call.is_key]
    assert {call.secret for call in keyed} <= set(secrets)
    assert 0.05 < len(keyed) / len(calls) < 0.5
    assert all(stage_of(call.secret or "") is None for call in calls if not call.is_key)


def test_a_mistyped_key_is_one_that_the_checksum_finds(keys: list[DemoKey]) -> None:
    for key in keys:
        wrong = mistyped(key.secret)
        assert sorted(wrong) == sorted(key.secret)
        assert stage_of(key.secret) == "local"
        assert stage_of(wrong) is None


def test_a_referer_arrives_with_its_bytes(regions: FakeRegions) -> None:
    lines = [
        LogLine(1, "192.0.2.1", b"https://b\xfccher.example/\xff"),
        LogLine(3, "192.0.2.1", b"http://a.example/" + b"x" * 4096),
    ]
    list(Sender(regions.urls).send(calls_of(lines, REGIONS, ["unused"])))
    assert sorted(call[2] or "" for call in regions.calls) == ["a.example", host_of("https://bücher.example/")]


def test_no_answers_at_all_end_it() -> None:
    lines = [LogLine(number, "192.0.2.1", None) for number in range(100)]
    with pytest.raises(NoAnswersError, match=r"20 calls got no answer; us-east-1: .*refused"):
        list(Sender({"us-east-1": "http://127.0.0.1:9"}).send(calls_of(lines, ["us-east-1"], ["unused"])))


def test_identifiers_of_one_side_only_are_differences() -> None:
    log = {("ip", "a"): Count(1, 0), ("ip", "b"): Count(2, 1)}
    tally = {("ip", "b"): Count(2, 1), ("key", "c"): Count(0, 1)}
    assert [str(difference) for difference in differences(log, tally)] == [
        "ip a: 1 admitted and 0 denied by the log, nothing in the tally",
        "key c: nothing by the log, 0 admitted and 1 denied in the tally",
    ]
    assert Comparison(log, log, differences(log, log)).matches


class FakeWorld:
    """As much of a World as the command asks for."""

    def __init__(self, regions: FakeRegions, config: Config, keys: list[DemoKey]) -> None:
        self.config = config
        self.port = 4566
        self.stopped = False
        self.notes = {"demo_keys": [asdict(key) for key in keys]}
        self.wait_until_caught_up = regions.wait_until_caught_up
        self.endpoints = {region: type("Endpoint", (), {"url": url}) for region, url in regions.urls.items()}
        self.aws = type("Aws", (), {"client": lambda *_: None})
        self.names = type("Names", (), {"tally_table": "tally"})

    def __enter__(self) -> "FakeWorld":
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped = True


def invoke(
    regions: FakeRegions, config: Config, keys: list[DemoKey], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[Result, FakeWorld]:
    world = FakeWorld(regions, config, keys)
    monkeypatch.setattr("tallygate.cli.demo.start", lambda *_, **__: (world, keys))
    monkeypatch.setattr("tallygate.cli.demo.WholeTally", lambda *_: regions)
    return CliRunner().invoke(main, ["demo", *arguments]), world


def test_the_command_exits_0_when_all_is_well_and_stops_the_world(
    regions: FakeRegions, config: Config, keys: list[DemoKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    result, world = invoke(regions, config, keys, monkeypatch, "--limit", "100")
    assert result.exit_code == 0, result.output
    assert world.stopped
    assert "counts in the tally equal the log's own" in result.stdout
    assert "✗" not in result.stdout


def test_json_has_it_all_and_nothing_else_is_on_standard_output(
    regions: FakeRegions, config: Config, keys: list[DemoKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    result, _ = invoke(regions, config, keys, monkeypatch, "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0, result.stderr
    assert (document["sent"], document["skipped"], document["matches"]) == (760, 5, True)
    assert document["skipped_lines"][0]["reason"] == "not in the combined format"
    assert set(document["answers"]) == set(REGIONS)
    assert sum(sum(counts.values()) for counts in document["answers"].values()) == 760
    assert set(document["counted"]) == {"ip", "ref", "key"}
    assert document["counted"]["ip"][SCRAPER]["admitted"] == 200
    assert sum(count["admitted"] + count["denied"] for count in document["counted"]["ip"].values()) == 760
    assert document["differences"] == []
    assert [claim["holds"] for claim in document["quotas"]] == [True] * 5
    assert {"ready", "sending", "catching up", "comparing", "quotas"} <= set(document["seconds"])


def test_the_command_exits_1_and_names_the_count_that_differs(
    regions: FakeRegions, config: Config, keys: list[DemoKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = regions.everything
    monkeypatch.setattr(
        regions, "everything", lambda: (item for item in everything() if item[:2] != ("ip", "203.0.113.80"))
    )
    result, world = invoke(regions, config, keys, monkeypatch)
    assert result.exit_code == 1
    assert world.stopped
    assert "1 counts in the tally are not the log's own" in result.stdout
    assert "ip 203.0.113.80: " in result.stdout
    assert "nothing in the tally" in result.stdout


def test_a_log_without_a_line_of_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n")
    result = CliRunner().invoke(main, ["demo", "--log", str(path)])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"Error: {path} has no line that can be sent:",
        "  line 1: not in the combined format: dear diary",
    ]
    path.write_text("")
    assert CliRunner().invoke(main, ["demo", "--log", str(path)]).stderr == f"Error: {path} has no lines\n"
    path.write_text('www.example.net - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n' * 9)
    *_, first, rest = CliRunner().invoke(main, ["demo", "--log", str(path)]).stderr.splitlines()
    assert first.startswith("  line 5: its client is not an IP address: www.example.net")
    assert rest == "  … and 4 more"


def test_a_log_that_is_not_there_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["demo", "--log", "/no/such.log"])
    assert result.exit_code == 2
    assert "'/no/such.log' does not exist" in result.stderr
