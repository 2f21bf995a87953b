"""A caller's past: which periods a query means, page by page, and what it says when it means none."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.history import (
    GRANULARITIES,
    MAX_ROWS,
    PAGE_ROWS,
    Granularity,
    InvalidParameterError,
    Page,
    first_page,
)
from tallygate.core.periods import DAY_MS, HOUR_MS, window_bounds_ms
from tallygate.core.retention import Retention
from tallygate.core.times import time_ms
from tallygate.core.usage import HomeUsage

NOW = 1_795_176_000_123  # 2026-11-20T12:00:00.123Z
RETENTION = Retention(24, 400)
LONG = Retention(24, 3_650)


def page(query: Mapping[str, str], value: str = "9f2c", retention: Retention = RETENTION, now_ms: int = NOW) -> Page:
    return first_page(query, "key", value, retention, now_ms, hours=True)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-20", "2026-11-20T00:00:00.000"),
        ("20261120", "2026-11-20T00:00:00.000"),
        ("2026-11-20T12:34", "2026-11-20T12:34:00.000"),
        ("2026-11-20T12:34:56.789Z", "2026-11-20T12:34:56.789"),
        ("2026-11-20T12:34:56.7899Z", "2026-11-20T12:34:56.789"),
        ("2026-11-20T01:00:00+02:00", "2026-11-19T23:00:00.000"),
        ("2026-11-20T01:00:00 02:00", "2026-11-19T23:00:00.000"),
        ("2028-02-29", "2028-02-29T00:00:00.000"),
        ("1795176000", "2026-11-20T12:00:00.000"),
        ("1795176000123", "2026-11-20T12:00:00.123"),
        ("1795176000123456", "2026-11-20T12:00:00.123"),
        ("9999-12-31", "9999-12-31T00:00:00.000"),
    ],
)
def test_a_time_is_taken_in_each_usual_form(text: str, at: str) -> None:
    assert datetime.fromtimestamp(time_ms(text) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] == at


@given(st.integers(10**8, 253_402_300_799))
def test_a_unix_time_is_the_same_in_every_unit_and_in_words(seconds: int) -> None:
    if seconds < 10**11:
        assert time_ms(str(seconds)) == seconds * 1000
        assert time_ms(f"{seconds}123") == seconds * 1000 + 123
        assert time_ms(f"{seconds}123999") == seconds * 1000 + 123
    assert time_ms(datetime.fromtimestamp(seconds, UTC).isoformat()) == seconds * 1000


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026", "2026-13-01", "2027-02-29", "1969-12-31", "-1795176000", "1.8e9", "٢٠٢٦-11-20",
     "2026-11-20,2026-11-21", "17951760001234567890", "2026-11-20T25:00", "9" * 5_000, "0001-01-01T00:00+23:00"],
)  # fmt: skip
def test_what_is_no_time_is_told_what_one_is(text: str) -> None:
    for name in ("from", "to"):
        with pytest.raises(InvalidParameterError, match="ISO 8601") as refused:
            page({"from": "2026-11-01", "to": "2026-11-02", name: text})
        assert refused.value.parameter == name


@given(st.text(max_size=60))
def test_nothing_that_is_written_for_a_time_or_a_cursor_is_a_fault_of_ours(text: str) -> None:
    for name in ("from", "to", "cursor", "granularity"):
        with suppress(InvalidParameterError):
            assert page({"from": "2026-11-01", name: text}).rows(())


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"to": "2026-11-20"}, "from"),
        ({"granularity": "day"}, "from"),
        ({"cursor": "AAAA"}, "from"),
        ({"from": "2026-11-20", "to": "2026-11-20"}, "from"),
        ({"from": "2026-11-20", "to": "2026-11-19"}, "from"),
        ({"from": "2026-11-21"}, "from"),
        ({"from": "2025-09-30"}, "from"),
        ({"from": "2026-11-20", "granularity": "week"}, "granularity"),
        ({"from": "2026-11-20", "granularity": "day,hour"}, "granularity"),
        ({"from": "2026-11-10T23:59", "granularity": "hour"}, "from"),
        ({"from": "2026-11-01", "cursor": "x"}, "cursor"),
        ({"from": "2026-11-01", "cursor": ""}, "cursor"),
        ({"from": "2026-11-01", "cursor": "é"}, "cursor"),
    ],
)
def test_a_query_that_means_nothing_is_told_what_is_wrong(query: dict[str, str], parameter: str) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        page(query)
    assert refused.value.parameter == parameter


def test_an_end_that_is_yet_to_come_is_the_same_end_an_hour_later() -> None:
    """The first page of it ends with the hour that has only begun, and so do those that follow, whenever."""
    query = {"from": "2026-11-13", "to": "2026-12-01", "granularity": "hour"}
    first = page(query)
    assert first.next is not None
    asked = {**query, "cursor": first.next["cursor"]}
    for later_ms in (0, HOUR_MS, DAY_MS):
        following = page(asked, now_ms=NOW + later_ms)
        assert (following.at_ms, following.until_ms) == (first.until_ms, first.end_ms)
    for to in ("2026-11-20T12:00", "2026-11-19"):
        with pytest.raises(InvalidParameterError, match="cursor"):
            page({**asked, "to": to}, now_ms=NOW + HOUR_MS)
    until_noon = {**query, "to": "2026-11-20T12:00"}
    assert page(until_noon).end_ms == time_ms("2026-11-20T12:00")
    past = page(until_noon)
    assert past.next is not None
    with pytest.raises(InvalidParameterError, match="cursor"):
        page({**until_noon, "to": "2026-12-01", "cursor": past.next["cursor"]})


def test_a_range_has_a_largest_length() -> None:
    now_ms = time_ms("2026-11-20")
    assert page({"from": str((now_ms - (MAX_ROWS - 1) * DAY_MS) // 1000)}, retention=LONG, now_ms=now_ms + 1)
    with pytest.raises(InvalidParameterError, match="1000 days"):
        page({"from": str((now_ms - MAX_ROWS * DAY_MS) // 1000)}, retention=LONG, now_ms=now_ms + 1)


def test_hours_are_told_only_where_they_are_counted() -> None:
    with pytest.raises(InvalidParameterError, match="day or month") as refused:
        first_page({"from": "2026-11-20", "granularity": "hour"}, "key", "9f2c", RETENTION, NOW, hours=False)
    assert refused.value.parameter == "granularity"


def test_what_is_kept_is_told_to_its_first_period_and_no_further() -> None:
    """400 days before the 20th of November 2026 is the 16th of October 2025, whose month is still kept."""
    assert page({"from": "2025-10-01"}).start_ms == time_ms("2025-10-01")
    assert page({"from": "2026-11-11T12:00", "granularity": "hour"}).start_ms == time_ms("2026-11-11T12:00")
    with pytest.raises(InvalidParameterError, match=r"2025-10-01T00:00:00\.000Z or later"):
        page({"from": "2025-09-30T23:59:59.999"})
    with pytest.raises(InvalidParameterError, match=r"2026-11-01T00:00:00\.000Z or later"):
        first_page({"from": "2026-10-31"}, "ip", "203.0.113.7", RETENTION, NOW, hours=True)


@given(st.integers(0, 400), st.integers(0, DAY_MS - 1), st.integers(0, 400))
def test_an_item_in_a_range_that_is_allowed_is_still_there(days: int, of_day: int, history_days: int) -> None:
    now_ms, retention = NOW + days * DAY_MS + of_day, Retention(24, history_days)
    for kind, seconds in (("key", retention.keys_seconds), ("ip", retention.items_seconds)):
        kept_ms = retention.kept_from_ms(kind, "month", now_ms)  # type: ignore[arg-type]  # mypy widens the pair
        assert window_bounds_ms("month", kept_ms)[1] + seconds * 1000 > now_ms
        assert kept_ms + seconds * 1000 <= now_ms


def test_periods_that_have_only_begun_are_told_whole() -> None:
    told = page({"from": "2026-11-19T15:00", "to": "2026-11-20T00:00:00.001"})
    assert (told.start_ms, told.end_ms) == (time_ms("2026-11-19"), time_ms("2026-11-21"))
    assert page({"from": "2026-11-19", "to": "2026-11-20"}).end_ms == time_ms("2026-11-20")
    assert page({"from": "2026-11-01", "to": "2036-01-01"}).end_ms == time_ms("2026-11-21"), "nothing of the future"


def test_days_are_those_of_their_months_and_gaps_are_0() -> None:
    told = page({"from": "2026-02-27", "to": "2026-03-03"})
    assert told.items == ("month#2026-02", "month#2026-03")
    february = HomeUsage("us-east-1", "2026-02", 9, 7, 1, {27: 5, 3: 2})
    march = HomeUsage("us-east-1", "2026-03", 4, 4, 0, {2: 4})
    away = HomeUsage("eu-west-1", "2026-03", 1, 1, 0, {2: 1})
    assert [(row.start_ms, row.charged) for row in told.rows((february, march, away))] == [
        (time_ms("2026-02-27"), 5),
        (time_ms("2026-02-28"), 0),
        (time_ms("2026-03-01"), 0),
        (time_ms("2026-03-02"), 5),
    ]


def test_hours_are_those_of_their_own_items() -> None:
    told = page({"from": "2026-11-20T10:30", "granularity": "hour"})
    assert told.items == ("hour#2026-11-20T10", "hour#2026-11-20T12")
    rows = told.rows((HomeUsage("us-east-1", "", 7, 7, hour="2026-11-20T11"),))
    assert [row.charged for row in rows] == [0, 7, 0]


ranges = st.tuples(st.integers(0, 399 * 24), st.integers(1, 399 * 24), st.sampled_from(GRANULARITIES))


def all_pages(query: dict[str, str]) -> list[Page]:
    pages = [page(query)]
    while (following := pages[-1].next) is not None:
        pages.append(page(following))
        assert len(pages) <= MAX_ROWS
    return pages


@given(ranges)
def test_pages_follow_each_other_and_leave_nothing_out(asked: tuple[int, int, Granularity]) -> None:
    back, length, granularity = asked
    if granularity == "hour":
        back %= 200
    start_ms = NOW - back * HOUR_MS
    pages = all_pages(
        {"from": str(start_ms), "to": str(min(NOW, start_ms + length * HOUR_MS) + 1), "granularity": granularity}
    )
    assert pages[0].at_ms == pages[0].start_ms <= start_ms
    assert pages[-1].until_ms == pages[-1].end_ms
    assert all(one.until_ms == other.at_ms for one, other in pairwise(pages))
    rows = [row for each in pages for row in each.rows(())]
    assert [row.start_ms for row in rows] == sorted({window_bounds_ms(granularity, row.start_ms)[0] for row in rows})
    assert max(len(each.rows(())) for each in pages) <= PAGE_ROWS[granularity]


@pytest.mark.parametrize("other", [{"from": "2026-01-02"}, {"to": "2026-11-03"}, {"granularity": "month"}])
def test_a_cursor_is_good_for_its_own_query_and_caller_only(other: dict[str, str]) -> None:
    following = page({"from": "2026-01-01", "to": "2026-11-02"}).next
    assert following is not None
    with pytest.raises(InvalidParameterError, match="page before") as refused:
        page({**following, **other})
    assert refused.value.parameter == "cursor"
    with pytest.raises(InvalidParameterError, match="page before"):
        page(following, value="another")
    assert page(following).at_ms == time_ms("2026-04-03"), "92 days later"


@given(st.integers(0, 15), st.integers(0, 255))
def test_a_cursor_that_was_changed_leads_nowhere(place: int, byte: int) -> None:
    following = page({"from": "2026-01-01", "to": "2026-11-02"}).next
    assert following is not None
    changed = bytearray(following["cursor"].encode())
    changed[place] = byte % 94 + 33
    if changed.decode() != following["cursor"]:
        with pytest.raises(InvalidParameterError):
            page({**following, "cursor": changed.decode()})
