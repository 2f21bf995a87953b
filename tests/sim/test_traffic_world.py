"""The world of the traffic simulator: what is late, lost or repeated in it, and that nothing else is."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from tallygate.core.names import pk_of
from tallygate.core.plans import Limit, Plan
from tallygate.core.tally import ItemKey
from tallygate.sim.traffic.delays import BAD, TYPICAL, Delays
from tallygate.sim.traffic.setup import (
    REGIONS,
    START_MS,
    Fault,
    HomeLost,
    Partitioned,
    RegionLost,
    Setup,
    one_home,
)
from tallygate.sim.traffic.world import Call, World
from tests.sim.traffic_faults import FAULTS, HOME, IRELAND, SYDNEY

MINUTE_MS = 60_000


def plan(quota: int) -> Plan:
    return Plan("anonymous", (Limit("ip", quota, "day"),), anonymous=True)


def setup(*faults: Fault, **changes: object) -> Setup:
    return replace(Setup(one_home(3), faults=faults), **changes)  # type: ignore[arg-type]


def addresses(seconds: int, per_second: int, regions: Sequence[str] = REGIONS[:3], quota: int = 1_000) -> list[Call]:
    """Calls of twenty addresses, evenly over time."""
    rng, step_ms = Random(5), 1000 // per_second
    return [
        Call(START_MS + ms, rng.choice(regions), (("ip", f"203.0.113.{rng.randrange(20)}"),), plan(quota))
        for ms in range(0, seconds * 1000, step_ms)
    ]


def run(world: World, calls: Sequence[Call]) -> dict[str, int]:
    """Units admitted, by address."""
    admitted: dict[str, int] = {}
    for call in calls:
        admitted[call.charge[0][1]] = admitted.get(call.charge[0][1], 0) + world.call(call).allowed
    return admitted


def counted(world: World, home: str = HOME) -> dict[str, int]:
    items = world.homes[home].tally.items
    return {key.pk.removeprefix("ip#"): item.charged for key, item in items.items() if key.pk.startswith("ip#")}


def test_the_same_seed_is_the_same_world() -> None:
    calls = addresses(60, 20, quota=40)
    first, again, other = (World(setup(), seed) for seed in (1, 1, 2))
    assert run(first, calls) == run(again, calls)
    assert first.homes[HOME].tally.items == again.homes[HOME].tally.items
    run(other, calls)
    assert other.homes[HOME].tally.items != first.homes[HOME].tally.items


def test_the_clock_does_not_go_back() -> None:
    world = World(setup(), 0)
    world.call(Call(START_MS + 10, HOME, (("ip", "203.0.113.7"),), plan(10)))
    with pytest.raises(ValueError, match="does not go back"):
        world.call(Call(START_MS + 9, HOME, (("ip", "203.0.113.7"),), plan(10)))


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("naive", [False, True])
def test_what_was_admitted_is_what_is_counted_whatever_went_wrong(name: str, naive: bool) -> None:
    world = World(setup(*FAULTS[name], shards=3, naive=naive), 3)
    calls = addresses(60, 30, quota=60)
    admitted = run(world, calls)
    world.finish(START_MS + 5 * MINUTE_MS)
    assert counted(world) == admitted
    assert world.homes[HOME].lines == len(calls) or name == "a replay storm"
    assert (world.homes[HOME].tally.repeats > 0) == (name == "a replay storm")


def test_two_homes_count_what_their_regions_admitted() -> None:
    homes = {HOME: HOME, IRELAND: IRELAND, SYDNEY: HOME}
    world = World(setup(home_of=homes), 3)
    admitted = run(world, addresses(60, 30, quota=60))
    world.finish(START_MS + 5 * MINUTE_MS)
    both = [counted(world, home) for home in (HOME, IRELAND)]
    assert {ip: sum(counts.get(ip, 0) for counts in both) for ip in admitted} == admitted


def _published_ms(world: World, region: str, until_ms: int) -> int | None:
    """When `region` first reads a count of the address that called at the start."""
    for at_ms in range(START_MS, until_ms, 100):
        world.finish(max(at_ms, world.now_ms))
        if (
            world.gates[region]
            .read([pk_of("ip", "203.0.113.7")], plans=False, now_ms=at_ms)
            .partitions[pk_of("ip", "203.0.113.7")]
            .homes
        ):
            return at_ms - START_MS
    return None


def test_a_count_takes_delivery_flush_and_replication() -> None:
    fixed = Delays("fixed", least_ms=3_000, most_ms=4_000, collect_ms=1_000, flush_ms=5_000, replication_ms=2_000)
    for region, late_ms in ((HOME, 9_000), (IRELAND, 11_000)):
        world = World(setup(delays=fixed), 0)
        world.call(Call(START_MS, IRELAND, (("ip", "203.0.113.7"),), plan(4)))
        assert _published_ms(world, region, START_MS + MINUTE_MS) == late_ms


def test_a_partition_holds_publications_back_and_brings_them_at_its_end() -> None:
    cut = Partitioned(SYDNEY, START_MS + 1_000, START_MS + 30_000)
    seen = []
    for region in (HOME, IRELAND, SYDNEY):
        world = World(setup(cut), 0)
        world.call(Call(START_MS, IRELAND, (("ip", "203.0.113.7"),), plan(4)))
        seen.append(_published_ms(world, region, START_MS + MINUTE_MS))
    at_home, elsewhere, cut_off = seen
    assert at_home is not None
    assert elsewhere == at_home + 1_000
    assert cut_off == 30_000


def test_a_home_that_is_cut_off_is_heard_by_itself_only() -> None:
    cut = Partitioned(HOME, START_MS + 1_000, START_MS + 30_000)
    world = World(setup(cut), 0)
    world.call(Call(START_MS, IRELAND, (("ip", "203.0.113.7"),), plan(4)))
    assert _published_ms(world, HOME, START_MS + 20_000) is not None
    world = World(setup(cut), 0)
    world.call(Call(START_MS, IRELAND, (("ip", "203.0.113.7"),), plan(4)))
    assert _published_ms(world, IRELAND, START_MS + MINUTE_MS) == 31_000


def test_nothing_is_counted_while_a_home_is_lost() -> None:
    world = World(setup(HomeLost(HOME, START_MS, START_MS + 10 * MINUTE_MS)), 0)
    run(world, addresses(60, 30))
    world.finish(START_MS + 10 * MINUTE_MS - 1)
    assert world.homes[HOME].tally.items == {}


def test_callers_of_a_lost_region_are_served_by_the_next() -> None:
    world = World(setup(RegionLost(IRELAND, START_MS, START_MS + MINUTE_MS)), 0)
    run(world, addresses(30, 30, [IRELAND]))
    assert world.containers[IRELAND].started == 0
    assert world.containers[SYDNEY].started > 0
    world.finish(START_MS + MINUTE_MS)
    world.call(Call(START_MS + MINUTE_MS, IRELAND, (("ip", "203.0.113.7"),), plan(10)))
    assert world.containers[IRELAND].started == 1


def test_a_container_serves_one_call_at_a_time_and_is_gone_when_idle_for_minutes() -> None:
    world = World(setup(), 0)
    for at_ms, started in ((0, 1), (0, 2), (5, 3), (100, 3), (200_000, 3), (600_000, 4)):
        world.call(Call(START_MS + at_ms, HOME, (("ip", "203.0.113.7"),), plan(100)))
        assert world.containers[HOME].started == started


def test_a_keyed_call_is_charged_to_its_key_alone() -> None:
    world = World(setup(), 0)
    world.call(Call(START_MS, HOME, (("key", "9f2c"),), Plan("pro", (Limit("key", 10, "month"),)), units=3))
    world.finish(START_MS + MINUTE_MS)
    items = world.homes[HOME].tally.items
    assert items[ItemKey("key#9f2c", "month#2026-11")].charged == 3
    assert items[ItemKey("ip#192.0.2.1", "month#2026-11")].charged == 0


@pytest.mark.parametrize("delays", [TYPICAL, BAD])
def test_delays_are_what_they_say(delays: Delays) -> None:
    rng = Random(0)
    drawn = [delays.delivery_ms(rng) for _ in range(20_000)]
    last_line, first_line = min(drawn), max(drawn) + delays.collect_ms
    assert delays.least_ms <= last_line < delays.least_ms + 50
    latest_ms = delays.latest_ms if delays.late_percent else delays.most_ms
    assert latest_ms - 200 < first_line <= latest_ms
    late = sum(ms + delays.collect_ms > delays.most_ms for ms in drawn) / len(drawn)
    assert late == pytest.approx(delays.late_percent / 100, abs=0.01)
