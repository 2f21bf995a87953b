"""Who is calling: the normal forms of an address, a referring host and an API key, from whatever a client chose to
send.

Everything here is written by strangers, so nothing raises and everything returned is bounded. Header names are in lower
case. Repeated headers arrive as one, joined with commas (API Gateway, payload 2.0). A header is bytes that somebody
decoded, as UTF-8 or as Latin-1: both come to the same here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from tallygate.core.addresses import Address, Network
from tallygate.core.keys import PREFIX

UNKNOWN_IP: Final = "unknown"
"""Counted for a peer whose address cannot be read. No gateway sends one; if it does, such calls share one quota."""
MAX_HOST_CHARS: Final = 253  # RFC 1035, section 2.3.4: 255 octets on the wire
DEFAULT_IPV6_PREFIX: Final = 64
"""What one customer is given at least (RFC 6177): a limit on single addresses is no limit."""

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_DOT = re.compile("[.\u3002\uff0e\uff61]")  # RFC 3490, section 3.1
_AUTHORITY = re.compile(r"https?://([^/?#\\]*)", re.IGNORECASE)
_PORT = re.compile(r":[0-9]{0,5}")
_BEARER = re.compile(rf"\s*(?i:bearer)\s+({PREFIX}.*)", re.DOTALL)
_V4_AND_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")
_V6_IN_BRACKETS = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Identity:
    """Identifiers of one call. `credential` is what was presented as an API key, unchecked and a secret: None when
    there was none, and perhaps empty. `ref` is None when no host was named. `address` is the whole one that `ip` was
    made of, None when it cannot be read."""

    ip: str
    ref: str | None = None
    credential: str | None = field(default=None, repr=False)
    address: Address | None = field(default=None, compare=False)


def identify(
    headers: Mapping[str, str],
    query: Mapping[str, str],
    source_ip: str,
    trusted_proxies: tuple[Network, ...] = (),
    ipv6_prefix: int = DEFAULT_IPV6_PREFIX,
) -> Identity:
    """Identify a call. `source_ip` is the gateway's TCP peer; X-Forwarded-For is read only from a trusted
    proxy."""
    address = caller_address(source_ip, headers.get("x-forwarded-for", ""), trusted_proxies)
    return Identity(
        ip=UNKNOWN_IP if address is None else _normal(address, ipv6_prefix),
        ref=host_of(headers.get("origin", "")) or host_of(headers.get("referer", "")),
        credential=credential_of(headers, query),
        address=address,
    )


def credential_of(headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    """What the caller presents as an API key: `x-api-key`, else a bearer token that looks like one of ours (others
    belong to the API behind), else `?api-key=`, in whatever case that name is written. Surrounding blanks are dropped;
    an empty one is returned as such."""
    presented = headers.get("x-api-key")
    if presented is None:
        bearer = _BEARER.match(headers.get("authorization", ""))
        presented = bearer[1] if bearer is not None else query.get("api-key")
    if presented is None:
        presented = next((value for name, value in query.items() if name.lower() == "api-key"), None)
    return None if presented is None else presented.strip()


def caller_address(source_ip: str, forwarded_for: str, trusted_proxies: tuple[Network, ...]) -> Address | None:
    """The caller's address: the peer, or the nearest address in X-Forwarded-For that is no trusted proxy. The peer
    again when that header is garbage where it matters; None when the peer cannot be read."""
    peer = _address(source_ip)
    caller = peer
    if peer is not None and forwarded_for and _is_trusted(peer, trusted_proxies):
        for hop in reversed(forwarded_for.split(",")):
            caller = _address(hop)
            if caller is None:
                return peer
            if not _is_trusted(caller, trusted_proxies):
                break
    return caller


def normal_ip(text: str, ipv6_prefix: int = DEFAULT_IPV6_PREFIX) -> str | None:
    """Normal form of an address, or of one already in it: IPv4 whole, IPv4-mapped IPv6 as IPv4, other IPv6 as its
    network (`2001:db8:1:2::/64`). None when `text` is no address."""
    address = _address(text.strip().removesuffix(f"/{ipv6_prefix}") if ":" in text else text)
    return None if address is None else _normal(address, ipv6_prefix)


def host_of(url: str) -> str | None:
    """Normal form of the host that an http(s) URL names; None when it names none: `null`, other schemes, nonsense."""
    match = _AUTHORITY.match(url.strip(" \t"))  # no more: \xa0 may be the last byte of a character
    if match is None:
        return None
    host = match[1].rpartition("@")[2]
    if host.startswith("["):
        inside, bracket, port = host[1:].partition("]")
        address = _address(inside) if bracket and "%" not in inside else None
        return str(address) if isinstance(address, IPv6Address) and _is_port(port) else None
    name, _, _ = host.partition(":")
    return normal_host(name) if _is_port(host[len(name) :]) else None


def normal_host(name: str) -> str | None:
    """Lower-case host name in ASCII (A-labels, IDNA 2003) with no trailing dot, or IPv4 address; None when it is
    neither."""
    name = _as_utf8(name).lower()
    name = name[:-1] if name and _DOT.match(name[-1]) else name
    if not 0 < len(name) <= MAX_HOST_CHARS:
        return None
    if not name.isascii():
        try:  # label by label: the codec takes characters that fold to a dot for a part of their label
            coded = [label.encode("idna").decode("ascii").lower() for label in _DOT.split(name)]
        except UnicodeError:
            return None
        if any("." in label for label in coded):
            return None
        name = ".".join(coded)
    labels = name.split(".")
    if len(name) > MAX_HOST_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    if labels[-1].isdigit():  # no top-level domain is a number: an address, or nothing
        return name if isinstance(_address(name), IPv4Address) else None
    return name


def is_site(host: str) -> bool:
    """Whether a host names one site for everybody. `localhost`, a bare name of some intranet or an address does not:
    strangers share it, so it is counted but must not use up one quota."""
    return "." in host and not host.rpartition(".")[2].isdigit()


def parse_networks(cidrs: str) -> tuple[Network, ...]:
    """Networks of a comma-separated list of CIDRs. ValueError names the one that is none."""
    return tuple(ip_network(cidr.strip()) for cidr in cidrs.split(",") if cidr.strip())


def _address(text: str) -> Address | None:
    """An address, perhaps in brackets or with a port (some proxies write one). A zone names an interface of one
    machine: garbage."""
    text = text.strip()
    match = _V4_AND_PORT.fullmatch(text) or _V6_IN_BRACKETS.fullmatch(text)
    if match is not None:
        text = match[1]
    if len(text) > 45 or "%" in text:  # the longest: IPv4-mapped IPv6 in full
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_trusted(address: Address, trusted_proxies: tuple[Network, ...]) -> bool:
    return any(address in network for network in trusted_proxies)


def _normal(address: Address, ipv6_prefix: int) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    host_bits = 128 - ipv6_prefix
    return f"{IPv6Address(int(address) >> host_bits << host_bits)}/{ipv6_prefix}"


def _is_port(text: str) -> bool:
    return not text or _PORT.fullmatch(text) is not None


def _as_utf8(text: str) -> str:
    """Bytes that were UTF-8 but were decoded as Latin-1 (RFC 9110, section 5.5), decoded again; anything else as it
    is."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
