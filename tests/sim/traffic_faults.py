"""Every kind of thing that goes wrong in the traffic simulator, once."""

from typing import Final

from tallygate.sim.traffic.setup import (
    REGIONS,
    START_MS,
    Fault,
    HomeLost,
    Partitioned,
    RegionLost,
    Replayed,
)

HOME, IRELAND, SYDNEY = REGIONS[:3]
FAULTS: Final[dict[str, tuple[Fault, ...]]] = {
    "none": (),
    "a home lost": (HomeLost(HOME, START_MS + 10_000, START_MS + 40_000),),
    "a region lost": (RegionLost(IRELAND, START_MS + 10_000, START_MS + 40_000),),
    "a partition": (Partitioned(SYDNEY, START_MS + 10_000, START_MS + 40_000),),
    "a replay storm": (Replayed(HOME, START_MS + 50_000, 40_000, times=5),),
}
