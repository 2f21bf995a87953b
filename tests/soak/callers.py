"""Who calls: a few very often, many seldom, with and without Referer and key; some until they are refused."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import Final

from tallygate.demo.calls import Call, mistyped
from tallygate.demo.keys import DemoKey

ADDRESSES: Final = 2_000
SITES: Final = 100
KEYED: Final = 0.35
REFERRED: Final = 0.5
MISTYPED: Final = 0.03
PER_PLAN: Final = {"pro": 5, "starter": 3, "trial": 12}
"""How often keys of a plan call. A trial key is soon spent, by the calls of each single container: nothing needs to be
published in time for that."""


def calls(rng: Random, regions: Sequence[str], keys: Sequence[DemoKey]) -> Iterator[Call]:
    """Calls without end."""
    addresses = [_address(number) for number in range(ADDRESSES)]
    sites = [f"shop-{number}.soak.example" for number in range(SITES)]
    address_weights, site_weights = _falling(ADDRESSES), _falling(SITES)
    key_weights = list(accumulate(PER_PLAN.get(key.plan, 1) for key in keys))
    while True:
        [address] = rng.choices(addresses, cum_weights=address_weights)
        [site] = rng.choices(sites, cum_weights=site_weights)
        [key] = rng.choices(keys, cum_weights=key_weights)
        referer = rng.choice(_spellings(site)).encode() if rng.random() < REFERRED else None
        region, drawn = rng.choice(regions), rng.random()
        if drawn < MISTYPED:
            yield Call(region, address, referer, mistyped(key.secret), is_key=False)
        elif drawn < KEYED:
            yield Call(region, address, referer, key.secret)
        else:
            yield Call(region, address, referer)


def _address(number: int) -> str:
    """IPv4 mostly; of the IPv6 ones four share a network."""
    if number % 3:
        return f"198.18.{number // 256}.{number % 256}"
    return f"2001:db8:50a:{number // 12:x}::{number:x}"


def _spellings(site: str) -> tuple[str, ...]:
    return f"https://{site}/basket?item=7", f"http://{site.upper()}:8080/", f"https://{site}"


def _falling(number: int) -> list[float]:
    """Weights of which each is less than the one before it, added up (Zipf)."""
    return list(accumulate(1 / place for place in range(1, number + 1)))
