"""Rate-limit header fields: valid structured fields that say what was decided."""

from dataclasses import replace

from http_sfv.list import List
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.decide import Checked, Decision
from tallygate.core.headers import DRAFT_11, Draft, rate_limit_headers
from tallygate.core.plans import Limit

NOW = 1_795_176_000_250  # 2026-11-20T12:00:00.250Z
DAY_S = 86_400
MIDNIGHT = 1_795_219_200_000
DECEMBER = 1_796_083_200_000
FEBRUARY_ENDS = 1_835_481_600_000  # 2028-03-01

DAILY = Checked(Limit("ip", 200, "day"), 13, DAY_S * 1000, MIDNIGHT)
MONTHLY = Checked(Limit("ref", 2000, "month"), 1995, 30 * DAY_S * 1000, DECEMBER)


def parsed(field: str) -> dict[str, dict[str, int]]:
    items = List()
    items.parse(field.encode())
    return {item.value: dict(item.params) for item in items}


def test_every_limit_is_told() -> None:
    headers = rate_limit_headers(Decision((DAILY, MONTHLY)), NOW)
    assert parsed(headers["RateLimit-Policy"]) == {
        "ip-day": {"q": 200, "w": DAY_S},
        "ref-month": {"q": 2000, "w": 30 * DAY_S},
    }
    assert parsed(headers["RateLimit"]) == {
        "ip-day": {"r": 187, "t": 43_200},
        "ref-month": {"r": 5, "t": 907_200},
    }
    assert "Retry-After" not in headers


def test_the_older_fields_tell_the_tightest_limit() -> None:
    headers = rate_limit_headers(Decision((DAILY, MONTHLY)), NOW)
    assert headers["X-RateLimit-Limit"] == "2000"
    assert headers["X-RateLimit-Remaining"] == "5"
    assert headers["X-RateLimit-Reset"] == str(DECEMBER // 1000)


def test_the_older_fields_tell_no_limit_that_only_warns_nor_a_burst() -> None:
    soft = Checked(Limit("ip", 10, "day", soft=True), 13, DAY_S * 1000, MIDNIGHT, opens_ms=MIDNIGHT, exceeded=True)
    burst = Checked(Limit("ip", 5, "minute"), 1, 1000, NOW + 750)
    headers = rate_limit_headers(Decision((soft, burst, DAILY, MONTHLY)), NOW)
    assert headers["X-RateLimit-Limit"] == "2000"
    assert parsed(headers["RateLimit-Policy"])["ip-day-soft"] == {"q": 10, "w": DAY_S}
    assert parsed(headers["RateLimit"])["ip-day-soft"] == {"r": 0, "t": 43_200}
    refused = replace(burst, refuses=True, opens_ms=NOW + 750)
    headers = rate_limit_headers(Decision((soft, refused, DAILY), "quota", 1), NOW)
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("5", "0")
    assert rate_limit_headers(Decision((soft,)), NOW)["X-RateLimit-Limit"] == "10"


def test_of_limits_that_refuse_the_older_fields_tell_the_one_that_opens_last() -> None:
    refused = [replace(each, refuses=True, opens_ms=each.reset_ms) for each in (DAILY, MONTHLY)]
    for limits in (refused, refused[::-1]):
        headers = rate_limit_headers(Decision(tuple(limits), "quota", 907_200), NOW)
        assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Reset"]) == ("2000", str(DECEMBER // 1000))


def test_the_older_fields_tell_how_many_more_fit_not_the_smallest_share() -> None:
    """2 of 3 are a larger share than 5 of 2000, and yet the third call from here is refused."""
    tiny = Checked(Limit("key", 3, "hour"), 1, 3_600_000, NOW + 60_000)
    assert rate_limit_headers(Decision((MONTHLY, tiny)), NOW)["X-RateLimit-Remaining"] == "2"


def test_what_is_only_estimated_is_not_told_as_used() -> None:
    headers = rate_limit_headers(Decision((replace(DAILY, used=200, guessed=60),)), NOW)
    assert parsed(headers["RateLimit"])["ip-day"] == {"r": 60, "t": 43_200}
    assert headers["X-RateLimit-Remaining"] == "60"


def test_a_rolling_limit_has_more_when_this_window_ends() -> None:
    """By then, all of yesterday's weight is gone; what is used now is gone a day later."""
    rolling = Checked(Limit("key", 100, "day", rolling=True), 40, DAY_S * 1000, MIDNIGHT + DAY_S * 1000)
    february = Checked(Limit("key", 100, "month", rolling=True), 40, 31 * DAY_S * 1000, FEBRUARY_ENDS)
    headers = rate_limit_headers(Decision((rolling,)), NOW)
    assert parsed(headers["RateLimit"])["key-day"] == {"r": 60, "t": 43_200}
    headers = rate_limit_headers(Decision((february,)), FEBRUARY_ENDS - 30 * DAY_S * 1000)
    assert parsed(headers["RateLimit"])["key-month"]["t"] == DAY_S, "January ends, of a leap year"


def test_who_is_refused_for_seconds_is_told_seconds() -> None:
    refused = Checked(Limit("ip", 200, "day"), 230, DAY_S * 1000, MIDNIGHT, refuses=True, opens_ms=NOW + 4_100)
    headers = rate_limit_headers(Decision((refused, MONTHLY), "quota", 5), NOW)
    assert parsed(headers["RateLimit"])["ip-day"] == {"r": 0, "t": 5}
    assert headers["Retry-After"] == "5"
    assert headers["X-RateLimit-Remaining"] == "0"


def test_nothing_checked_is_nothing_told() -> None:
    assert rate_limit_headers(Decision(), NOW) == {}
    assert rate_limit_headers(Decision((), "unavailable", 5), NOW) == {"Retry-After": "5"}


def test_another_version_of_the_draft_is_a_value() -> None:
    headers = rate_limit_headers(Decision((DAILY,)), NOW, Draft(remaining="a", seconds="w"))
    assert parsed(headers["RateLimit"]) == {"ip-day": {"a": 187, "w": 43_200}}


@given(
    st.integers(0, 10**18),
    st.integers(0, 10**18),
    st.booleans(),
    st.integers(NOW, DECEMBER),
    st.integers(NOW, DECEMBER),
)
def test_whatever_is_decided_can_be_parsed(quota: int, used: int, refuses: bool, reset_ms: int, opens_ms: int) -> None:
    checked = Checked(Limit("key", quota, "month"), used, 30 * DAY_S * 1000, reset_ms, refuses, opens_ms)
    headers = rate_limit_headers(Decision((checked,)), NOW)
    assert parsed(headers["RateLimit-Policy"])["key-month"]["q"] == min(quota, 999_999_999_999_999)
    told = parsed(headers["RateLimit"])["key-month"]
    assert 0 <= told[DRAFT_11.remaining] <= max(0, quota - used)
    assert told[DRAFT_11.seconds] >= 0
