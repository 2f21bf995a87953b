"""Who pays for a call of a log: the same identification as the authorizer's."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tallygate.access_log.entry import Entry
from tallygate.core.identity import UNKNOWN_IP, host_of, is_site, normal_ip
from tallygate.core.names import Kind

CACHED_BYTES: Final = 512
"""Longer Referers are worked out each time: strangers choose how long they are."""

Charge = tuple[tuple[Kind, str], ...]


@dataclass(frozen=True, slots=True)
class Charging:
    """Whose quota pays: with `keyed`, the key's; else the address's and, if a site sent the call, the site's. With
    `per_ip` each address stands for a key."""

    keyed: bool
    per_ip: bool = False
    ipv6_prefix: int = 64

    def charge(self, entry: Entry) -> Charge | None:
        """The identifiers that pay; None for a call that is not governed: one without a key by a plan for keys, and one
        with a key by the anonymous plan."""
        if self.per_ip:
            return (("ip", _ip(entry.client, self.ipv6_prefix)),)
        if self.keyed:
            return (("key", entry.key),) if entry.key else None
        if entry.key:
            return None
        ip = _ip(entry.client, self.ipv6_prefix)
        site = _site(entry.origin) or _site(entry.referer)
        return (("ip", ip), ("ref", site)) if site is not None and is_site(site) else (("ip", ip),)


def region_of(client: str, regions: Sequence[str]) -> str:
    """Where the caller is served: always in the same region."""
    return regions[zlib.crc32(client.encode()) % len(regions)]


def _site(url: bytes | None) -> str | None:
    if url is None:
        return None
    return _known_host(url) if len(url) <= CACHED_BYTES else host_of(url.decode("latin-1"))


@lru_cache(maxsize=65_536)
def _ip(client: str, ipv6_prefix: int) -> str:
    return normal_ip(client, ipv6_prefix) or UNKNOWN_IP


@lru_cache(maxsize=16_384)
def _known_host(url: bytes) -> str | None:
    return host_of(url.decode("latin-1"))
