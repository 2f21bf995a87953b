"""The conditions of a simulation: where calls are served and counted, how late things are, and what goes wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tallygate.core.publish import PublishMode
from tallygate.core.tuning import TUNING, Tuning
from tallygate.sim.traffic.delays import TYPICAL, Delays

START_MS: Final = 1_794_398_400_000
"""2026-11-11T12:00:00Z: far from the ends of a day and a month."""

REGIONS: Final = (
    "us-east-1",
    "eu-west-1",
    "ap-southeast-2",
    "us-west-2",
    "eu-central-1",
    "ap-northeast-1",
    "ap-south-1",
    "sa-east-1",
    "ca-central-1",
    "eu-north-1",
)


@dataclass(frozen=True, slots=True)
class HomeLost:
    """A home counts nothing from `from_ms` to `to_ms`. CloudWatch Logs tries again for a day: all of it comes after."""

    home: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class RegionLost:
    """A region answers nobody; its callers go to the next one. What its log streams hold comes after."""

    region: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Partitioned:
    """A region's replica of the gate neither hears nor is heard; what was held back comes at the end."""

    region: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """At `at_ms` every shard of a home is read again from `back_ms` before, `times` over, each time in other
    batches."""

    home: str
    at_ms: int
    back_ms: int
    times: int = 1


Fault = HomeLost | RegionLost | Partitioned | Replayed


@dataclass(frozen=True, slots=True)
class Setup:
    """`home_of` names the home that counts each region's calls; the regions are its keys. With `naive`, nothing is
    estimated, nothing remembered and every flush published: the asynchronous counter that one would write first."""

    home_of: Mapping[str, str]
    delays: Delays = TYPICAL
    tuning: Tuning = TUNING
    publish: PublishMode = "marks"
    naive: bool = False
    shards: int = 1
    faults: tuple[Fault, ...] = ()
    start_ms: int = START_MS

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(self.home_of)

    @property
    def homes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.home_of.values()))


def one_home(regions: int) -> dict[str, str]:
    """`home_of` for so many regions, all counted by the first."""
    return dict.fromkeys(REGIONS[:regions], REGIONS[0])
