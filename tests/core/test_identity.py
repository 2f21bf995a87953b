"""Identifiers: one normal form each, from whatever strangers send."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tallygate.core import identity
from tallygate.core.identity import Identity, identify, parse_networks

PROXIES = parse_networks("127.0.0.1, 10.0.0.0/8,2001:db8:ffff::/48")
HOST = "shop.example"

headers = st.dictionaries(
    st.sampled_from(["x-forwarded-for", "origin", "referer", "x-api-key", "authorization", "cookie"]),
    st.text(max_size=300)
    | st.text("0123456789abcdef:.,[]%/@ \\", max_size=80)
    | st.from_regex(r"https?://\S{0,40}(:\d{0,7})?(/.*)?"),
)


def ip(source_ip: str, forwarded_for: str = "", ipv6_prefix: int = 64) -> str:
    return identity.identify({"x-forwarded-for": forwarded_for}, {}, source_ip, PROXIES, ipv6_prefix).ip


@given(headers, st.ip_addresses().map(str) | st.text(max_size=60), st.booleans())
def test_whatever_is_sent_gives_bounded_identifiers(sent: dict[str, str], source_ip: str, from_proxy: bool) -> None:
    found = identify(sent, {}, "127.0.0.1" if from_proxy else source_ip, PROXIES)
    assert 1 <= len(found.ip) <= 43
    assert found.ip.isascii()
    assert found.ref is None or (1 <= len(found.ref) <= 253 and found.ref.isascii())


@given(st.ip_addresses().map(str), st.sampled_from([32, 48, 56, 64, 128]))
def test_the_normal_form_of_an_address_is_stable(address: str, prefix: int) -> None:
    normal = identity.normal_ip(address, prefix)
    assert normal is not None
    assert identity.normal_ip(normal, prefix) == normal


@given(st.text(max_size=260) | st.from_regex(r"[\w.-]{1,80}\.?"))
@example("mã¼nchen.example")
@example("xn--a.\u2100")
def test_the_normal_form_of_a_host_is_stable(name: str) -> None:
    normal = identity.normal_host(name)
    assert normal is None or identity.normal_host(normal) == normal
    assert normal is None or identity.host_of(f"https://{normal}:443/") == normal


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:0DB8:0001:0002:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8::1", "2001:db8::/64"),
        ("::1", "::/64"),
        ("nonsense", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_peer_has_a_normal_form(address: str, expected: str) -> None:
    assert ip(address) == expected


def test_the_prefix_of_an_ipv6_network_is_configurable() -> None:
    assert ip("2001:db8:1:2ff::9", ipv6_prefix=56) == "2001:db8:1:200::/56"


def test_a_stranger_cannot_choose_their_address() -> None:
    assert ip("203.0.113.7", "198.51.100.1") == "203.0.113.7"


@pytest.mark.parametrize(
    ("forwarded_for", "expected"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("198.51.100.1, 127.0.0.1", "198.51.100.1"),  # the gateway appends its peer
        ("6.6.6.6, 198.51.100.1, 10.1.2.3", "198.51.100.1"),  # what the caller wrote stands further left
        ("not an address, 198.51.100.1", "198.51.100.1"),
        ("198.51.100.1:4711", "198.51.100.1"),
        ("[2001:db8:1:2::3]:4711", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::3", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.1, 2001:db8:ffff::1", "198.51.100.1"),
        ("10.9.9.9, 10.8.8.8", "10.9.9.9"),  # nothing but proxies: the farthest of them
        ("fe80::1%eth0", "127.0.0.1"),
        ("198.51.100.1, unknown", "127.0.0.1"),
        ("198.51.100.1,", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("[", "127.0.0.1"),
        ("198.51.100.0x1", "127.0.0.1"),
        ("9" * 10_000, "127.0.0.1"),
    ],
)
def test_behind_a_trusted_proxy_the_nearest_other_address_counts(forwarded_for: str, expected: str) -> None:
    assert ip("127.0.0.1", forwarded_for) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example", HOST),
        ("HTTPS://Shop.EXAMPLE.:8443/cart?x=1#y", HOST),
        ("http://user:pass@shop.example/", HOST),
        ("https://evil.example@shop.example", HOST),
        ("https://shop.example?next=https://evil.example", HOST),
        ("https://my_shop.example/", "my_shop.example"),
        ("https://münchen.example/ü", "xn--mnchen-3ya.example"),
        ("https://mÃ¼nchen.example/", "xn--mnchen-3ya.example"),  # UTF-8 that a gateway read as Latin-1
        ("https://MÜNCHEN.example/", "xn--mnchen-3ya.example"),
        ("https://日本語。jp/", "xn--wgv71a119e.jp"),
        ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example"),
        ("https://shop.example/" + "a" * 4096, HOST),
        ("http://localhost:3000/", "localhost"),
        ("http://192.0.2.1:8080/", "192.0.2.1"),
        ("http://[2001:DB8::0:1]:8080/", "2001:db8::1"),
        ("null", None),
        ("", None),
        ("-", None),
        ("shop.example/cart", None),
        ("//shop.example/cart", None),
        ("about:blank", None),
        ("file:///etc/passwd", None),
        ("chrome-extension://abcdefgh/", None),
        ("https://", None),
        ("https://.", None),
        ("https:///path", None),
        ("https://shop..example/", None),
        ("https://-shop.example/", None),
        ("https://shop.example:port/", None),
        ("https://shop.example:123456/", None),
        ("https://shop.example, https://other.example", None),  # two Origin headers
        ("https://sh op.example/", None),
        ("https://shop\x00.example/", None),
        ("https://shop.example\\@evil.example/", HOST),  # as browsers read it
        ("https://\ufffd\ufffd.example/", None),
        ("https://\ud800.example/", None),
        ("https://℀.example/", None),
        ("https://" + "a" * 64 + ".example/", None),
        ("https://" + "ü" * 64 + ".example/", None),
        ("https://" + "a." * 127 + "example/", None),
        ("https://" + "ü." * 60 + "example/", None),
        ("http://1.2.3/", None),
        ("http://192.0.2.1.7/", None),
        ("http://192.0.2.256/", None),
        ("http://[fe80::1%25eth0]/", None),
        ("http://[::1/", None),
        ("http://[192.0.2.1]/", None),
        ("http://[2001:db8::1]x/", None),
    ],
)
def test_a_url_names_its_host(url: str, expected: str | None) -> None:
    assert identity.host_of(url) == expected


def test_origin_is_asked_before_referer() -> None:
    assert (
        identify({"origin": "https://a.example", "referer": "https://b.example/x"}, {}, "192.0.2.1").ref == "a.example"
    )
    assert identify({"origin": "null", "referer": "https://b.example/x"}, {}, "192.0.2.1").ref == "b.example"
    assert identify({"origin": "https://a b", "referer": "also nonsense"}, {}, "192.0.2.1").ref is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [(HOST, True), ("localhost", False), ("192.0.2.1", False), ("2001:db8::1", False), ("xn--wgv71a119e.jp", True)],
)
def test_what_strangers_share_is_no_site(host: str, expected: bool) -> None:
    assert identity.is_site(host) is expected


@pytest.mark.parametrize(
    ("sent", "query", "expected"),
    [
        ({}, {}, None),
        ({"x-api-key": "tg_a"}, {"api-key": "tg_b"}, "tg_a"),
        ({"x-api-key": " tg_a\t"}, {}, "tg_a"),
        ({"x-api-key": ""}, {"api-key": "tg_b"}, ""),
        ({"x-api-key": "other"}, {}, "other"),
        ({"authorization": "Bearer tg_a"}, {"api-key": "tg_b"}, "tg_a"),
        ({"authorization": "bearer   tg_a "}, {}, "tg_a"),
        ({"authorization": "Bearer\ttg_a"}, {}, "tg_a"),
        ({"authorization": " BEARER \t tg_a"}, {}, "tg_a"),
        ({"authorization": "Bearertg_a"}, {}, None),
        ({"authorization": "Bearer eyJhbGciOi"}, {}, None),
        ({"authorization": "Bearer eyJhbGciOi"}, {"api-key": "tg_b"}, "tg_b"),
        ({"authorization": "Basic tg_a"}, {}, None),
        ({"authorization": "Bearer TG_a"}, {}, None),
        ({"authorization": "Bearer"}, {}, None),
        ({}, {"api-key": "tg_b"}, "tg_b"),
        ({}, {"api-key": ""}, ""),
        ({}, {"x": "", "API-Key": "tg_b"}, "tg_b"),
        ({}, {"API-KEY": "tg_c", "api-key": "tg_b"}, "tg_b"),
    ],
)
def test_where_a_key_is_taken_from(sent: dict[str, str], query: dict[str, str], expected: str | None) -> None:
    assert identity.credential_of(sent, query) == expected


def test_a_credential_is_not_shown() -> None:
    assert "tg_secret" not in repr(Identity("192.0.2.1", None, "tg_secret"))


@pytest.mark.parametrize("cidrs", ["10.0.0.0/33", "10.0.0.1/8", "proxy.example"])
def test_a_network_that_is_none_is_named(cidrs: str) -> None:
    with pytest.raises(ValueError, match=cidrs):
        parse_networks(f"127.0.0.1/32,{cidrs}")
