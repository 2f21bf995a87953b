"""What a publication says of rate and time, and when it is due."""

from dataclasses import replace

import pytest

from tallygate.aws.gate_rows import home_usage
from tallygate.aws.rows import gate_row
from tallygate.core.plans import Policy
from tallygate.core.publish import publication_of, rate_milli, should_publish, should_tell_rate, usage_of
from tallygate.core.tally import ItemKey, TallyItem

CAPS = {"day": 100}


def _item(charged: int, day: int = 7, last_flush_ms: int | None = None) -> TallyItem:
    return TallyItem(units=charged, charged=charged, days={day: charged}, last_flush_ms=last_flush_ms)


@pytest.mark.parametrize(
    ("since_ms", "span_ms", "writers", "offered", "rate"),
    [
        (None, 5_000, 1, 50, 10_000),  # the first flush of an item
        (5_000, 5_000, 1, 50, 10_000),
        (3_600_000, 5_000, 1, 50, 10_000),  # a pause does not dilute a burst
        (100, 5_000, 2, 50, 20_000),  # the other shard has flushed it just now, and brings as much
        (5_000, 5_000, 2, 50, 10_000),  # the other shard is silent
        (-100, 5_000, 3, 50, 30_000),  # this shard lags behind
        (5_000, 0, 1, 7, 7_000),  # over a second at least
        (2_000, 2_000, 1, 0, 0),
        (None, 1_000, 1, 1_000_000, 1_000_000_000),  # exact, however many
    ],
)
def test_the_rate_is_what_all_writers_of_an_item_bring(
    since_ms: int | None, span_ms: int, writers: int, offered: int, rate: int
) -> None:
    marks = {f"{number}.1": 7 for number in range(writers)}
    flushed_ms = None if since_ms is None else 1_000_000 - since_ms
    before = replace(_item(1, last_flush_ms=flushed_ms), watermarks=marks)
    assert rate_milli(before, offered, 1_000_000, span_ms) == rate


def test_a_publication_is_complete_up_to_the_flush_less_the_delay() -> None:
    publication = publication_of(ItemKey("ip#a", "month#2026-11"), "us-east-1", _item(5), 7, 100_000, 4_000, 99)
    assert (publication.pk, publication.period, publication.home) == ("ip#a", "month#2026-11", "us-east-1")
    assert (publication.at_ms, publication.lag_ms, publication.rate_milli) == (96_000, 4_000, 7)
    assert (publication.item, publication.expires_seconds) == (_item(5), 99)


@pytest.mark.parametrize(
    ("before", "after", "caps", "due"),
    [
        (_item(4), _item(5), CAPS, True),
        (_item(5), _item(9), CAPS, False),
        (_item(5), _item(10), {}, False),
        (_item(5), _item(10), None, False),
        (_item(4), _item(5), {"day": 10_000, "month": 100}, True),
        (_item(4), _item(5), {"day": 10_000, "month": 10_000}, False),
        (_item(4, day=6), _item(5, day=6), CAPS, False),  # of a day that this batch did not touch
        (_item(4), _item(5), {"day": 10_000, "day-soft": 100}, True),
        (_item(4), _item(5), {"minute": 10}, False),
    ],
)
def test_it_is_due_when_any_limit_passes_a_mark(
    before: TallyItem, after: TallyItem, caps: dict[str, int] | None, due: bool
) -> None:
    assert should_publish(before, after, caps, {7: 1}, 1, "marks") is due  # type: ignore[arg-type]


def test_an_hour_has_marks_of_its_own() -> None:
    before, after = TallyItem(charged=4), TallyItem(charged=5)
    assert should_publish(before, after, {"hour": 100}, {}, 1, "marks")
    assert not should_publish(after, TallyItem(charged=9), {"hour": 100}, {}, 1, "marks")


@pytest.mark.parametrize(
    ("rate_a_minute", "caps", "homes", "due"),
    [
        (50, {"minute": 100}, 1, True),
        (49, {"minute": 100}, 1, False),
        (49, {"minute": 100, "minute-soft": 98}, 1, True),
        (25, {"minute": 100}, 2, True),
        (24, {"minute": 100}, 2, False),
        (10_000, {"day": 100, "hour": 10}, 1, False),
        (10_000, None, 1, False),
    ],
)
def test_a_rate_is_told_from_half_of_a_minutes_quota_on(
    rate_a_minute: int, caps: dict[Policy, int] | None, homes: int, due: bool
) -> None:
    assert should_tell_rate(-(-rate_a_minute * 1000 // 60), caps, homes) is due


def test_every_charged_flush_is_due_when_asked_for_and_no_other() -> None:
    assert should_publish(_item(5), _item(6), CAPS, {7: 1}, 1, "every")  # type: ignore[arg-type]
    assert not should_publish(_item(5), _item(5), CAPS, {}, 1, "every")  # type: ignore[arg-type]
    assert not should_publish(_item(5), _item(6), None, {7: 1}, 1, "every")


def test_a_publication_reads_as_its_row_does() -> None:
    item = TallyItem(units=9, charged=5, denied=3, days={6: 1, 7: 4}, epoch=0)
    publication = publication_of(ItemKey("ip#a", "month#2026-11"), "us-east-1", item, 7, 100_000, 4_000, 99)
    assert usage_of(publication) == home_usage(gate_row(publication))
    hour = replace(publication, period="hour#2026-11-20T14", item=replace(item, days={}))
    assert usage_of(hour) == home_usage(gate_row(hour))
    assert (usage_of(hour).hour, usage_of(hour).month, usage_of(hour).charged) == ("2026-11-20T14", "", 5)
