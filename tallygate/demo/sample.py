"""The sample log, made here and from nobody's visitors: addresses and hosts reserved for documentation (RFC 5737, 3849,
2606), and what real logs have in them. `python -m tallygate.demo.sample` writes it again, line for line the same."""

import gzip
import random
from pathlib import Path
from typing import Final

SAMPLE: Final = Path(__file__).with_name("sample.log.gz")
LINES: Final = 760
SCRAPER: Final = "198.51.100.23"
"""Asks for more than the anonymous plan allows an address in a day."""
SCRAPER_LINES: Final = 400
OFFICE: Final = "203.0.113.80"

_VISITORS: Final = (
    [f"192.0.2.{host}" for host in range(10, 60)]
    + [f"203.0.113.{host}" for host in range(1, 30)]
    + [f"2001:db8:{site:x}:7::{host:x}" for site in range(1, 12) for host in (1, 0xBEEF)]  # two of each are one /64
    + ["2001:DB8:0:0:0:0:0:1", "2001:db8::1", "::ffff:192.0.2.10", "192.0.2.200"]
)
_REFERERS: Final = (
    [b"-"] * 9
    + [b"https://shop.example/", b"https://shop.example/basket?item=7", b"http://www.shop.example/"] * 4
    + [
        b"https://SHOP.Example:8443/",
        b"https://shop.example./",
        b"https://user:secret@partner.example:8080/embed",
        b"http://blog.example/2026/05/17/hello-world/",
        b"https://news.example.com/a\xe9rien.html",  # Latin-1, as old sites write it
        "https://bücher.example/suche?q=größe".encode(),
        "https://bücher.example/".encode("latin-1"),
        b"https://xn--bcher-kva.example/",
        "https://例え.example/".encode(),
        b"http://[2001:db8::42]:8080/status",
        b"http://192.0.2.80/",
        b"http://localhost:3000/",
        b"https://search.example.org/?q=\xff\xfe\x80",
        b"android-app://com.example.reader/",
        b"about:blank",
        b"not a url at all",
        b"https:///nowhere",
        b'https://quoted.example/\\"x\\"',
    ]
)
_AGENTS: Final = (
    b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    b"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15",
    b"curl/8.5.0",
    b"-",
)
_PATHS: Final = (b"/", b"/v1/items", b"/v1/items?page=2", b"/images/logo.png", b"/search?q=%C3%A9t%C3%A9", b"/feed.xml")
_MALFORMED: Final = (
    b'192.0.2.7 - - [17/May/2026:10:12:44 +0000] "GET /cut-off-in-the-mid',
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b'crawler.example.net - - [17/May/2026:10:15:01 +0000] "GET / HTTP/1.1" 200 512 "-" "a host name, not an address"',
    b'192.0.2.9 - - [17/May/2026:10:20:00 +0000] "GET / HTTP/1.1" 200 512',
    b"=== log rotated ===",
)


def sample_lines(seed: int = 2026) -> list[bytes]:
    """The lines of the sample, without their ends."""
    draw = random.Random(seed)
    clients = [SCRAPER] * SCRAPER_LINES + [OFFICE] * 60
    clients += draw.choices(_VISITORS, k=LINES - len(clients))
    draw.shuffle(clients)
    lines = [_line(draw, index, client.encode()) for index, client in enumerate(clients)]
    for malformed in _MALFORMED:
        lines.insert(draw.randrange(len(lines)), malformed)
    return lines


def _line(draw: random.Random, index: int, client: bytes) -> bytes:
    user = b"frank" if draw.random() < 0.05 else b"-"
    at = b"17/May/2026:%02d:%02d:%02d +0000" % (10 + index // 360, index // 6 % 60, index % 6 * 10)
    status = draw.choice([200] * 20 + [304, 404, 301])
    size = b"-" if status == 304 else b"%d" % draw.randrange(120, 40_000)
    scraping = client == SCRAPER.encode()
    referer = b"-" if scraping else draw.choice(_REFERERS)
    agent = b"scraper/0.1" if scraping else draw.choice(_AGENTS)
    return b'%s - %s [%s] "GET %s HTTP/1.1" %d %s "%s" "%s"' % (
        client, user, at, draw.choice(_PATHS), status, size, referer, agent,
    )  # fmt: skip


if __name__ == "__main__":
    SAMPLE.write_bytes(gzip.compress(b"".join(line + b"\n" for line in sample_lines()), mtime=0))
