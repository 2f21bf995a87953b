"""The scenarios: who calls how, against which quota, and what goes wrong. Fixed, so that figures can be compared.

Callers named `over-…` offer more than their quota, callers named `under-…` less than 90 % of it: nobody may refuse
those.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tallygate.core.names import Kind
from tallygate.core.periods import DAY_MS
from tallygate.core.plans import Limit, Plan, Window
from tallygate.sim.traffic.arrivals import Callers, Stretch
from tallygate.sim.traffic.setup import REGIONS, START_MS, Fault, HomeLost, Replayed, Setup, one_home

_DAY_SECONDS: Final = DAY_MS // 1000
_MONTH_END_MS: Final = 1_796_083_200_000
"""2026-12-01T00:00:00Z."""
_THREE_REGIONS: Final = Setup(one_home(3))


@dataclass(frozen=True, slots=True)
class Scenario:
    """`watched` is the caller that plots show. `aggregated`: who calls when calls are aggregated, if that is others, in
    ticks of `tick_ms`."""

    name: str
    what: str
    callers: tuple[Callers, ...]
    watched: tuple[Kind, str]
    setup: Setup = _THREE_REGIONS
    aggregated: tuple[Callers, ...] = ()
    tick_ms: int = 1_000

    @property
    def watched_quota(self) -> int:
        """The quota of the watched caller, in units."""
        kind, name = self.watched
        return next(
            limit.quota
            for callers in self.callers
            for limit in callers.plan.limits
            if limit.per == kind and name in (callers.site, f"{callers.name}-0")
        )

    def groups(self, *, aggregated: bool = False) -> tuple[Callers, ...]:
        return self.aggregated if aggregated and self.aggregated else self.callers


def _plan(kind: Kind, *quotas: tuple[int, Window]) -> Plan:
    return Plan(
        "-".join(str(quota) for quota, _ in quotas),
        tuple(Limit(kind, quota, window) for quota, window in quotas),
        anonymous=kind != "key",
    )


def _callers(
    name: str,
    plan: Plan,
    *shape: Stretch,
    kind: Kind = "ip",
    count: int = 1,
    regions: int = 3,
    pinned: bool = False,
    zipf: bool = False,
    site: str | None = None,
) -> Callers:
    """`shape` is of one caller; of all of them with `zipf`."""
    factor = 1 if zipf else count
    scaled = tuple(
        Stretch(part.seconds, part.rate * factor, None if part.to_rate is None else part.to_rate * factor)
        for part in shape
    )
    return Callers(name, kind, plan, scaled, REGIONS[:regions], count, zipf, pinned, site)


_TEN_THOUSAND: Final = _plan("ip", (10_000, "day"))


def _steady(seconds: float = 160.0) -> tuple[Callers, ...]:
    return (
        _callers("over-steady", _TEN_THOUSAND, Stretch(seconds, 100), count=4),
        _callers("under-steady", _TEN_THOUSAND, Stretch(seconds, 8_500 / seconds), count=2),
    )


def _ramp() -> Scenario:
    return Scenario(
        "ramp",
        "from 10 to 300 calls/s within two minutes, quota 10,000 a day",
        (
            _callers("over-ramp", _TEN_THOUSAND, Stretch(120, 10, 300), Stretch(20, 300), count=3),
            _callers("under-ramp", _TEN_THOUSAND, Stretch(75, 10, 210), count=2),
        ),
        ("ip", "over-ramp-0"),
    )


def _step_burst() -> Scenario:
    return Scenario(
        "step-burst",
        "5 calls/s for two minutes, then 500 calls/s, quota 10,000 a day",
        (
            _callers("over-burst", _TEN_THOUSAND, Stretch(120, 5), Stretch(50, 500), count=3),
            _callers("under-burst", _TEN_THOUSAND, Stretch(120, 5), Stretch(15.6, 500), count=2),
        ),
        ("ip", "over-burst-0"),
    )


def _bursts(times: int, on: float, rate: float, off: float) -> tuple[Stretch, ...]:
    return (Stretch(on, rate), Stretch(off, 0)) * times


def _on_off() -> Scenario:
    return Scenario(
        "on-off",
        "bursts of 100 or 200 calls/s for 10 or 20 s with pauses of 20 or 30 s; quota 10,000 a day",
        (
            _callers("over-on-20", _TEN_THOUSAND, *_bursts(8, 20, 100, 20), count=2),
            _callers("over-on-10", _TEN_THOUSAND, *_bursts(13, 10, 100, 20), count=2),
            _callers("over-fast-10", _TEN_THOUSAND, *_bursts(7, 10, 200, 30), count=2),
            _callers("under-on-20", _TEN_THOUSAND, *_bursts(4, 20, 106, 20)),
            _callers("under-fast-10", _TEN_THOUSAND, *_bursts(4, 10, 212, 30)),
        ),
        ("ip", "over-fast-10-0"),
    )


def _on_off_hard() -> Scenario:
    return Scenario(
        "on-off-hard",
        "bursts of 200 or 400 calls/s, each of 20 to 40 % of the quota: over before anybody can know",
        (
            _callers("over-on-20", _TEN_THOUSAND, *_bursts(5, 20, 200, 20), count=2),
            _callers("over-on-10", _TEN_THOUSAND, *_bursts(5, 10, 400, 30), count=2),
            _callers("over-on-5", _TEN_THOUSAND, *_bursts(8, 5, 400, 25), count=2),
            _callers("under-on-20", _TEN_THOUSAND, *_bursts(2, 20, 212, 20)),
            _callers("under-on-5", _TEN_THOUSAND, *_bursts(4, 5, 425, 25)),
        ),
        ("ip", "over-on-10-0"),
    )


def _hot_key() -> Scenario:
    plan = _plan("key", (50_000, "month"))
    return Scenario(
        "hot-key",
        "one key in ten regions at 1,000 calls/s, quota 50,000 a month",
        (
            _callers("over-hot", plan, Stretch(100, 1_000), kind="key", regions=10),
            _callers("under-hot", plan, Stretch(100, 425), kind="key", regions=10),
        ),
        ("key", "over-hot-0"),
        Setup(one_home(10), shards=2),
    )


def _botnet() -> Scenario:
    plan = Plan("anonymous", (Limit("ip", 200, "day"), Limit("ref", 20_000, "day")), anonymous=True)
    return Scenario(
        "botnet",
        "100,000 addresses burst upon one site at 1,000 calls/s; quotas 200 (address), 20,000 (site) a day",
        (
            _callers("under-bot", plan, Stretch(30, 0), Stretch(90, 0.01), count=100_000, site="shop.example"),
            _callers("over-bot", plan, Stretch(120, 5), count=20),
            _callers("under-reader", plan, Stretch(120, 1), count=20, site="quiet.example"),
        ),
        ("ref", "shop.example"),
        Setup(one_home(3), shards=2),
    )


def _border(name: str, what: str, border_ms: int) -> Scenario:
    day, month = _plan("key", (5_000, "day")), _plan("key", (20_000, "month"))
    return Scenario(
        name,
        what,
        (
            _callers("over-day", day, Stretch(240, 60), kind="key", count=2),
            _callers("over-month", month, Stretch(240, 250), kind="key"),
            _callers("late-day", day, Stretch(60, 0), Stretch(180, 100), kind="key"),
            _callers("under-day", day, Stretch(240, 35), kind="key", count=2),
        ),
        ("key", "over-day-0"),
        Setup(one_home(3), start_ms=border_ms - 120_000),
    )


def _home_lost() -> Scenario:
    lost = HomeLost("eu-west-1", START_MS + 600_000, START_MS + 4_200_000)
    homes = {"us-east-1": "us-east-1", "eu-west-1": "eu-west-1", "ap-southeast-2": "us-east-1"}
    seconds = 4_800
    return Scenario(
        "home-lost",
        "one of two homes counts nothing for an hour; 5 calls/s, quota 10,000 a day",
        (
            _callers("over-lost", _TEN_THOUSAND, Stretch(seconds, 5), count=3),
            _callers("over-fast", _TEN_THOUSAND, Stretch(500, 1), Stretch(seconds - 500, 10)),
            _callers("under-lost", _TEN_THOUSAND, Stretch(seconds, 8_500 / seconds), count=2),
        ),
        ("ip", "over-lost-0"),
        Setup(homes, faults=(lost,)),
    )


def _replay_storm() -> Scenario:
    faults: tuple[Fault, ...] = tuple(
        Replayed("us-east-1", START_MS + second * 1000, 60_000, times=3) for second in range(60, 160, 10)
    )
    return Scenario(
        "replay-storm",
        "as steady, while each 10 s the last minute is delivered three times more, in other batches",
        _steady(),
        ("ip", "over-steady-0"),
        Setup(one_home(3), shards=2, faults=faults),
    )


def _zipf() -> Scenario:
    stretch = Stretch(_DAY_SECONDS, 25_000_000 / (30 * _DAY_SECONDS))
    plan = _plan("ip", (1_500, "day"))
    return Scenario(
        "zipf",
        "a day of 25 M calls a month over 100,000 addresses by Zipf's law, quota 1,500 a day",
        (_callers("address", plan, stretch, count=100_000, zipf=True, pinned=True),),
        ("ip", "address-0"),
        Setup(one_home(3), start_ms=_MONTH_END_MS - 30 * DAY_MS),
        tick_ms=5_000,
    )


def _small_quota() -> Scenario:
    plan = _plan("ip", (1_500, "day"))
    return Scenario(
        "small-quota",
        "20 calls/s, quota 1,500 a day: a tenth of it is spent before anybody can know",
        (
            _callers("over-small", plan, Stretch(150, 20), count=10),
            _callers("under-small", plan, Stretch(62, 20), count=10),
        ),
        ("ip", "over-small-0"),
    )


def _just_under() -> Scenario:
    small = _plan("ip", (1_500, "day"))
    return Scenario(
        "just-under",
        "84 to 88 % of a quota, and no more: evenly, in bursts, and in a burst with a trickle after it",
        (
            _callers("under-steady", _TEN_THOUSAND, Stretch(87.5, 100), count=2),
            _callers("under-burst", _TEN_THOUSAND, Stretch(80, 100), Stretch(200, 3), count=2),
            _callers("under-on-5", _TEN_THOUSAND, *_bursts(5, 5, 350, 25), count=2),
            _callers("under-on-10", _TEN_THOUSAND, *_bursts(2, 10, 435, 30), count=2),
            _callers("under-small", small, Stretch(60, 20), Stretch(60, 1), count=4),
        ),
        ("ip", "under-burst-0"),
        Setup(one_home(10)),
    )


def _ten_regions() -> Scenario:
    plan = _plan("key", (40_000_000, "month"))

    def keys(seconds: float) -> tuple[Callers, ...]:
        return (
            _callers("over-key", plan, Stretch(seconds, 6_600), kind="key", count=10, regions=10),
            _callers("under-key", plan, Stretch(seconds, 3_400), kind="key", count=10, regions=10),
        )

    return Scenario(
        "ten-regions",
        "ten regions at 10,000 calls/s, quota 40 M a month; 3 s, or a billion calls when aggregated",
        keys(3),
        ("key", "over-key-0"),
        Setup(one_home(10), shards=20),
        keys(10_000),
        tick_ms=5_000,
    )


def _all() -> Iterable[Scenario]:
    yield Scenario("steady", "100 calls/s, quota 10,000 a day", _steady(), ("ip", "over-steady-0"))
    yield _ramp()
    yield _step_burst()
    yield _on_off()
    yield _on_off_hard()
    yield _hot_key()
    yield _botnet()
    yield _border("day-border", "the day ends after two minutes; quotas a day and a month", START_MS + DAY_MS // 2)
    yield _border("month-border", "day and month end after two minutes; quotas a day and a month", _MONTH_END_MS)
    yield _home_lost()
    yield _replay_storm()
    yield _small_quota()
    yield _just_under()
    yield _zipf()
    yield _ten_regions()


SCENARIOS: Final = {scenario.name: scenario for scenario in _all()}
