"""Reading access logs: any that is in the combined format, and what to do with lines that are not."""

import gzip
from pathlib import Path

import pytest

from tallygate.access_log.entry import Entry, Skipped
from tallygate.access_log.json_lines import JsonLines
from tallygate.access_log.reading import parse_line
from tallygate.demo.access_log import LogLine, read_log, sendable
from tallygate.demo.oracle import identifiers
from tallygate.demo.sample import SAMPLE, sample_lines

GOOD = (
    b'203.0.113.7 - frank [17/May/2026:10:05:03 +0000] "GET /a HTTP/1.1" 200 512 "http://shop.example/" "Mozilla/5.0"'
)


def sent(line: bytes) -> LogLine | Skipped:
    entry = parse_line(3, line, JsonLines())
    return sendable(entry) if isinstance(entry, Entry) else entry


@pytest.mark.parametrize(
    ("line", "client", "referer"),
    [
        (GOOD, "203.0.113.7", b"http://shop.example/"),
        (GOOD.replace(b"203.0.113.7", b"2001:db8::1"), "2001:db8::1", b"http://shop.example/"),
        (GOOD.replace(b"http://shop.example/", b"-"), "203.0.113.7", None),
        (GOOD.replace(b"http://shop.example/", b""), "203.0.113.7", None),
        (GOOD.replace(b"shop.example/", b"x" * 9_721), "203.0.113.7", b"http://" + b"x" * 9_721),
        (GOOD.replace(b" 512 ", b" - "), "203.0.113.7", b"http://shop.example/"),
        (GOOD.replace(b"shop.example/", b"shop.example/\xe9\xff"), "203.0.113.7", b"http://shop.example/\xe9\xff"),
        (GOOD.replace(b"example/", rb"example/?q=\"x\""), "203.0.113.7", rb"http://shop.example/?q=\"x\""),
        (GOOD.replace(b"frank", b"frank of the house"), "203.0.113.7", b"http://shop.example/"),
        (GOOD.replace(b'"GET /a HTTP/1.1"', b'"-"'), "203.0.113.7", b"http://shop.example/"),
        (GOOD + b' 0.004 "203.0.113.9"', "203.0.113.7", b"http://shop.example/"),
    ],
)
def test_a_line_in_the_combined_format_is_read(line: bytes, client: str, referer: bytes | None) -> None:
    assert sent(line) == LogLine(3, client, referer)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "not in the combined format"),
        (b"\x16\x03\x01\x02\x00", "not in the combined format"),
        (GOOD[:80], "not in the combined format"),
        (b'203.0.113.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 512', "not in the combined format"),
        (GOOD.replace(b"203.0.113.7", b"crawler.example.net"), "its client is not an IP address"),
        (GOOD.replace(b"203.0.113.7", b"300.0.0.1"), "its client is not an IP address"),
        (GOOD.replace(b"203.0.113.7", b"fe80::1%eth0"), "its client is not an IP address"),
        (GOOD.replace(b"shop.example/", b"a\x00b"), "its Referer has bytes that no header may hold"),
        (GOOD.replace(b"shop.example/", b"x" * 9_722), "its Referer is too long for API Gateway: 9,729 bytes"),
        (GOOD.replace(b"shop.example/", b"a\rX-Api-Key: b"), "its Referer has bytes that no header may hold"),
    ],
)
def test_a_line_that_cannot_be_sent_says_why(line: bytes, reason: str) -> None:
    skipped = sent(line)
    assert isinstance(skipped, Skipped)
    assert (skipped.number, skipped.reason) == (3, reason)
    assert skipped.text.isprintable()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_log_is_read_packed_or_not_and_lines_keep_their_numbers(tmp_path: Path, pack: type[bytes]) -> None:
    path = tmp_path / "some.log"
    path.write_bytes(pack(GOOD + b"\r\n\n   \nnonsense\n" + GOOD))
    first, nonsense, last = read_log(path)
    assert (first.number, nonsense.number, last.number) == (1, 4, 5)
    assert isinstance(nonsense, Skipped)


def test_a_broken_gzip_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(GOOD * 1000)[:-200])
    with pytest.raises(OSError, match=r"cut\.gz is a broken gzip"):
        list(read_log(path))


def test_the_sample_that_ships_is_what_the_script_makes() -> None:
    assert gzip.decompress(SAMPLE.read_bytes()).splitlines() == sample_lines()


def test_the_sample_has_what_real_logs_have() -> None:
    lines = list(read_log(SAMPLE))
    good = [line for line in lines if isinstance(line, LogLine)]
    assert len(lines) - len(good) == 5
    referers = b"".join(line.referer or b"" for line in good)
    with pytest.raises(UnicodeDecodeError):
        referers.decode()
    counted = {identifier for line in good for identifier in identifiers(line.client, line.referer, None)}
    assert {("ref", "xn--bcher-kva.example"), ("ref", "2001:db8::42"), ("ip", "2001:db8:1:7::/64")} <= counted
