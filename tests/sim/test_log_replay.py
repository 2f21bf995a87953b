"""Holding a log to a plan: exact counts are those of the core, delayed ones lose nothing by following only who is near
a quota, and whatever the number of callers, memory is bounded and figures are the same."""

import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallygate.access_log.entry import Entry
from tallygate.core.decide import Checked, Decision, Request, decide
from tallygate.core.names import Kind
from tallygate.core.periods import DAY_MS, HOUR_MS, MINUTE_MS, day_of, hour_of, window_bounds_ms
from tallygate.core.plans import WINDOWS, Limit, Plan
from tallygate.core.usage import HomeUsage, Usage
from tallygate.sim.replay import delayed as delayed_module
from tallygate.sim.replay import replay as replay_module
from tallygate.sim.replay.callers import Callers
from tallygate.sim.replay.charging import Charge, Charging, region_of
from tallygate.sim.replay.delayed import Delayed, Used
from tallygate.sim.replay.findings import PlanFindings, steps
from tallygate.sim.replay.plans import PlanError, limit_of, per_address, tried_plan
from tallygate.sim.replay.quotas import Spread
from tallygate.sim.replay.replay import Replay
from tallygate.sim.traffic.setup import Setup

START_MS = 1_795_996_800_000 - 3 * HOUR_MS  # three hours before the end of November
HOME = "us-east-1"
BUECHER = "xn--bcher-kva.example"
SETUP = Setup({HOME: HOME}, start_ms=0)


def anonymous(*limits: Limit) -> Plan:
    return Plan("anonymous", limits, anonymous=True)


def ip(value: str) -> Charge:
    return (("ip", value),)


# --- who pays ---


def entry(client: str, referer: bytes | None = None, origin: bytes | None = None, key: str | None = None) -> Entry:
    return Entry(1, START_MS, client, referer, origin, key)


@pytest.mark.parametrize(
    ("found", "charge"),
    [
        (entry("203.0.113.7"), ip("203.0.113.7")),
        (entry("2001:db8:1:2:3::4"), ip("2001:db8:1:2::/64")),
        (entry("::ffff:203.0.113.7"), ip("203.0.113.7")),
        (entry("203.0.113.7", b"https://SHOP.example/a"), (*ip("203.0.113.7"), ("ref", "shop.example"))),
        (
            entry("203.0.113.7", b"https://b\xc3\xbccher.example"),
            (*ip("203.0.113.7"), ("ref", "xn--bcher-kva.example")),
        ),
        (entry("203.0.113.7", b"https://a.example/", b"https://b.example"), (*ip("203.0.113.7"), ("ref", "b.example"))),
        (entry("203.0.113.7", b"http://localhost/"), ip("203.0.113.7")),
        (entry("203.0.113.7", b'"><script>alert(1)</script>'), ip("203.0.113.7")),
        (
            entry("203.0.113.7", b"http://" + b"x" * 600 + b"@shop.example/"),
            (*ip("203.0.113.7"), ("ref", "shop.example")),
        ),
        (entry("203.0.113.7", key="acme"), None),
    ],
)
def test_calls_are_charged_as_by_the_authorizer(found: Entry, charge: Charge | None) -> None:
    assert Charging(keyed=False).charge(found) == charge


def test_a_plan_for_keys_charges_keys_or_addresses_in_their_place() -> None:
    assert Charging(keyed=True).charge(entry("203.0.113.7", key="acme")) == (("key", "acme"),)
    assert Charging(keyed=True).charge(entry("203.0.113.7")) is None
    assert Charging(keyed=True, per_ip=True).charge(entry("203.0.113.7", key="acme")) == ip("203.0.113.7")


def test_a_caller_is_always_served_in_the_same_region() -> None:
    regions = ("us-east-1", "eu-west-1", "ap-southeast-2")
    served = Counter(region_of(f"198.51.100.{number}", regions) for number in range(250))
    assert set(served) == set(regions)
    assert min(served.values()) > 60
    assert {region_of("198.51.100.9", regions) for _ in range(5)} == {region_of("198.51.100.9", regions)}


# --- exact counts ---


def usage_of(charged: dict[tuple[str, int], int], limits: Sequence[Limit], at_ms: int) -> Usage:
    """What a home would publish that counts at once: rows of this and the last month and hour."""
    rows = []
    this_month, this_hour = window_bounds_ms("month", at_ms)[0], window_bounds_ms("hour", at_ms)[0]
    for month_ms in (this_month, window_bounds_ms("month", this_month - 1)[0]):
        days = {
            day_of(start_ms).number: units
            for (window, start_ms), units in charged.items()
            if window == "day" and day_of(start_ms).month_start_ms == month_ms
        }
        month = day_of(month_ms).month
        rows.append(HomeUsage(HOME, month, charged=charged.get(("month", month_ms), 0), days=days, at_ms=at_ms))
    for hour_ms in (this_hour, this_hour - HOUR_MS):
        units = charged.get(("hour", hour_ms), 0)
        rows.append(HomeUsage(HOME, "", charged=units, at_ms=at_ms, hour=hour_of(hour_ms)))
    return Usage(tuple(rows))


LIMITS = st.lists(
    st.builds(Limit, st.just("ip"), st.integers(1, 12), st.sampled_from(("hour", "day", "month"))),
    min_size=1,
    max_size=3,
    unique_by=lambda limit: limit.name,
)
TIMES = st.lists(st.integers(0, 3 * DAY_MS), min_size=1, max_size=60).map(sorted)


@settings(max_examples=150)
@given(LIMITS, TIMES)
def test_exact_counts_decide_as_the_core_does_when_it_knows_all(limits: list[Limit], times: list[int]) -> None:
    plan = anonymous(*limits)
    replay = Replay(plan, None)
    charged: dict[tuple[str, int], int] = defaultdict(int)
    for after_ms in times:
        at_ms = START_MS + after_ms
        core = decide(Request("a", HOME, 1, ("ip",)), {"ip": usage_of(charged, limits, at_ms)}, plan, at_ms)
        assert replay.call(at_ms, HOME, ip("192.0.2.1")) == core.allowed
        if core.allowed:
            for window in WINDOWS:
                charged[window, window_bounds_ms(window, at_ms)[0]] += 1


def test_a_call_over_one_quota_uses_up_no_other() -> None:
    replay = Replay(anonymous(Limit("ip", 2, "day"), Limit("ref", 3, "day")), None)
    both: Charge = (("ip", "192.0.2.1"), ("ref", "shop.example"))
    assert [replay.call(START_MS, HOME, both) for _ in range(5)] == [True, True, False, False, False]
    other: Charge = (("ip", "192.0.2.2"), ("ref", "shop.example"))
    assert [replay.call(START_MS, HOME, other) for _ in range(3)] == [True, False, False]
    found = replay.findings(5)
    assert [(each.limit.name, each.refused, each.callers_refused) for each in found.limits] == [
        ("ip-day", 3, 1),
        ("ref-day", 2, 1),
    ]
    assert [(each.value, each.calls, each.refused) for each in found.top] == [
        ("192.0.2.1", 5, 3),
        ("shop.example", 8, 2),
    ]


def test_minutes_and_soft_limits_are_counted_and_soft_ones_refuse_nobody() -> None:
    replay = Replay(anonymous(Limit("ip", 2, "minute"), Limit("ip", 3, "day", soft=True)), None)
    answers = [replay.call(START_MS + at_ms, HOME, ip("192.0.2.1")) for at_ms in (0, 1, 2, MINUTE_MS, MINUTE_MS + 1)]
    assert answers == [True, True, False, True, True]
    hard, soft = replay.findings(1).limits
    assert (hard.refused, hard.over, soft.refused, soft.over, soft.worst) == (1, 0, 0, 1, 1)


def test_a_rolling_limit_weighs_in_the_window_before() -> None:
    replay = Replay(anonymous(Limit("ip", 4, "hour", rolling=True)), None)
    for at_ms in (HOUR_MS - 4, HOUR_MS - 3, HOUR_MS - 2, HOUR_MS - 1):
        assert replay.call(START_MS + at_ms, HOME, ip("192.0.2.1"))
    after = [
        replay.call(START_MS + HOUR_MS + minutes * MINUTE_MS, HOME, ip("192.0.2.1")) for minutes in (0, 14, 16, 17)
    ]
    assert after == [False, True, True, False]
    later = START_MS + 3 * HOUR_MS  # the window between is empty
    assert [replay.call(later, HOME, ip("192.0.2.1")) for _ in range(5)] == [True] * 4 + [False]


# --- delayed counts ---


def hammer(calls: int, callers: int, span_ms: int, seed: int) -> list[tuple[int, Charge]]:
    """Calls by Zipf's law, half of them from sites."""
    rng = Random(seed)
    made: list[tuple[int, Charge]] = []
    for number in range(calls):
        caller = f"198.18.0.{int(callers ** rng.random())}"
        site: Charge = (("ref", f"site{int(4 ** rng.random())}.example"),) if rng.random() < 0.5 else ()
        made.append((START_MS + number * span_ms // calls, (*ip(caller), *site)))
    return made


def replayed(replay: Replay, calls: Sequence[tuple[int, Charge]]) -> PlanFindings:
    for at_ms, charge in calls:
        replay.call(at_ms, HOME, charge)
    return replay.findings(20)


PLAN = anonymous(Limit("ip", 60, "hour"), Limit("ip", 100, "day"), Limit("ref", 900, "day"))


def test_what_is_found_adds_up() -> None:
    calls = hammer(6_000, 100, 8 * HOUR_MS, 1)
    found = replayed(Replay(PLAN, Delayed(SETUP, PLAN, 1)), calls)
    assert found.calls == 6_000 == sum(hour.calls for hour in found.hours)
    assert found.refused == sum(hour.refused for hour in found.hours) > 500
    assert found.exactly_refused == sum(hour.exactly_refused for hour in found.hours)
    assert found.first_refused_ms == min(each.first_refused_ms or 1 << 60 for each in found.limits)
    kinds = {each.kind: each for each in found.kinds}
    assert kinds["ip"].calls == 6_000
    assert kinds["ref"].calls == sum(len(charge) == 2 for _, charge in calls)
    assert sum(each.refused for each in found.top) >= found.refused
    assert [each.refused for each in found.top] == sorted((each.refused for each in found.top), reverse=True)


def test_delayed_counts_let_a_few_over_and_exact_ones_nobody() -> None:
    calls = hammer(6_000, 100, 10 * MINUTE_MS, 2)
    late = replayed(Replay(PLAN, Delayed(SETUP, PLAN, 1)), calls)
    exact = replayed(Replay(PLAN, None), calls)
    assert (exact.over, exact.early, exact.refused) == (0, 0, exact.exactly_refused)
    assert late.exactly_refused == exact.refused
    assert 0 < late.over < 0.05 * late.refused
    assert max(limit.worst for limit in late.limits) >= 1
    assert late.over <= sum(limit.over for limit in late.limits)


def test_who_is_far_from_every_quota_need_not_be_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same calls, with every caller in the world of delays from the first call on: what is refused differs by no
    more than two seeds do."""
    calls = hammer(3_500, 100, 8 * HOUR_MS, 3)
    plan = anonymous(Limit("ip", 100, "day"), Limit("ip", 400, "month"), Limit("ref", 600, "day"))
    found = replayed(Replay(plan, Delayed(SETUP, plan, 1)), calls)
    monkeypatch.setattr(replay_module, "FOLLOWED_FROM_PERCENT", 0)
    whole = [replayed(Replay(plan, Delayed(SETUP, plan, seed)), calls) for seed in range(2)]
    assert abs(found.refused - whole[0].refused) <= 0.005 * whole[0].refused
    for place in range(len(plan.limits)):
        of_all = [each.limits[place].refused for each in whole]
        assert min(of_all) - 5 <= found.limits[place].refused <= max(of_all) + 5


def test_with_too_many_callers_near_a_quota_exact_counts_decide_and_it_is_told() -> None:
    calls = hammer(4_000, 100, 2 * HOUR_MS, 4)
    found = replayed(Replay(PLAN, Delayed(SETUP, PLAN, 1, most=2)), calls)
    assert found.unfollowed > 1_000
    assert abs(found.refused - found.exactly_refused) < 0.02 * found.exactly_refused


def test_refusals_of_bursts_are_told_apart() -> None:
    class Bursts:
        """Refuses each third call for its burst."""

        def __init__(self) -> None:
            self.calls = 0

        def is_followed(self, kind: Kind, value: str) -> bool:
            return True

        def follow(self, kind: Kind, value: str, used: Sequence[Used], now_ms: int) -> bool:
            raise AssertionError

        def call(self, at_ms: int, region: str, charge: Charge) -> Decision:
            self.calls += 1
            burst = Checked(Limit("ip", 7, "minute"), 7, 1_000, at_ms + 1_000, refuses=self.calls % 3 == 0)
            return Decision((burst,), "quota" if burst.refuses else None)

    replay = Replay(replace(anonymous(Limit("ip", 100, "day")), burst=7), Bursts())
    assert sum(replay.call(START_MS + at_ms, HOME, ip("192.0.2.1")) for at_ms in range(10)) == 7
    found = replay.findings(1)
    assert (found.refused, found.early, found.exactly_refused) == (3, 0, 0)
    assert [(each.limit.quota, each.refused, each.callers_refused) for each in found.limits] == [(100, 0, 0), (7, 3, 1)]
    assert (found.top[0].refused, found.limits[1].first_refused_ms) == (3, START_MS + 2)


def test_callers_are_forgotten_when_their_windows_are_over() -> None:
    begun_ms = window_bounds_ms("day", START_MS)[0]
    plan = anonymous(Limit("ip", 10, "day"))
    delayed = Delayed(SETUP, plan, 1, most=50)
    replay = Replay(plan, delayed)
    for day in range(4):
        for number in range(600):
            replay.call(begun_ms + day * DAY_MS + number * MINUTE_MS, HOME, ip(f"198.18.{day}.{number % 40}"))
    found = replay.findings(200)
    assert found.unfollowed == 0
    assert found.refused == found.exactly_refused == 4 * 40 * 5
    assert len(delayed._world.homes[HOME].tally.items) < 3 * 50
    assert SETUP.delays.longest_ms * 10 < delayed_module.SETTLED_MS


def test_what_was_used_before_a_caller_is_followed_is_counted_in_every_window() -> None:
    plan = anonymous(Limit("ip", 1_000, "hour", rolling=True), Limit("ip", 2_000, "day"), Limit("ip", 3_000, "month"))
    delayed = Delayed(SETUP, plan, 1)
    replay = Replay(plan, delayed)
    noon_ms = window_bounds_ms("day", START_MS)[0] + 12 * HOUR_MS
    for at_ms, calls in ((noon_ms - DAY_MS, 20), (noon_ms - 5 * HOUR_MS, 12), (noon_ms - HOUR_MS, 10), (noon_ms, 8)):
        for number in range(calls):
            replay.call(at_ms + number, HOME, ip("192.0.2.1"))
    assert not delayed.is_followed("ip", "192.0.2.1")
    for number in range(42):
        replay.call(noon_ms + 1_000 + number, HOME, ip("192.0.2.1"))
    assert delayed.is_followed("ip", "192.0.2.1")
    items = {key.sk: item for key, item in delayed._world.homes[HOME].tally.items.items() if key.pk == "ip#192.0.2.1"}
    month, day = items["month#2026-11"], day_of(noon_ms)
    earlier = month.charged
    assert month.days == {day.number: earlier - 20, 1: 20}
    assert items[f"hour#{hour_of(noon_ms)}"].charged == earlier - 42
    assert items[f"hour#{hour_of(noon_ms - HOUR_MS)}"].charged == 10


# --- many callers ---


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10**15)), max_size=150), st.integers(2, 9))
def test_records_in_the_file_are_those_in_memory(changes: list[tuple[int, int]], most: int) -> None:
    callers, plain = Callers(3, most), defaultdict(lambda: [0, 0, 0])
    for name, number in changes:
        record = callers.of(f"198.18.0.{name}")
        record[number % 3] += number
        plain[f"198.18.0.{name}"][number % 3] += number
    assert len(callers) == len(plain)
    assert callers.is_spilled == (len(plain) > most)
    assert {name: list(record) for name, record in callers} == plain
    assert sum(1 for _ in callers) == len(plain)


def test_findings_do_not_depend_on_how_much_is_in_memory() -> None:
    calls = hammer(3_000, 200, 30 * HOUR_MS, 5)
    small, large = (replayed(Replay(PLAN, Delayed(SETUP, PLAN, 1), most), calls) for most in (7, 10_000))
    assert small == large


BOUNDED = """
import re, sys
from tallygate.core.plans import Limit, Plan
from tallygate.sim.replay.replay import Replay

plan = Plan("anonymous", (Limit("ip", 200, "day"),), anonymous=True)
replay = Replay(plan, None, most_in_memory=int(sys.argv[2]))
for number in range(int(sys.argv[1])):
    address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    replay.call(1_795_996_800_000 + number, "us-east-1", (("ip", address),))
print(replay.findings(10).kinds[0].callers, re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
"""Not ru_maxrss: that begins at the size of the process that this one was forked from."""


def peak_kib(callers: int, most_in_memory: int) -> int:
    """Of a process that meets so many callers once each."""
    command = [sys.executable, "-c", BOUNDED, str(callers), str(most_in_memory)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    counted, kib = map(int, ran.stdout.split())
    assert counted == callers
    return kib


def test_memory_does_not_grow_with_the_callers() -> None:
    few, many = peak_kib(5_000, 2_000), peak_kib(100_000, 2_000)
    assert many - few < 10 * 1024
    assert peak_kib(100_000, 1_000_000) - few > 20 * 1024, "it would, if all were kept"


# --- other quotas ---


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=80), st.integers(1, 9))
def test_what_any_quota_would_have_refused_is_what_it_refuses(calls: list[tuple[int, int]], quota: int) -> None:
    plan = anonymous(Limit("ip", quota, "day"))
    replay = Replay(plan, None)
    for caller, day in sorted(calls, key=lambda call: call[1]):
        replay.call(START_MS + day * DAY_MS, HOME, ip(f"192.0.2.{caller}"))
    found = replay.findings(10)
    [kind] = found.kinds
    curve = dict(kind.curves["day"])
    if quota in curve:
        assert curve[quota] == kind.callers_refused
    for each in kind.quotas["day"]:
        tried = Replay(anonymous(Limit("ip", each.quota, "day")), None)
        for caller, day in sorted(calls, key=lambda call: call[1]):
            tried.call(START_MS + day * DAY_MS, HOME, ip(f"192.0.2.{caller}"))
        again = tried.findings(10)
        assert (again.refused, again.kinds[0].callers_refused) == (each.calls_refused, each.callers_refused)
        assert each.callers_refused <= kind.callers * each.most_percent / 100


def test_the_quota_of_a_share_is_the_least_one() -> None:
    spread = Spread(Counter({1: 990, 50: 9, 700: 1}), Counter({1: 990, 50: 9, 700: 1}))
    assert [(each.most_percent, each.quota) for each in spread.quotas()] == [(10, 1), (1, 1), (0.1, 50), (0, 700)]
    assert spread.callers_above(49) == 10
    assert spread.calls_above(49) == 9 + 651
    assert (spread.curve()[0], spread.curve()[-1]) == ((1, 10), (700, 0))
    assert Spread().quotas() == Spread().curve() == []


def test_hours_are_put_together_until_they_are_few() -> None:
    replay = Replay(anonymous(Limit("ip", 1, "day")), None)
    for hour in range(100):
        replay.call(START_MS + hour * HOUR_MS, HOME, ip("192.0.2.1"))
    hours = replay.findings(1).hours
    together, step = steps(hours, 24)
    assert (len(hours), step) == (100, 6)
    assert 17 <= len(together) <= 18
    assert sum(each.calls for each in together) == 100
    assert sum(each.refused for each in together) == sum(each.refused for each in hours)


# --- limits to try ---


def test_limits_to_try_are_read() -> None:
    assert limit_of("ip=1_500/day") == Limit("ip", 1_500, "day")
    assert limit_of(" ref=20,000/month ") == Limit("ref", 20_000, "month")
    assert limit_of("key=60/hour:rolling") == Limit("key", 60, "hour", rolling=True)
    assert tried_plan([limit_of("ip=5/day"), limit_of("ref=9/day")]).anonymous
    assert not tried_plan([limit_of("key=5/day")]).anonymous


@pytest.mark.parametrize(
    "text", ["", "ip", "ip=0/day", "ip=x/day", "ip=5/week", "user=5/day", "ip=5/day:soft", "ip=5/"]
)
def test_what_is_no_limit_says_what_is(text: str) -> None:
    with pytest.raises(PlanError, match=r"write ip=200/day or ip=60/hour:rolling, with one of ip, ref, key and one of"):
        limit_of(text)


def test_limits_that_make_no_plan_say_why() -> None:
    with pytest.raises(PlanError, match="one or the other"):
        tried_plan([limit_of("ip=5/day"), limit_of("key=5/day")])
    with pytest.raises(PlanError, match="once"):
        tried_plan([limit_of("ip=5/day"), limit_of("ip=6/day")])
    with pytest.raises(PlanError, match="does not roll"):
        limit_of("ip=5/minute:rolling")
    with pytest.raises(PlanError, match="for calls without a key"):
        per_address(PLAN)


def test_an_address_stands_for_a_key() -> None:
    kind: Kind = "key"
    plan = Plan("starter", (Limit(kind, 5, "day"), Limit(kind, 9, "month")))
    assert per_address(plan) == replace(plan, limits=(Limit("ip", 5, "day"), Limit("ip", 9, "month")))


def test_a_burst_is_of_the_address_where_no_other_limit_is() -> None:
    plan = replace(anonymous(Limit("ref", 10_000, "day")), burst=5)
    replay = Replay(plan, Delayed(SETUP, plan, 1))
    charge: Charge = (("ip", "192.0.2.1"), ("ref", "shop.example"))
    let_through = [replay.call(START_MS + 30 * number, HOME, charge) for number in range(30)]
    assert sum(let_through) < 30
    found = replay.findings(1)
    assert [(each.limit.name, each.callers_refused) for each in found.limits] == [("ref-day", 0), ("ip-burst", 1)]
    assert replay.call(START_MS + DAY_MS, HOME, charge)
