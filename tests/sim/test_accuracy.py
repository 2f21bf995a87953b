"""How exactly quotas are held, with typical delays: what docs/accuracy.md promises, on the traffic simulator.

Fewer callers of each kind than the scenarios have, so that it takes seconds; `python -m benchmarks.accuracy scenarios`
runs them whole.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tallygate.sim.traffic.arrivals import Callers, Stretch
from tallygate.sim.traffic.bound import bound_percent
from tallygate.sim.traffic.runs import Conditions, run
from tallygate.sim.traffic.scenarios import SCENARIOS, Scenario

SEED = 1


def alone(callers: Callers) -> Callers:
    """One of `callers`, who calls as each of them does."""

    def of_one(part: Stretch) -> Stretch:
        to_rate = None if part.to_rate is None else part.to_rate / callers.count
        return Stretch(part.seconds, part.rate / callers.count, to_rate)

    return replace(callers, count=1, shape=tuple(map(of_one, callers.shape)))


SLOW = ("over-month",)
"""Callers whose tens of thousands of calls say nothing that others do not."""


def smaller(name: str) -> Scenario:
    scenario = SCENARIOS[name]
    callers = (alone(callers) for callers in scenario.callers if callers.name not in SLOW)
    return replace(scenario, callers=tuple(callers))


@cache
def figures(name: str, *, naive: bool = False) -> dict[str, Any]:
    return run(smaller(name), Conditions(SEED, naive=naive)).document()


@pytest.mark.parametrize(("name", "most"), [("steady", 1.0), ("ramp", 3.0), ("replay-storm", 2.0)])
def test_overshoot_is_small_where_rates_change_slowly(name: str, most: float) -> None:
    assert figures(name)["callers_over_quota"] > 0
    assert figures(name)["overshoot_percent"] <= most


def test_bursts_overshoot_at_least_three_times_less_than_naive() -> None:
    naive = figures("on-off", naive=True)["overshoot_percent"]
    assert naive > 5
    assert figures("on-off")["overshoot_percent"] * 3 <= naive


@pytest.mark.parametrize("name", ["steady", "ramp", "on-off", "step-burst", "day-border", "small-quota"])
def test_what_is_paid_for_is_given(name: str) -> None:
    assert figures(name)["unspent_percent"] <= 1


@pytest.mark.parametrize(
    "name", ["steady", "ramp", "on-off", "step-burst", "day-border", "small-quota", "replay-storm", "just-under"]
)
def test_who_offers_less_than_ninety_percent_is_never_refused(name: str) -> None:
    assert figures(name)["callers"] > figures(name)["callers_over_quota"]
    assert figures(name)["refused_under_90_calls"] == 0


@pytest.mark.parametrize("name", ["steady", "ramp", "step-burst", "day-border", "replay-storm"])
def test_overshoot_keeps_to_the_plain_bound(name: str) -> None:
    bound = bound_percent(smaller(name).callers, SCENARIOS[name].setup)
    assert bound is not None
    assert figures(name)["overshoot_percent"] <= bound


def test_a_botnet_overshoots_a_site_by_no_more_than_the_plain_bound() -> None:
    scenario = SCENARIOS["botnet"]
    bots = tuple(callers for callers in scenario.callers if callers.name == "under-bot")
    botnet = replace(scenario, callers=bots)
    bound = bound_percent(bots, scenario.setup)
    assert bound is not None
    assert 0 < run(botnet, Conditions(SEED, calls=45_000)).document()["overshoot_percent"] <= bound


def test_marks_need_a_fiftieth_of_the_writes_of_publishing_each_flush() -> None:
    scenario, calls = SCENARIOS["zipf"], 30_000
    ours, naive = (run(scenario, Conditions(SEED, naive=naive, calls=calls)).document() for naive in (False, True))
    assert ours["calls"] == calls
    assert ours["replicated_writes"] * 50 <= naive["replicated_writes"]
