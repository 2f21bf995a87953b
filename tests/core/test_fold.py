"""Folding is independent of order and batching."""

import itertools
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.fold import Fold
from tallygate.core.lines import UsageLine
from tallygate.core.names import Kind
from tallygate.core.tally import Delta, ItemKey, TallyItem, missing_part, of_day

NOVEMBER_30_MS = 1_795_996_800_000  # 2026-11-30T00:00:00Z
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

lines = st.builds(
    UsageLine,
    id=st.uuids().map(str),
    timestamp_ms=st.integers(NOVEMBER_30_MS - DAY_MS, NOVEMBER_30_MS + 3 * DAY_MS),
    home=st.just("us-east-1"),
    region=st.sampled_from(["us-east-1", "eu-west-1"]),
    ip=st.sampled_from(["192.0.2.1", "192.0.2.2"]),
    ref=st.none() | st.just("shop.example"),
    key=st.just("9f2c"),
    units=st.integers(0, 3),
    status=st.just(200),
    charge=st.sampled_from([(), ("key",), ("ip",), ("key", "owner")]),
    caps=st.integers(0, 9).map(
        lambda quota: {"key": {"day": quota}, "ip": {"day": quota}, "owner": {"day": quota, "hour": quota + 1}}
    ),
    owner=st.sampled_from(["acme", "other"]),
)
calls = st.lists(st.one_of(lines, lines.map(lambda line: _refused(line))), max_size=30)


def _refused(line: UsageLine) -> UsageLine:
    return UsageLine(
        line.id, line.timestamp_ms, line.home, line.region, line.ip, line.ref, line.key, 0, 429, verdict="quota"
    )


def _sums(fold: Fold) -> dict[ItemKey, Delta]:
    sums = {}
    for key, item in fold.items.items():
        part = missing_part(item.contributions, None)
        assert part is not None
        sums[key] = part[1]
    return sums


@given(calls, st.randoms(use_true_random=False), st.integers(1, 10))
def test_sums_and_limits_do_not_depend_on_order_or_records(shuffled: list[UsageLine], random, size: int) -> None:  # type: ignore[no-untyped-def]
    one = Fold()
    one.add(1, 0, shuffled, 0)
    random.shuffle(shuffled)
    other = Fold()
    for sequence, start in enumerate(range(0, len(shuffled), size)):
        other.add(sequence, 0, shuffled[start : start + size], 0)
    assert _sums(one) == _sums(other)
    assert {key: item.caps for key, item in one.items.items()} == {key: item.caps for key, item in other.items.items()}


@given(calls)
def test_each_call_counts_for_each_of_its_identifiers_and_its_region(given_calls: list[UsageLine]) -> None:
    fold = Fold()
    fold.add(1, 0, given_calls, 0)
    units: Counter[str] = Counter()
    denied: Counter[str] = Counter()
    for key, delta in _sums(fold).items():
        units[key.pk] += delta.units
        denied[key.pk] += delta.denied
    for region in ("us-east-1", "eu-west-1"):
        here = [line for line in given_calls if line.region == region]
        assert units[f"all#{region}"] == sum(line.units for line in here)
        assert denied[f"all#{region}"] == sum(line.verdict is not None for line in here)
    for pk, value in (("ip#192.0.2.1", "192.0.2.1"), ("ip#192.0.2.2", "192.0.2.2")):
        assert units[pk] == sum(line.units for line in given_calls if line.ip == value)
    assert units["ref#shop.example"] == sum(line.units for line in given_calls if line.ref)
    assert units["key#9f2c"] == sum(line.units for line in given_calls)


def test_days_tell_charged_free_and_refused_apart_and_the_month_turns_at_midnight() -> None:
    def call(at_ms: int, charge: tuple[str, ...], verdict: str | None = None) -> UsageLine:
        units = 0 if verdict else 2
        return UsageLine(
            "q",
            at_ms,
            "us-east-1",
            "us-east-1",
            "192.0.2.1",
            None,
            "9f2c",
            units,
            200,
            charge,
            verdict=verdict,  # type: ignore[arg-type]
        )

    fold = Fold()
    last_ms = NOVEMBER_30_MS + DAY_MS - 1
    calls = [call(last_ms, ("key",)), call(last_ms + 1, ("key",)), call(last_ms, ("ip",)), call(last_ms, ("ip",))]
    fold.add(1, 0, [*calls, *(call(last_ms + 1, ("key",), "quota") for _ in range(3))], 100)
    sums = _sums(fold)
    assert sums[ItemKey("key#9f2c", "month#2026-11")] == Delta(6, 2, 0, {30: 2}, {30: 4})
    assert sums[ItemKey("key#9f2c", "month#2026-12")] == Delta(2, 2, 3, {1: 2}, {}, {1: 3})
    assert sums[ItemKey("ip#192.0.2.1", "month#2026-11")] == Delta(6, 4, 0, {30: 4}, {30: 2})
    assert sums[ItemKey("ip#192.0.2.1", "month#2026-12")] == Delta(2, 0, 3, {}, {1: 2}, {1: 3})
    assert sums[ItemKey("all#us-east-1", "hour#2026-11-30T23")] == Delta(6, 6, 0)
    assert sums[ItemKey("all#us-east-1", "hour#2026-12-01T00")] == Delta(2, 2, 3)
    kept = {key.sk: item.expires_seconds for key, item in fold.items.items()}
    assert kept["month#2026-11"] == (NOVEMBER_30_MS + DAY_MS) // 1000 + 100


def test_months_of_keys_may_be_kept_for_longer_than_those_of_addresses_and_than_hours() -> None:
    caps: Any = {"key": {"hour": 10}}
    line = UsageLine(
        "q", NOVEMBER_30_MS, "us-east-1", "us-east-1", "192.0.2.1", "shop.example", "9f2c", 1, 200, ("key",), caps
    )
    month_end, hour_end = (NOVEMBER_30_MS + DAY_MS) // 1000, (NOVEMBER_30_MS + HOUR_MS) // 1000
    for asked, key_kept in ((5_000, 5_000), (7, 100), (0, 100)):
        fold = Fold()
        fold.add(1, 0, [line], 100, keys_expire_seconds=asked)
        assert {key.pk + " " + key.sk: item.expires_seconds for key, item in fold.items.items()} == {
            "ip#192.0.2.1 month#2026-11": month_end + 100,
            "ref#shop.example month#2026-11": month_end + 100,
            "key#9f2c month#2026-11": month_end + key_kept,
            "key#9f2c hour#2026-11-30T00": hour_end + 100,
            "all#us-east-1 hour#2026-11-30T00": month_end + 100,
        }


def test_who_has_a_limit_by_the_hour_has_an_item_for_each_hour_of_what_was_charged() -> None:
    caps: Any = {"key": {"minute": 7, "hour": 10, "hour-soft": 8, "day": 50}, "ip": {"month": 90}}

    def call(number: int, at_ms: int, charge: tuple[Kind, ...]) -> UsageLine:
        id = f"q{number}"
        return UsageLine(id, at_ms, "us-east-1", "us-east-1", "192.0.2.1", None, "9f2c", 2, 200, charge, caps)

    fold = Fold()
    last_ms = NOVEMBER_30_MS + HOUR_MS - 1
    refused = replace(call(3, last_ms, ("key",)), units=0, status=429, verdict="quota")
    calls = [call(1, last_ms, ("key",)), call(2, last_ms + 1, ("key", "ip")), refused, call(4, last_ms, ())]
    fold.add(1, 0, calls, 100)
    items = {key.sk: fold.items[key] for key in fold.items if key.pk == "key#9f2c"}
    sums = {key.sk: delta for key, delta in _sums(fold).items() if key.pk == "key#9f2c"}
    assert sums == {
        "month#2026-11": Delta(6, 4, 1, {30: 4}, {30: 2}, {30: 1}),
        "hour#2026-11-30T00": Delta(2, 2, 1, {}),
        "hour#2026-11-30T01": Delta(2, 2, 0, {}),
    }
    assert {sk: item.caps for sk, item in items.items()} == {
        "month#2026-11": {"minute": 7, "day": 50},
        "hour#2026-11-30T00": {"hour": 10, "hour-soft": 8},
        "hour#2026-11-30T01": {"hour": 10, "hour-soft": 8},
    }
    assert [key.sk for key in fold.items if key.pk == "ip#192.0.2.1"] == ["month#2026-11"]
    first = items["hour#2026-11-30T00"]
    one_seconds = (NOVEMBER_30_MS + HOUR_MS) // 1000
    assert (first.expires_seconds, first.row_expires_seconds) == (one_seconds + 100, one_seconds + 3600)
    # A limit of December that rolls counts November until its last moment.
    assert items["month#2026-11"].row_expires_seconds == NOVEMBER_30_MS // 1000 + 32 * 86_400


def test_keys_are_written_first() -> None:
    fold = Fold()
    call = UsageLine("q", NOVEMBER_30_MS, "us-east-1", "us-east-1", "192.0.2.1", "a.example", "9f2c", 1, 200)
    fold.add(1, 0, [call], 0)
    assert [key.pk for key, _ in fold.in_writing_order()] == [
        "key#9f2c",
        "all#us-east-1",
        "ip#192.0.2.1",
        "ref#a.example",
    ]


def test_the_limits_of_the_latest_call_stand_and_of_two_at_once_those_of_the_larger_id() -> None:
    def call(number: int, at_ms: int, quota: int) -> UsageLine:
        limits = {"ip": {"day": quota}}
        return UsageLine(
            f"q{number}",
            at_ms,
            "us-east-1",
            "us-east-1",
            "192.0.2.1",
            None,
            None,
            1,
            200,
            ("ip",),
            limits,  # type: ignore[arg-type]
        )

    for calls in itertools.permutations([call(1, 5, 10), call(2, 7, 20), call(3, 7, 30), call(4, 6, 40)]):
        fold = Fold()
        fold.add(1, 0, calls, 0)
        assert fold.items[ItemKey("ip#192.0.2.1", "month#1970-01")].caps == {"day": 30}
    same = [call(1, 5, 10), call(1, 5, 20)]
    fold = Fold()
    fold.add(1, 0, same, 0)
    assert fold.items[ItemKey("ip#192.0.2.1", "month#1970-01")].caps == {"day": 10}, "a line repeated changes nothing"


@pytest.mark.parametrize(
    ("delays_ms", "mean_ms"), [([], 0), ([-60_000], 0), ([2_000], 2_000), ([1_000, 4_000], 2_500), ([-60_000, 10], 5)]
)
def test_the_mean_delay_is_from_call_to_arrival_and_no_clock_runs_backwards(delays_ms: list[int], mean_ms: int) -> None:
    calls = [
        UsageLine(f"q{delay}", NOVEMBER_30_MS - delay, "us-east-1", "us-east-1", "192.0.2.1", None, None, 1, 200)
        for delay in delays_ms
    ]
    fold = Fold()
    fold.add(1, NOVEMBER_30_MS, calls, 0)
    assert fold.mean_delay_ms == mean_ms


@given(lines, st.integers(1, 9))
def test_a_refused_line_that_stands_for_several_counts_as_they_would(line: UsageLine, times: int) -> None:
    refused = _refused(line)
    one, each = Fold(), Fold()
    one.add(1, 0, [line, refused], 0, times)
    each.add(1, 0, [line, *[refused] * times], 0)
    assert _sums(one) == _sums(each)


def test_a_day_of_a_month_is_told_as_an_item_of_its_own() -> None:
    item = TallyItem(10, 4, 5, {7: 4}, free_days={7: 2, 8: 4}, denied_days={7: 3, 9: 2})
    assert [of_day(item, day) for day in (7, 8, 9, 10)] == [
        TallyItem(6, 4, 3),
        TallyItem(4, 0, 0),
        TallyItem(0, 0, 2),
        TallyItem(),
    ]
