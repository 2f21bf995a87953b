"""The rows that an export makes of items of the tally."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.export import ExportRow, HomeRows, Periods, Span, span_of
from tallygate.core.fold import Fold, ItemFold
from tallygate.core.history import GRANULARITIES, InvalidParameterError
from tallygate.core.lines import UsageLine
from tallygate.core.periods import DAY_MS, window_bounds_ms
from tallygate.core.tally import Addition, ItemKey, TallyItem, added_to
from tallygate.core.times import time_ms

HOME = "us-east-1"
NOVEMBER = time_ms("2026-11-01")
NOW = time_ms("2026-11-20T14:30")
MONTH = ItemKey("key#9f2c", "month#2026-11")


def rows_of(span: Span, items: dict[ItemKey, TallyItem]) -> list[ExportRow]:
    made = HomeRows(HOME, span)
    return [row for key, item in items.items() for row in made.of(key, item)] + list(made.totals())


def test_a_month_is_one_row() -> None:
    span = span_of("2026-11-01", None, "month", NOW)
    item = TallyItem(units=12, charged=10, denied=3, days={20: 10})
    assert rows_of(span, {MONTH: item}) == [ExportRow("key", "9f2c", None, None, NOVEMBER, "month", HOME, 12, 10, 3)]


def test_a_day_admits_what_was_charged_and_what_was_free() -> None:
    span = span_of("2026-11-19", "2026-11-21", "day", NOW)
    item = TallyItem(units=20, charged=15, denied=4, days={18: 5, 20: 10}, free_days={20: 5}, denied_days={19: 4})
    assert [(row.start_ms, row.admitted, row.charged, row.denied) for row in rows_of(span, {MONTH: item})] == [
        (time_ms("2026-11-19"), 0, 0, 4),
        (time_ms("2026-11-20"), 15, 10, 0),
    ]


def test_hours_of_regions_are_added_up_to_what_is_asked_for() -> None:
    items = {
        ItemKey("all#eu-west-1", f"hour#2026-11-{hour}"): TallyItem(units=10, charged=9, denied=1)
        for hour in ("19T23", "20T00", "20T13")
    }
    days = rows_of(span_of("2026-11-19", None, "day", NOW), items)
    assert [(row.kind, row.value, row.start_ms, row.admitted, row.charged, row.denied) for row in days] == [
        ("all", "eu-west-1", time_ms("2026-11-19"), 10, 9, 1),
        ("all", "eu-west-1", time_ms("2026-11-20"), 20, 18, 2),
    ]
    (month,) = rows_of(span_of("2026-11-01", None, "month", NOW), items)
    assert (month.start_ms, month.admitted) == (NOVEMBER, 30)
    assert len(rows_of(span_of("2026-11-19", None, "hour", NOW), items)) == 3


def test_hours_of_callers_are_rows_of_hours_only() -> None:
    items = {MONTH: TallyItem(units=9), ItemKey("key#9f2c", "hour#2026-11-20T13"): TallyItem(units=7)}
    assert [row.admitted for row in rows_of(span_of("2026-11-20", None, "hour", NOW), items)] == [7]
    assert [row.admitted for row in rows_of(span_of("2026-11-20", None, "month", NOW), items)] == [9]


def test_a_span_is_of_whole_periods_and_names_the_items_that_tell_of_it() -> None:
    span = span_of("2026-10-31T23:59:59Z", "2026-11-02T00:00:00.001Z", "day", NOW)
    assert (span.start_ms, span.end_ms) == (time_ms("2026-10-31"), time_ms("2026-11-03"))
    assert span.months == Periods("month#2026-10", "month#2026-11")
    assert span.hours == Periods("hour#2026-10-31T00", "hour#2026-11-02T23")
    assert span_of("2026-11-20T13:20", None, "hour", NOW).months is None


def test_a_period_that_is_to_come_is_not_asked_for() -> None:
    span = span_of("2026-11-01", "2027-01-01", "month", NOW)
    assert (span.end_ms, span.settles_ms) == (time_ms("2026-12-01"), time_ms("2026-12-08"))


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("yesterday", None, "from: a time in ISO 8601"),
        ("2026-11-01", "soon", "to: a time in ISO 8601"),
        ("2026-11-21", None, "from: a time that has come"),
        ("2026-11-02", "2026-11-02", "to: a time after from"),
    ],
)
def test_what_is_no_span_is_said_so(start: str, end: str | None, said: str) -> None:
    with pytest.raises(InvalidParameterError, match=said):
        span_of(start, end, "day", NOW)


@st.composite
def calls(draw: st.DrawFn) -> list[UsageLine]:
    """Calls of three days of November; refused ones have no units."""
    lines = []
    for number in range(draw(st.integers(0, 30))):
        refused = draw(st.booleans())
        lines.append(
            UsageLine(
                id=str(number),
                timestamp_ms=draw(st.integers(NOVEMBER, NOVEMBER + 3 * DAY_MS - 1)),
                home=HOME,
                region=draw(st.sampled_from(("us-east-1", "eu-west-1"))),
                ip=draw(st.sampled_from(("192.0.2.1", "192.0.2.2"))),
                ref=None,
                key=None,
                units=0 if refused else draw(st.integers(0, 5)),
                status=429 if refused else 200,
                charge=draw(st.sampled_from(((), ("ip",)))),
                verdict="quota" if refused else None,
            )
        )
    return lines


@given(calls())
def test_rows_of_each_granularity_and_kind_add_up_to_the_calls(lines: list[UsageLine]) -> None:
    """What was folded is in the export once, whatever the length of its periods."""
    fold = Fold()
    fold.add(1, NOW, lines, 0)
    items = {key: counted(key, item) for key, item in fold.items.items()}
    admitted, denied = sum(line.units for line in lines), sum(line.verdict is not None for line in lines)
    charged = sum(line.units for line in lines if line.charge)
    for granularity in GRANULARITIES:
        found = rows_of(span_of("2026-11-01", None, granularity, NOW), items)
        for kind in ("all",) if granularity == "hour" else ("all", "ip"):
            rows = [row for row in found if row.kind == kind]
            assert [row for row in rows if row.start_ms != window_bounds_ms(granularity, row.start_ms)[0]] == []
            assert len({(row.value, row.start_ms) for row in rows}) == len(rows)
            assert sum(row.admitted for row in rows) == admitted
            assert sum(row.charged for row in rows) == charged
            assert sum(row.denied for row in rows) == denied


def counted(key: ItemKey, folded: ItemFold) -> TallyItem:
    """The item that a tally holds of a fold."""
    item = TallyItem()
    for contribution in folded.contributions:
        item = added_to(item, Addition(key, "writer", contribution.delta, None))
    return item
