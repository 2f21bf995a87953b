"""Limits by the minute: what a container makes of its own admissions and of a month's count that grows."""

from tallygate.core.decide import Checked, Decision, Request, decide
from tallygate.core.gate import Partition
from tallygate.core.periods import HOUR_MS, MINUTE_MS, SECOND_MS
from tallygate.core.plans import Limit, Plan
from tallygate.core.snapshots import Snapshot
from tallygate.core.usage import Admission, HomeUsage
from tallygate.sim.traffic.arrivals import Callers, Stretch, arrivals
from tallygate.sim.traffic.setup import REGIONS, START_MS, Setup, one_home
from tallygate.sim.traffic.world import World

HOME, AWAY = "us-east-1", "eu-west-1"
NOON = 1_795_176_000_000  # 2026-11-20T12:00:00Z
QUOTA = 600
PLAN = Plan("plan", (Limit("ip", QUOTA, "minute"),))


def row(charged: int, second: float, *, rate: float = 0, home: str = HOME, month: str = "2026-11") -> HomeUsage:
    """A row complete up to so many seconds after NOON; `rate` is in units a second."""
    at_ms = NOON + int(second * SECOND_MS)
    return HomeUsage(home, month, charged=charged, rate_milli=int(rate * 1000), at_ms=at_ms, lag_ms=5_000)


def seen(*readings: HomeUsage | tuple[HomeUsage, ...]) -> Snapshot:
    """A container that read these rows, one reading after the other."""
    snapshot = Snapshot()
    for rows in readings:
        homes = rows if isinstance(rows, tuple) else (rows,)
        snapshot.renew(Partition(homes), HOME, max(each.at_ms for each in homes))
    return snapshot


def decided(snapshot: Snapshot, second: float, units: int = 1, id: str = "r") -> Decision:
    return decide(Request(id, HOME, units, ("ip",)), {"ip": snapshot.usage()}, PLAN, NOON + int(second * SECOND_MS))


def check(snapshot: Snapshot, second: float, units: int = 1) -> Checked:
    return decided(snapshot, second, units).limits[0]


def test_what_homes_counted_since_the_minute_began_is_used() -> None:
    snapshot = seen(row(5_000, -1, rate=5), row(5_200, 20, rate=5), row(5_500, 40, rate=5))
    assert check(snapshot, 45).used == 5_500 - (5_200 - 20 * 5) + 1
    assert check(snapshot, 45, QUOTA).refuses
    assert check(snapshot, 60).used == 1


def test_a_minute_did_not_begin_with_less_than_was_counted_before_it() -> None:
    assert check(seen(row(5_000, -1), row(5_100, 20, rate=500)), 25).used - 1 <= 5_100 - 5_000 + 500 * 25
    assert check(seen(row(5_000, -1, rate=500), row(5_100, 20)), 25).used == 1  # nobody knows when they came


def test_a_count_at_the_quota_refuses_until_the_minute_ends() -> None:
    spent = check(seen(row(0, 0), row(300, 10, rate=30), row(600, 20, rate=30)), 30)
    assert (spent.refuses, spent.estimated, spent.opens_ms) == (True, False, NOON + MINUTE_MS)


def test_homes_add_up() -> None:
    rows = [
        (row(300 * step, 10.0 * step, rate=30), row(300 * step, 10.0 * step, rate=30, home=AWAY)) for step in (0, 1)
    ]
    assert check(seen(*rows), 15).refuses


def test_rows_of_hours_and_of_last_month_say_nothing_of_the_minute() -> None:
    hour = HomeUsage(HOME, "", charged=9_000, at_ms=NOON + 30_000, lag_ms=5_000, hour="2026-11-20T12")
    last = row(90_000, -HOUR_MS / 1000, month="2026-10")
    assert check(seen((last,), (last, hour, row(100, 25, rate=4))), 30).used == 101


def test_the_larger_of_counted_and_admitted_here_is_used_and_not_both() -> None:
    snapshot = seen(row(0, 0), row(200, 20, rate=10))
    for second in range(25):
        snapshot.admit(Admission(NOON + second * SECOND_MS, 2))
    assert check(snapshot, 25).used == 200 + 4 * 2 + 1  # four seconds of them came after the count
    ahead = seen(row(0, 0), row(200, 20, rate=10))
    for second in range(20):
        ahead.admit(Admission(NOON + second * SECOND_MS, 15))
    assert check(ahead, 25).used == 20 * 15 + 1


def test_of_callers_who_are_certainly_too_fast_the_share_that_keeps_to_the_limit_is_let_through() -> None:
    snapshot = seen(row(5_000, -5, rate=100))
    let_through = sum(decided(snapshot, 1, id=f"{number}").allowed for number in range(2_000))
    assert 150 <= let_through <= 250  # a tenth: 100 calls/s against 10
    assert all(decided(snapshot, 40, id=f"{number}").allowed for number in range(50))  # that was too long ago


def test_a_few_calls_close_together_do_not_make_a_caller_too_fast() -> None:
    snapshot = seen(row(5_000, -5, rate=14))
    assert all(decided(snapshot, 1, id=f"{number}").allowed for number in range(500))


def _worst_and_refused(times: float, regions: int) -> tuple[float, float]:
    """The most that a caller got in a minute, and the share of all calls that was refused."""
    shape = (Stretch(240, QUOTA / 60 * times),)
    world = World(Setup(one_home(regions)), 1)
    admitted: dict[int, int] = {}
    calls = 0
    for call in arrivals([Callers("c", "ip", PLAN, shape, REGIONS[:regions])], START_MS, 1):
        calls += 1
        minute = call.at_ms // MINUTE_MS
        admitted[minute] = admitted.get(minute, 0) + world.call(call).allowed
    return max(admitted.values()) / QUOTA, 1 - sum(admitted.values()) / calls


def test_who_keeps_below_a_limit_by_the_minute_is_not_refused_in_any_number_of_regions() -> None:
    for regions in (1, 3):
        assert _worst_and_refused(0.8, regions)[1] == 0


def test_who_calls_twice_as_often_gets_what_the_limit_allows_and_little_more() -> None:
    for regions in (1, 3):
        worst, refused = _worst_and_refused(2, regions)
        assert worst < 1.2
        assert 0.4 < refused < 0.6
