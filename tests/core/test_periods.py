"""Periods are held to the standard library's calendar, over four centuries."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.periods import day_of, hour_of, period_of, start_ms_of, window_bounds_ms
from tallygate.core.plans import COUNTED_WINDOWS, WINDOWS

times = st.integers(min_value=0, max_value=4_102_444_800_000 * 3)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


@given(times)
def test_a_period_is_the_calendars_own(at_ms: int) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    day = day_of(at_ms)
    assert (day.month, day.number) == (f"{at:%Y-%m}", at.day)
    assert day.start_ms == _ms(midnight)
    assert hour_of(at_ms) == f"{at:%Y-%m-%dT%H}"
    assert [period_of(window, at_ms) for window in WINDOWS] == [
        f"minute#{at:%Y-%m-%dT%H:%M}",
        f"hour#{at:%Y-%m-%dT%H}",
        f"day#{at:%Y-%m-%d}",
        f"month#{at:%Y-%m}",
    ]
    minute, hour = at.replace(second=0, microsecond=0), at.replace(minute=0, second=0, microsecond=0)
    assert window_bounds_ms("minute", at_ms) == (_ms(minute), _ms(minute + timedelta(minutes=1)))
    assert window_bounds_ms("hour", at_ms) == (_ms(hour), _ms(hour + timedelta(hours=1)))
    assert window_bounds_ms("day", at_ms) == (_ms(midnight), _ms(midnight + timedelta(days=1)))
    assert window_bounds_ms("month", at_ms) == (_ms(first), _ms(following))


@given(times)
def test_a_period_begins_where_its_name_says(at_ms: int) -> None:
    for window in COUNTED_WINDOWS:
        assert start_ms_of(period_of(window, at_ms)) == window_bounds_ms(window, at_ms)[0]
