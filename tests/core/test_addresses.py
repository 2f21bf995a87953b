"""Ranges of addresses: the longest prefix wins, as `ipaddress` itself would find it."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.addresses import AddressAction, AddressRule, AddressRules, Network, Ranges, normal_network

NOW = 1_795_176_000_000


def networks_of(base: int, bits: int) -> st.SearchStrategy[Network]:
    """Ranges near each other, so that many hold each other."""

    def make(low: int, prefix: int) -> Network:
        shift = bits - prefix
        number = (base + low) >> shift << shift
        return IPv4Network((number, prefix)) if bits == 32 else IPv6Network((number, prefix))

    return st.builds(make, st.integers(0, 255), st.integers(bits - 12, bits))


V4, V6 = int(IPv4Address("203.0.113.0")), int(IPv6Address("2001:db8::"))
networks = networks_of(V4, 32) | networks_of(V6, 128)
addresses = st.builds(lambda low: IPv4Address(V4 + low), st.integers(0, 255)) | st.builds(
    lambda low: IPv6Address(V6 + low), st.integers(0, 255)
)


@given(st.lists(networks, max_size=20, unique=True), addresses)
def test_the_ranges_of_an_address_come_with_the_longest_prefix_first(
    found: list[Network], address: IPv4Address | IPv6Address
) -> None:
    covering = list(Ranges((network, network) for network in found).covering(address))
    naive = [network for network in found if network.version == address.version and address in network]
    assert covering == sorted(naive, key=lambda network: -network.prefixlen)


@given(st.lists(st.tuples(networks, st.sampled_from(["block", "allow"]), st.booleans()), max_size=20), addresses)
def test_the_longest_rule_that_has_not_expired_holds(
    given: list[tuple[Network, AddressAction, bool]], address: IPv4Address | IPv6Address
) -> None:
    rules = {network: AddressRule(network, action, NOW + (1 if holds else 0)) for network, action, holds in given}
    held = [
        rule
        for network, rule in rules.items()
        if network.version == address.version and address in network and rule.expires_ms == NOW + 1
    ]
    longest = max(held, key=lambda rule: rule.network.prefixlen, default=None)
    assert AddressRules(rules.values()).action(address, NOW) == (longest.action if longest is not None else None)


def test_an_address_that_cannot_be_read_has_no_rule() -> None:
    assert AddressRules([AddressRule(ip_network("0.0.0.0/0"), "block")]).action(None, NOW) is None


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("203.0.113.0/24", "203.0.113.0/24"),
        (" 203.0.113.7 ", "203.0.113.7/32"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_ranges_are_taken_in_their_normal_form(text: str, normal: str) -> None:
    assert str(normal_network(text)) == normal


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("203.0.113.7/24", "203.0.113.0/24 is the range"),
        ("203.0.113", "no address range"),
        ("", "no address range"),
        ("10.0.0.0/33", "no address range"),
        ("shop.example", "no address range"),
    ],
)
def test_what_is_no_range_says_what_is_meant(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        normal_network(text)


def test_an_address_of_the_other_version_is_in_no_range() -> None:
    ranges = Ranges([(ip_network("0.0.0.0/0"), True)])
    assert list(ranges.covering(ip_address("::1"))) == []
    assert ranges
    assert not Ranges()
