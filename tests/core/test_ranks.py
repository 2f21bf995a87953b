"""Ranks bound counts from both sides."""

from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.ranks import count_below, rank_of, rank_partition, rank_partitions


def test_the_first_ranks() -> None:
    assert sorted({rank_of(count) for count in range(100)}) == [0, 8, 11, 16, 22, 32, 45, 64, 90]


@given(st.integers(8, 10**12))
def test_a_rank_bounds_its_counts(count: int) -> None:
    rank = rank_of(count)
    assert rank <= count < count_below(rank)
    assert rank_of(rank) == rank


@given(st.text(min_size=1, max_size=50).filter(lambda text: text.isprintable()))
def test_an_identifier_stands_in_one_of_the_listed_partitions(value: str) -> None:
    assert rank_partition("ref", "2026-11", f"ref#{value}") in rank_partitions("ref", "2026-11")
