"""Marks: where they lie is written out; that none is skipped is a property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.marks import crosses, first_mark, mark_index

quotas = st.integers(1, 1_000_000)


def _marks(quota: int, homes: int) -> list[int]:
    return [used for used in range(1, 2 * quota) if crosses(used - 1, used, quota, homes)]


def test_one_home_marks_each_five_percent_then_each_one_then_each_five() -> None:
    coarse = list(range(50, 901, 50))
    fine = list(range(910, 1001, 10))
    beyond = list(range(1050, 2000, 50))
    assert _marks(1000, 1) == coarse + fine + beyond


def test_a_quota_of_ten_has_a_mark_at_every_call() -> None:
    assert _marks(10, 1) == list(range(1, 20))


def test_with_two_homes_fine_marks_begin_at_a_quarter_and_measure_half_the_quota() -> None:
    assert _marks(1000, 2) == [
        *range(50, 250, 50),
        *range(250, 1000, 5),
        *range(1000, 2000, 50),
    ]


@given(quotas, st.integers(1, 10), st.integers(0, 2_000_000), st.integers(0, 2_000_000))
def test_the_index_never_falls(quota: int, homes: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert mark_index(low, quota, homes) <= mark_index(high, quota, homes)


@given(quotas, st.integers(1, 10))
def test_reaching_the_quota_is_always_a_mark(quota: int, homes: int) -> None:
    assert crosses(quota - 1, quota, quota, homes)


@given(st.integers(100, 1_000_000), st.data())
def test_a_step_of_a_twentieth_is_never_silent(quota: int, data: st.DataObject) -> None:
    before = data.draw(st.integers(0, quota))
    assert crosses(before, before + -(-quota // 20), quota)


@pytest.mark.parametrize("quota", [0, -1])
def test_a_quota_of_nothing_is_reached_from_the_start(quota: int) -> None:
    assert mark_index(0, quota) == mark_index(7, quota) == 1


@given(quotas, st.integers(1, 40))
def test_the_first_mark_is_the_fewest_units_that_pass_one(quota: int, homes: int) -> None:
    first = first_mark(quota, homes)
    assert mark_index(first - 1, quota, homes) == 0
    assert mark_index(first, quota, homes) > 0
