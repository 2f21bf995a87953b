"""Calls simulated many at a time come to what they come to one by one."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from tallygate.core.plans import Limit, Plan
from tallygate.sim.traffic.arrivals import Callers, Stretch, ticks
from tallygate.sim.traffic.cells import Cells
from tallygate.sim.traffic.chance import binomial, poisson
from tallygate.sim.traffic.cohorts import Cohorts, losses
from tallygate.sim.traffic.replicas import RegionGate, Replicas
from tallygate.sim.traffic.report import mean
from tallygate.sim.traffic.runs import Conditions, run
from tallygate.sim.traffic.scenarios import SCENARIOS, Scenario
from tallygate.sim.traffic.setup import (
    REGIONS,
    START_MS,
    Setup,
    one_home,
)
from tests.sim.traffic_faults import FAULTS, HOME, IRELAND


def spread(name: str, *shape: Stretch, quotas: range) -> Scenario:
    """Callers alike, who come to their quotas at many moments: so chance means little for all of them together."""
    groups = tuple(
        Callers(f"over-{quota}", "ip", Plan(f"p{quota}", (Limit("ip", quota, "day"),)), shape, REGIONS[:3])
        for quota in quotas
    )
    return Scenario(name, "for tests", groups, ("ip", f"over-{quotas[0]}-0"), Setup(one_home(3)))


EVEN = spread("even", Stretch(90, 40), quotas=range(1_000, 2_600, 200))
RAMP = spread("ramp", Stretch(90, 0, 80), quotas=range(1_000, 2_600, 200))
BURST = spread("burst", Stretch(60, 2), Stretch(25, 150), quotas=range(1_000, 2_600, 200))
TOLERANCE_PERCENT = 4.0
"""Of quota: with so few callers chance alone moves the mean by that."""


@pytest.mark.parametrize("naive", [False, True])
@pytest.mark.parametrize("scenario", [EVEN, RAMP, BURST], ids=lambda scenario: scenario.name)
def test_both_ways_agree(scenario: Scenario, naive: bool) -> None:
    figures = [run(scenario, Conditions(1, naive=naive, aggregated=aggregated)) for aggregated in (False, True)]
    one_by_one, aggregated = (each.document() for each in figures)
    for document in (one_by_one, aggregated):
        assert document["callers_over_quota"] == 8
        assert document["unspent_mean_percent"] < 1.5
    assert aggregated["calls"] == pytest.approx(one_by_one["calls"], rel=0.02)
    assert aggregated["overshoot_mean_percent"] == pytest.approx(
        one_by_one["overshoot_mean_percent"], abs=TOLERANCE_PERCENT, rel=0.15
    )
    assert aggregated["admitted"] == pytest.approx(one_by_one["admitted"], rel=0.04)
    for cost in ("replicated_writes", "tally_writes", "reads"):
        assert aggregated[cost] == pytest.approx(one_by_one[cost], rel=0.2)


@pytest.mark.parametrize("name", FAULTS)
def test_what_was_admitted_and_refused_is_what_is_counted_whatever_went_wrong(name: str) -> None:
    world = Cells(Setup(one_home(3), faults=FAULTS[name], shards=3), 1, 1_000)
    admitted: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for at_ms, cells in ticks(EVEN.callers, START_MS, 1_000, 1):
        for cell, came in zip(cells, world.tick(at_ms, cells), strict=True):
            assert came.admitted + came.refused == cell.calls
            admitted[cell.call.charge[0][1]] += came.admitted
            refused[cell.call.charge[0][1]] += came.refused
    world.finish(world.now_ms + 60_000)
    items = {key.pk.removeprefix("ip#"): item for key, item in world.homes[HOME].tally.items.items()}
    assert {name: items[name].charged for name in admitted} == admitted
    assert {name: items[name].denied for name in refused} == refused
    assert refused.total() > 5_000


def test_the_same_seed_is_the_same_run() -> None:
    first, again = (run(BURST, Conditions(2, aggregated=True)).document() for _ in range(2))
    del first["calls_per_second"], again["calls_per_second"]
    assert first == again


def test_a_call_of_several_units_uses_them_all() -> None:
    world = Cells(Setup(one_home(1)), 1, 1_000)
    callers = replace(EVEN.callers[0], regions=(HOME,))
    [[at_ms, cells]] = list(ticks([replace(callers, shape=(Stretch(1, 40),))], START_MS, 1_000, 1))
    [cell] = [cell._replace(call=cell.call._replace(units=3)) for cell in cells]
    assert world.tick(at_ms, [cell])[0].admitted == 3 * cell.calls


def test_a_tick_has_as_many_calls_as_the_shape_says() -> None:
    shape = (Stretch(10.5, 100), Stretch(10, 0), Stretch(19.5, 0, 200))
    group = Callers("c", "ip", EVEN.callers[0].plan, shape, REGIONS[:2], count=3)
    by_tick = [(at_ms, sum(cell.calls for cell in cells)) for at_ms, cells in ticks([group], START_MS, 1_000, 1)]
    assert [at_ms for at_ms, _ in by_tick] == [START_MS + 500 + 1_000 * tick for tick in range(40)]
    assert sum(calls for _, calls in by_tick[:11]) == pytest.approx(1_050, rel=0.1)
    assert sum(calls for _, calls in by_tick[11:20]) == 0
    assert sum(calls for _, calls in by_tick) == pytest.approx(group.calls, rel=0.06)


def test_few_calls_of_many_callers_are_cells_of_those_who_called() -> None:
    group = Callers(
        "c", "ip", EVEN.callers[0].plan, (Stretch(60, 10),), REGIONS[:3], count=1_000, zipf=True, pinned=True
    )
    cells = [cell for _, cells in ticks([group], START_MS, 5_000, 1) for cell in cells]
    assert sum(cell.calls for cell in cells) == pytest.approx(600, rel=0.15)
    assert all(cell.calls > 0 for cell in cells)
    assert {cell.call.region for cell in cells if cell.call.charge == (("ip", "c-4"),)} == {IRELAND}


@pytest.mark.parametrize("expected", [0.5, 12.0, 400.0])
def test_numbers_by_poissons_law_have_its_mean_and_its_variance(expected: float) -> None:
    rng = Random(1)
    drawn = [poisson(expected, rng) for _ in range(4_000)]
    assert mean(drawn) == pytest.approx(expected, rel=0.05)
    assert mean([(number - expected) ** 2 for number in drawn]) == pytest.approx(expected, rel=0.1)


def test_ten_regions_at_ten_thousand_calls_a_second_are_simulated() -> None:
    figures = run(SCENARIOS["ten-regions"], Conditions(0, aggregated=True, calls=3_000_000))
    assert figures.calls >= 3_000_000
    assert figures.costs.containers >= 10 * 150
    assert figures.tallied.under_refused == 0


# --- the containers of a region ---


def _cohorts() -> Cohorts:
    return Cohorts(RegionGate(Replicas(1_000), HOME), HOME)


def test_calls_that_find_all_servers_busy_are_what_erlang_says() -> None:
    assert losses(10.0)[10] == pytest.approx(0.2146, abs=1e-4)  # of 10 erlangs at 10 servers 21.46 % are lost
    assert losses(0.5)[:3] == [1.0, pytest.approx(1 / 3), pytest.approx(1 / 13)]


def test_cohorts_share_all_calls_the_first_most() -> None:
    cohorts = _cohorts()
    cohorts.serve(3.2, 0)
    shares = [cohort.share / cohort.containers for cohort in cohorts.serving]
    assert sum(cohort.share for cohort in cohorts.serving) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)
    assert cohorts.started == len(losses(3.2)) - 1


def test_a_region_that_grows_gets_a_cohort_more_and_one_that_is_idle_for_minutes_loses_it() -> None:
    cohorts = _cohorts()
    cohorts.serve(30, 0)
    few, there = len(cohorts.serving), cohorts.started
    cohorts.serve(60, 1_000)
    assert len(cohorts.serving) == few + 1
    cohorts.serve(30, 2_000)
    assert len(cohorts.serving) == few
    cohorts.serve(30, 600_000)
    cohorts.serve(60, 601_000)
    assert cohorts.started > 2 * there  # those that came for the growth are gone, and others come


def test_chance_alone_starts_no_containers() -> None:
    cohorts, rng = _cohorts(), Random(2)
    for tick in range(100):
        cohorts.serve(poisson(10_000, rng) * 0.015, tick * 1_000)
    assert len(cohorts.serving) <= 4


@pytest.mark.parametrize(("times", "chance"), [(9, 0.3), (400, 0.05), (10_000, 1.0)])
def test_a_binomial_number_has_its_mean_and_never_more_than_all(times: int, chance: float) -> None:
    rng = Random(1)
    drawn = [binomial(times, chance, rng) for _ in range(4_000)]
    assert mean(drawn) == pytest.approx(times * chance, rel=0.05)
    assert 0 <= min(drawn) <= max(drawn) <= times
