"""What there is to know of a deployed service besides its tables."""

from dataclasses import dataclass

from tallygate.core.identity import DEFAULT_IPV6_PREFIX
from tallygate.core.retention import Retention
from tallygate.resources import Names


@dataclass(frozen=True, slots=True)
class Service:
    """`regions` serve callers."""

    names: Names
    regions: tuple[str, ...]
    retention: Retention
    ipv6_prefix: int = DEFAULT_IPV6_PREFIX
