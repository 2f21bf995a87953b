"""What a run is said to have come to: against hand-made histories whose figures are plain to see."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tallygate.cli import main, simulate_traffic
from tallygate.core.decide import Checked, Decision
from tallygate.core.periods import DAY_MS
from tallygate.core.plans import Limit, Plan
from tallygate.sim.traffic.arrivals import Callers, Stretch, arrivals
from tallygate.sim.traffic.bound import bound_percent
from tallygate.sim.traffic.delays import TYPICAL, Delays
from tallygate.sim.traffic.hottest import Hottest
from tallygate.sim.traffic.report import percentile
from tallygate.sim.traffic.runs import Conditions, run
from tallygate.sim.traffic.scenarios import SCENARIOS, Scenario
from tallygate.sim.traffic.setup import START_MS, Setup, one_home
from tallygate.sim.traffic.truth import Tallied, Truth
from tallygate.sim.traffic.world import Call

DAY, SITE = Limit("ip", 10, "day"), Limit("ref", 100, "day")
PLAN = Plan("anonymous", (DAY, SITE), anonymous=True)
ADDRESS, OF_SITE = (("ip", "a"),), (("ip", "a"), ("ref", "s"))


def _decision(*refusing: Limit) -> Decision:
    checked = tuple(Checked(limit, 0, 1, 1, refuses=limit in refusing) for limit in (DAY, SITE))
    return Decision(checked, "quota" if refusing else None)


def tallied(*calls: tuple[int, tuple[tuple[str, str], ...], tuple[Limit, ...]]) -> Tallied:
    """Calls as (second, charge, the limits that refused it)."""
    truth = Truth(START_MS, ("ip", "a"), 1_000)
    for second, charge, refusing in calls:
        truth.add(Call(START_MS + second * 1000, "us-east-1", charge, PLAN), _decision(*refusing))  # type: ignore[arg-type]
    return truth.finish()


def admitted(times: int) -> list[tuple[int, tuple[tuple[str, str], ...], tuple[Limit, ...]]]:
    return [(second, ADDRESS, ()) for second in range(times)]


def test_a_quota_of_ten_of_which_thirteen_were_given_is_overshot_by_thirty_percent() -> None:
    done = tallied(*admitted(13), (20, ADDRESS, (DAY,)))
    assert (done.overshoot, done.unspent) == ([30.0], [0.0])
    assert done.enforced_ms == [3_000]  # the tenth came at 9 s, the last at 12 s


def test_what_was_refused_for_good_too_early_is_unspent() -> None:
    done = tallied(*admitted(9), (20, ADDRESS, (DAY,)), (21, ADDRESS, (DAY,)))
    assert (done.overshoot, done.unspent, done.enforced_ms) == ([0.0], [10.0], [])


def test_refusals_of_callers_under_90_percent_are_told_others_not() -> None:
    under = tallied(*admitted(7), (20, ADDRESS, (DAY,)))
    assert (under.under_offered, under.under_refused, under.under_windows_refused) == (8, 1, 1)
    at_90 = tallied(*admitted(8), (20, ADDRESS, (DAY,)))
    assert (at_90.under_offered, at_90.under_refused, at_90.overshoot) == (0, 0, [])


def test_a_refusal_is_that_of_the_limit_that_refused() -> None:
    done = tallied(*[(second, OF_SITE, (SITE,)) for second in range(50)])
    assert (done.windows, done.under_offered, done.under_refused) == (2, 50, 50)  # the site's; the address offered none


def test_windows_end_at_midnight() -> None:
    night = DAY_MS // 2000
    done = tallied(*admitted(12), *[(night + second, ADDRESS, ()) for second in range(11)])
    assert sorted(done.overshoot) == [10.0, 20.0]


def test_percentiles_are_values_that_occurred() -> None:
    assert [percentile([5, 1, 9, 7], percent) for percent in (0, 25, 50, 51, 99)] == [1, 1, 5, 7, 9]
    assert percentile([], 50) == 0


def test_the_hottest_is_within_one_interval() -> None:
    hottest = Hottest(1_000)
    for at_ms, key in ((0, "a"), (500, "b"), (999, "b"), (1_000, "a"), (1_001, "a"), (2_500, "a")):
        hottest.add(key, at_ms)
    assert (hottest.key, hottest.times) == ("b", 2)


# --- arrivals ---


def callers(*shape: Stretch, count: int = 1, zipf: bool = False, pinned: bool = False) -> Callers:
    return Callers("c", "ip", PLAN, shape, ("us-east-1", "eu-west-1"), count, zipf, pinned)


def test_calls_come_by_chance_at_the_rates_of_the_shape() -> None:
    group = callers(Stretch(100, 20), Stretch(50, 0), Stretch(100, 0, 40), count=2)
    at_s = [(call.at_ms - START_MS) / 1000 for call in arrivals([group], START_MS, 1)]
    assert at_s == sorted(at_s)
    assert len(at_s) == pytest.approx(group.calls, rel=0.05)
    assert sum(second < 100 for second in at_s) == pytest.approx(2_000, rel=0.07)
    assert not [second for second in at_s if 100 <= second < 150]
    assert sum(second > 200 for second in at_s) == pytest.approx(1_500, rel=0.08)


def test_zipf_gives_the_first_of_all_the_most() -> None:
    calls = list(arrivals([callers(Stretch(2_000, 10), count=100, zipf=True, pinned=True)], START_MS, 1))
    times = [sum(call.charge == (("ip", f"c-{number}"),) for call in calls) for number in (0, 1, 9)]
    of_all = len(calls) / sum(1 / rank for rank in range(1, 101))
    assert times == [pytest.approx(of_all / rank, rel=0.12) for rank in (1, 2, 10)]
    assert {call.region for call in calls if call.charge[0][1] == "c-0"} == {"us-east-1"}


def test_groups_mix_in_the_order_of_time_each_with_chances_of_its_own() -> None:
    first, second = callers(Stretch(10, 30)), replace(callers(Stretch(10, 30)), name="d")
    both = list(arrivals([first, second], START_MS, 1))
    assert [call.at_ms for call in both] == sorted(call.at_ms for call in both)
    assert [call for call in both if call.charge[0][1] == "c-0"] == list(arrivals([first], START_MS, 1))


# --- the plain bound ---


def bound(*shape: Stretch, delays: Delays = TYPICAL) -> float | None:
    plan = Plan("p", (Limit("ip", 10_000, "day"),))
    return bound_percent([Callers("c", "ip", plan, shape, ("us-east-1",))], Setup(one_home(1), delays=delays))


def test_the_bound_of_a_steady_caller_is_chance_and_a_mark() -> None:
    assert bound(Stretch(200, 100)) == pytest.approx(1 + 6 * (100 * 16) ** 0.5 / 100)


def test_the_bound_of_a_step_is_the_step_times_the_longest_delay() -> None:
    chance = 6 * (500 * 16) ** 0.5 / 100
    assert bound(Stretch(100, 0), Stretch(40, 500)) == pytest.approx(80 + 1 + chance)


def test_who_reaches_no_quota_cannot_pass_it() -> None:
    assert bound(Stretch(90, 100)) == 0


def test_there_is_no_bound_where_a_home_is_lost() -> None:
    home_lost, storm = SCENARIOS["home-lost"], SCENARIOS["replay-storm"]
    assert bound_percent(home_lost.callers, home_lost.setup) is None
    assert bound_percent(storm.callers, storm.setup) == bound_percent(
        SCENARIOS["steady"].callers, SCENARIOS["steady"].setup
    )


# --- runs ---

SMALL = Scenario(
    "small",
    "for tests",
    (
        Callers("over", "ip", Plan("p", (Limit("ip", 500, "day"),)), (Stretch(60, 20),), ("us-east-1", "eu-west-1")),
        Callers("under", "ip", Plan("p", (Limit("ip", 500, "day"),)), (Stretch(60, 6),), ("us-east-1", "eu-west-1")),
    ),
    ("ip", "over-0"),
    Setup(one_home(2)),
)


def test_a_run_is_its_seed() -> None:
    first, again = (run(SMALL, Conditions(3)).document() for _ in range(2))
    del first["calls_per_second"], again["calls_per_second"]
    assert first == again
    assert run(SMALL, Conditions(4)).document()["calls"] != first["calls"]


def test_the_naive_counter_overshoots_by_rate_times_delay_and_writes_at_every_flush() -> None:
    naive = run(SMALL, Conditions(3, naive=True)).document()
    ours = run(SMALL, Conditions(3)).document()
    assert naive["calls"] == ours["calls"]
    assert naive["overshoot_percent"] == pytest.approx(20 * TYPICAL.mean_ms / 1000 / 500 * 100, rel=0.35)
    assert ours["overshoot_percent"] < naive["overshoot_percent"] / 2
    assert naive["reads"] >= naive["calls"] > ours["reads"]
    assert naive["replicated_writes"] > ours["replicated_writes"] > 0
    for document in (ours, naive):
        assert document["callers_over_quota"] == 1
        assert document["refused_under_90_calls"] == 0


def test_a_run_stops_after_so_many_calls_and_says_how_far_it_is() -> None:
    heard: list[int] = []
    figures = run(SMALL, Conditions(3, calls=700), heard.append)
    assert (figures.calls, sum(heard)) == (700, 700)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_begins_as_it_says(name: str) -> None:
    scenario = SCENARIOS[name]
    document = run(scenario, Conditions(0, calls=2_000)).document()
    assert document["calls"] == 2_000
    assert scenario.watched_quota > 0


@pytest.mark.parametrize("name", sorted(SCENARIOS.keys() - {"day-border", "month-border"}))
def test_callers_named_over_offer_more_than_their_quota_and_those_named_under_less_than_90_percent(name: str) -> None:
    """A border cuts what callers offer in two."""
    for group in SCENARIOS[name].groups(aggregated=name == "ten-regions"):
        [quota] = [limit.quota for limit in group.plan.limits if limit.per == group.kind]
        if group.name.startswith("over-"):
            assert group.calls / group.count > quota * 1.2
        elif group.name.startswith("under-"):
            assert group.calls / group.count < quota * 0.88


# --- the command ---


def _wait_long_beside(name: str, _conditions: Conditions) -> None:
    threading.Event().wait(30)
    Path(name).touch()


def test_who_interrupts_does_not_wait_for_the_run_beside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate_traffic, "_run_naive", _wait_long_beside)
    monkeypatch.setattr(simulate_traffic, "run", interrupted)
    waited = tmp_path / "waited"
    with pytest.raises(KeyboardInterrupt):
        simulate_traffic._both(replace(SMALL, name=str(waited)), Conditions(3))
    assert not waited.exists()


def test_the_command_tells_both_as_json() -> None:
    command = "simulate traffic --scenario small-quota --calls 3000 --seed 5 --json"
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["scenario"], document["seed"], document["delays"]) == ("small-quota", 5, "typical")
    for who in ("ours", "naive"):
        assert document[who]["calls"] == 3_000
        assert {"overshoot_percent", "unspent_percent", "refused_under_90_percent"} <= document[who].keys()


def test_the_command_shows_a_table_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "runs.svg"
    command = f"simulate traffic --scenario steady --scenario ramp --calls 2000 --plot {picture}"
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 0
    assert "steady: 100 calls/s, quota 10,000 a day" in result.stdout
    assert "overshoot, % of quota" in result.stdout
    drawn = picture.read_text()
    assert "<svg" in drawn
    assert all(words in drawn for words in ("steady: over-steady-0", "ramp: over-ramp-0", "quota 10,000"))


@pytest.mark.parametrize(
    "arguments",
    [
        "--scenario nonsense",
        "",
        "--scenario steady --calls 0",
        "--scenario steady --plot x.txt",
        "--scenario steady --plot /no/such/place/x.svg",
        "--delays slow",
    ],
)
def test_nonsense_is_a_usage_error(arguments: str) -> None:
    assert CliRunner().invoke(main, f"simulate traffic {arguments}".split()).exit_code == 2
