"""Ranges of addresses: those that operators block or let through, and those that a key may come from.

A look-up asks one dictionary for each length of prefix that occurs, with integers: what a caller waits for makes no
object.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, Generic, Literal, TypeVar

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Value = TypeVar("Value")
AddressAction = Literal["block", "allow"]
ADDRESS_ACTIONS: Final[tuple[AddressAction, ...]] = ("block", "allow")

_MAPPED_BITS: Final = 96
"""`::ffff:0:0/96` holds the IPv4 addresses (RFC 4291, section 2.5.5.2)."""


def normal_network(text: str) -> Network:
    """The range that `text` names: CIDR, or one address; IPv4-mapped IPv6 as IPv4. ValueError says what is wrong."""
    text = text.strip()
    try:
        network = ip_network(text)
    except ValueError as error:
        try:
            meant = ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"{text!r} is no address range, like 203.0.113.0/24 or 2001:db8::/32") from error
        raise ValueError(f"{text} is an address within a range: {meant} is the range") from None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is not None and network.prefixlen >= _MAPPED_BITS:
        return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network


class Ranges(Generic[Value]):
    """Values by range of addresses."""

    def __init__(self, entries: Iterable[tuple[Network, Value]] = ()) -> None:
        tables: dict[tuple[int, int], dict[int, Value]] = {}
        for network, value in entries:
            shift = network.max_prefixlen - network.prefixlen
            tables.setdefault((network.version, shift), {})[int(network.network_address) >> shift] = value
        self._tables: dict[int, list[tuple[int, dict[int, Value]]]] = {
            version: [(shift, tables[of, shift]) for of, shift in sorted(tables) if of == version] for version in (4, 6)
        }

    def __bool__(self) -> bool:
        return any(self._tables.values())

    def covering(self, address: Address) -> Iterator[Value]:
        """Values of the ranges that `address` is in, those of the longest prefix first."""
        bits = int(address)
        for shift, table in self._tables[address.version]:
            value = table.get(bits >> shift)
            if value is not None:
                yield value


@dataclass(frozen=True, slots=True)
class AddressRule:
    """What operators decided on a range. `expires_ms` is None for never."""

    network: Network
    action: AddressAction
    expires_ms: int | None = None
    reason: str | None = None

    def holds(self, now_ms: int) -> bool:
        return self.expires_ms is None or now_ms < self.expires_ms


class AddressRules:
    """The rules in force. The longest prefix wins; one that has expired is not there."""

    def __init__(self, rules: Iterable[AddressRule] = ()) -> None:
        self._ranges = Ranges((rule.network, rule) for rule in rules)

    def action(self, address: Address | None, now_ms: int) -> AddressAction | None:
        """What holds for an address; None when nobody decided on it, or it could not be read."""
        if address is not None:
            for rule in self._ranges.covering(address):
                if rule.holds(now_ms):
                    return rule.action
        return None


NO_RULES: Final = AddressRules()
