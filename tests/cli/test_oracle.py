"""The demo's oracle and the product read strangers' values the same way, though they share no code."""

import ast
import ipaddress
from pathlib import Path
from unicodedata import ucd_3_2_0

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tallygate.core.identity import host_of, identify, parse_networks
from tallygate.demo import oracle

HOSTILE = (
    "aAzZ09.-_@:/\\[]%?# \t" + "äÄßſİıΣςéＡ。．｡․☃\u00ad\u200d\u2060\ufe0fא١٢ﬁ①²½℀\u0301\u3099が한字\u202e\xa0\x85"
)
in_unicode_3_2 = st.characters(exclude_categories=["Cs"]).filter(lambda char: ucd_3_2_0.category(char) != "Cn")
hosts = (
    st.text(st.sampled_from(HOSTILE), max_size=14)
    | st.text(in_unicode_3_2, max_size=10)
    | st.ip_addresses().map(str)
    | st.ip_addresses().map(lambda ip: f"[{ip}]:8080")
    | st.sampled_from(
        [
            "shop.example",
            "bücher.example",
            "xn--bcher-kva.example",
            "xn--ü.example",
            "localhost",
            "a" * 63 + ".b",
            "1.2.3",
        ]
    )
)
schemes = st.sampled_from(["http://", "https://", "HTTPS://", " http://", "http:/", "", "ftp://", "//", "http:\\\\"])
tails = st.sampled_from(["", "/", "/a?b#c", ":80", ":", ":999999", "\\x", "?q", "\xa0", "/" + "x" * 4096])
urls = st.builds(lambda *parts: "".join(parts), schemes, hosts, tails)


@settings(max_examples=1_000, deadline=None)
@given(urls)
@example("https://é①")
@example("http://a․b.com/")
@example("http://xn--ü.example/")
@example("http://ＸＮ--ü.example/")
def test_hosts_are_the_same_however_the_header_was_decoded(url: str) -> None:
    host = url.partition("//")[2]
    assume(not _is_mojibake(host))
    raw = url.encode()
    assert host_of(url) == oracle.referring_host(raw)
    assert host_of(raw.decode("latin-1")) == oracle.referring_host(raw)


@given(st.binary(max_size=40))
def test_bytes_that_are_no_text_are_read_the_same(tail: bytes) -> None:
    raw = b"http://shop.example/" + tail
    assert host_of(raw.decode("latin-1")) == oracle.referring_host(raw) == "shop.example"


@given(st.ip_addresses())
def test_addresses_are_the_same(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    for written in (str(address), address.exploded.upper()):
        assert _counted_ip(written) == oracle.address(written)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_written_as_ipv6_is_the_same_caller(address: ipaddress.IPv4Address) -> None:
    assert _counted_ip(f"::ffff:{address}") == oracle.address(f"::ffff:{address}") == str(address)


@pytest.mark.parametrize(
    ("referer", "host"),
    [
        (b"https://SHOP.Example:8443/a?b", "shop.example"),
        (b"https://user:secret@partner.example./", "partner.example"),
        ("https://bücher.example/".encode("latin-1"), "xn--bcher-kva.example"),
        ("https://bücher.example/".encode(), "xn--bcher-kva.example"),
        (b"http://[2001:DB8::1]:80/", "2001:db8::1"),
        (b"http://192.0.2.80/", "192.0.2.80"),
        (b"http://[::ffff:192.0.2.1]/", None),
        (b"http://300.1.1.1/", None),
        (b"android-app://com.example/", None),
        (b"null", None),
        (b"http://-shop.example/", None),
        (b"http://" + b"a." * 127 + b"b/", None),
    ],
)
def test_the_oracle_reads_hosts_as_the_specification_says(referer: bytes, host: str | None) -> None:
    assert oracle.referring_host(referer) == host


def test_keys_are_counted_by_the_start_of_their_hash_and_made_up_ones_together() -> None:
    # sha256 of "secret" begins with 2bb80d537b1da3e3
    assert oracle.identifiers("192.0.2.1", None, "secret")[1] == ("key", "2bb80d537b1da3e3")
    assert oracle.identifiers("192.0.2.1", None, "secret", real_key=False)[1] == ("key", "invalid")


def test_the_oracle_shares_nothing_with_the_product() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in imported if name.startswith("tallygate")]


def _counted_ip(client: str) -> str:
    """What the product makes of a call that a trusted proxy forwards."""
    return identify({"x-forwarded-for": client}, {}, "127.0.0.1", parse_networks("127.0.0.1/32")).ip


def _is_mojibake(host: str) -> bool:
    """Text that could as well be UTF-8 read as Latin-1: which of the two it was, nobody can tell."""
    authority = host.replace("\\", "/").partition("/")[0].partition("?")[0].partition("#")[0].rpartition("@")[2]
    for part in (authority, authority.partition(":")[0]):
        try:
            if not part.isascii() and part.encode("latin-1").decode():
                return True
        except UnicodeError:
            pass
    return False
