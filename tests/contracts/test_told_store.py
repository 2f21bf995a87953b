"""What every ToldStore does, whatever it keeps its records in."""

from tallygate.core.notices import Notice, Subject
from tallygate.core.notify import ToldStore
from tallygate.core.plans import Limit


def notice(value: str = "a", level: int = 80, period: str = "day#2026-11-20", soft: bool = False) -> Notice:
    return Notice(Subject("key", value), "p", Limit("key", 100, "day", soft=soft), level, period, level, 0)


OTHERS = [notice("b"), notice(level=100), notice(period="day#2026-11-21"), notice(soft=True), notice("a#b")]


def test_nothing_was_told_at_first(told: ToldStore) -> None:
    assert told.told([notice(), *OTHERS]) == set()


def test_what_is_remembered_was_told_and_nothing_else(told: ToldStore) -> None:
    told.remember(notice(), 1_000)
    assert told.told([notice(), *OTHERS]) == {notice().place}
    assert told.told(OTHERS) == set()


def test_it_may_be_remembered_again(told: ToldStore) -> None:
    for now_ms in (1_000, 2_000, 1_000):
        told.remember(notice(), now_ms)
    assert told.told([notice(), notice()]) == {notice().place}


def test_more_can_be_asked_for_than_fit_one_request(told: ToldStore) -> None:
    many = [notice(f"key-{number}") for number in range(230)]
    for each in many[::2]:
        told.remember(each, 1_000)
    assert told.told(many) == {each.place for each in many[::2]}
