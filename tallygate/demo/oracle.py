"""What an access log itself says was called, by whom and how often: the other side of the comparison.

It shares nothing with the product but the specification (docs/architecture.md, identifiers): other ways, other steps.
Nothing of tallygate.core is imported here, so that a mistake in the product's normal forms is not made here as well.
"""

import hashlib
import ipaddress
import re
from unicodedata import ucd_3_2_0 as UNICODE  # what IDNA 2003 is defined on (RFC 3454)

Identifier = tuple[str, str]
"""Kind and normal form: `("ip", "203.0.113.7")`."""

# What IDNA drops from a name: soft hyphens, joiners and variation selectors (RFC 3454, table B.1).
_DROPPED = re.compile("[\u00ad\u034f\u1806\u180b-\u180d\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]")

_DOT = "[.\u3002\uff0e\uff61]"  # RFC 3490, section 3.1


def identifiers(
    client: str, referer: bytes | None, secret: str | None, real_key: bool = True, ipv6_prefix: int = 64
) -> list[Identifier]:
    """What a call counts for. Keys that were never given out (`real_key` false) are counted as one."""
    found = [("ip", address(client, ipv6_prefix))]
    if referer is not None and (host := referring_host(referer)) is not None:
        found.append(("ref", host))
    if secret is not None:
        found.append(("key", hashlib.sha256(secret.encode()).hexdigest()[:16] if real_key else "invalid"))
    return found


def address(client: str, ipv6_prefix: int = 64) -> str:
    """IPv4 as it is, also when it is written as IPv6; of other IPv6 the network."""
    ip = ipaddress.ip_address(client)
    if ip.version == 4:
        return str(ip)
    if ip.packed[:12] == bytes(10) + b"\xff\xff":
        return ".".join(str(byte) for byte in ip.packed[12:])
    return str(ipaddress.ip_network(f"{ip}/{ipv6_prefix}", strict=False))


def referring_host(referer: bytes) -> str | None:
    """The host of an http or https URL: lower case, ASCII, without user, port and final dot. None if there is none."""
    try:
        text = referer.strip(b" \t").decode("utf-8")
    except UnicodeDecodeError:
        text = referer.strip(b" \t").decode("latin-1")
    scheme, _, rest = text.partition("://")
    if scheme.lower() not in ("http", "https"):
        return None
    host = re.split(r"[/\\?#]", rest)[0].split("@")[-1]  # browsers take either slash
    numeric = re.fullmatch(r"\[([0-9a-f:.]+)\](:\d{0,5})?", host, re.ASCII | re.IGNORECASE)
    named = re.fullmatch(r"([^:\[\]]+)(:[0-9]{0,5})?", host)
    if numeric:
        try:
            ip = ipaddress.IPv6Address(numeric[1])
        except ValueError:
            return None
        return None if ip.ipv4_mapped else ip.compressed
    return ascii_host(named[1]) if named else None


def ascii_host(name: str) -> str | None:
    """A host name as the domain name system has it, or an IPv4 address; None for what can be neither."""
    labels = [_folded(label) for label in re.split(_DOT, re.sub(_DOT + r"\Z", "", name))]
    if not all(label.isascii() or (_is_writable(label) and not label.startswith("xn--")) for label in labels):
        return None  # what is encoded already cannot be encoded again (RFC 3490, section 4.1, step 5)
    labels = [label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in labels]
    host = ".".join(labels)
    if len(host) > 253 or not all(re.fullmatch(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", label) for label in labels):
        return None
    if labels[-1].isdigit() and not _is_ipv4(host):
        return None
    return host


def _folded(label: str) -> str:
    """A label without regard to case and to how its characters are composed."""
    kept = _DROPPED.sub("", label)
    return UNICODE.normalize("NFKC", UNICODE.normalize("NFKC", kept.casefold()).casefold())


def _is_writable(label: str) -> bool:
    """No control characters, private ones or blanks, and one direction of writing from end to end."""
    directions = [UNICODE.bidirectional(char) for char in label]
    if any(UNICODE.category(char) in ("Cc", "Cf", "Co", "Cs", "Zs", "Zl", "Zp") for char in label):
        return False
    if not {"R", "AL"} & set(directions):
        return True
    return "L" not in directions and {directions[0], directions[-1]} <= {"R", "AL"}


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True
