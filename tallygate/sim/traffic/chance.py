"""Numbers drawn by the laws of chance, large ones too."""

from math import exp, sqrt
from random import Random
from typing import Final

LARGE: Final = 50
"""From here on the normal law comes close enough."""


def poisson(mean: float, rng: Random) -> int:
    """How often something happens that happens `mean` times on average."""
    if mean > LARGE:
        return max(0, round(rng.gauss(mean, sqrt(mean))))
    times, product, least = 0, rng.random(), exp(-mean)
    while product > least:
        times += 1
        product *= rng.random()
    return times


def binomial(times: int, chance: float, rng: Random) -> int:
    """How many of so many `times` something happens that each time has this `chance`."""
    if times > LARGE:
        drawn = round(rng.gauss(times * chance, sqrt(times * chance * (1 - chance))))
        return min(times, max(0, drawn))
    return sum(rng.random() < chance for _ in range(times))
