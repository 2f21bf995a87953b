"""The combined format of Apache and nginx, as bytes: a log is in no particular encoding.

203.0.113.7 - frank [17/May/2026:10:05:03 +0000] "GET /a HTTP/1.1" 200 512 "http://shop.example/" "Mozilla/5.0"
"""

import re
from typing import Final

from tallygate.access_log.entry import Entry, UnreadableError, is_address
from tallygate.access_log.times import clf_ms

# A time has an end, and no bracket in it: else a line of nothing but brackets would be searched from each of them.
_QUOTED: Final = rb'"(?:[^"\\]|\\.)*"'
_LINE: Final = re.compile(
    rb"(?P<client>\S+) \S+ (?P<user>.+?) \[(?P<time>[^][]{1,40})\] "
    + _QUOTED
    + rb" (?P<status>\d{3}) (?:\d+|-) "
    + rb'"(?P<referer>(?:[^"\\]|\\.)*)" '
    + _QUOTED
    + rb".*"
)


def parse_combined(number: int, line: bytes) -> Entry:
    """One line, without its end. UnreadableError when it is not in the format."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise UnreadableError("not in the combined format")
    client, user, time, status, referer = match.group("client", "user", "time", "status", "referer")
    address = client.decode("ascii", "replace")
    if not is_address(address):
        raise UnreadableError("its client is not an IP address")
    at_ms = clf_ms(time.decode("ascii", "replace"))
    if at_ms is None:
        raise UnreadableError("its time is not like 17/May/2026:10:05:03 +0000")
    referer = referer.strip(b" \t")
    key = None if user == b"-" else user.decode("utf-8", "backslashreplace")
    return Entry(number, at_ms, address, None if referer in (b"", b"-") else referer, None, key, int(status))
