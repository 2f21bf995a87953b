"""What the soak does to the pipeline."""

from collections import Counter

import pytest

from tests.soak.schedule import FAILURES, KILLS, REDELIVERY, REREADING, Order, draw


def times(seed: int, seconds: float) -> Counter[str]:
    moments = draw(seed, seconds, "consumer", "stream")
    return Counter(moment.document["fault"] if isinstance(moment, Order) else REDELIVERY for moment in moments)


@pytest.mark.parametrize("seed", range(5))
def test_everything_goes_wrong_however_short_the_time(seed: int) -> None:
    for seconds in (5, 180):
        happens = times(seed, seconds)
        assert happens.keys() == {*KILLS, *FAILURES, REDELIVERY, REREADING}
        assert sum(happens[kill] for kill in KILLS) >= 6
        assert min(happens[fault] for fault in (*FAILURES, REDELIVERY, REREADING)) >= 3


def test_the_longer_the_more() -> None:
    assert all(times(1, 180)[fault] > times(1, 18)[fault] for fault in times(1, 18))


def test_a_seed_is_a_schedule_in_the_order_of_time() -> None:
    moments = draw(7, 60, "consumer", "stream")
    assert moments == draw(7, 60, "consumer", "stream") != draw(8, 60, "consumer", "stream")
    assert [moment.at_seconds for moment in moments] == sorted(moment.at_seconds for moment in moments)
    assert 0 <= moments[0].at_seconds < moments[-1].at_seconds <= 60
