"""The soak can fail: whatever is stored otherwise than it was answered is named."""

from copy import deepcopy
from typing import Any

import pytest

from tallygate.demo.calls import Call
from tallygate.demo.sender import Answer
from tests.soak.verdict import Answered, Stored, differences

HOME, MONTH = "us-east-1", "month#2026-11"
SECRET = "tg_local_0"
IP, REF, KEY = "ip#198.18.0.1", "ref#shop.example", "key#38bbc6db81a9dbbf"
QUOTAS = {"ip": {"day": 200}, "ref": {"day": 2_000}, KEY: {"day": 50, "month": 1_000}}
ANONYMOUS = Call("eu-west-1", "198.18.0.1", b"https://shop.example/")
KEYED = Call("us-east-1", "198.18.0.1", secret=SECRET)

TALLY: dict[tuple[str, str], dict[str, int]] = {
    (IP, MONTH): {"n": 32, "c": 12, "x": 2, "d20": 5, "d21": 7, "rank": 32, "t": 1_800_000_000_000},
    (REF, MONTH): {"n": 12, "c": 12, "x": 2, "d20": 5, "d21": 7, "rank": 11},
    (KEY, MONTH): {"n": 20, "c": 20, "d21": 20, "rank": 16},
    ("all#eu-west-1", "hour#2026-11-20T23"): {"n": 5, "c": 5},
    ("all#eu-west-1", "hour#2026-11-21T00"): {"n": 7, "c": 7, "x": 2},
    ("all#us-east-1", "hour#2026-11-21T00"): {"n": 20, "c": 20},
    ("seen#0.1", "00000000000000#1#2"): {},
    ("writers", "0.1"): {"ttl": 1_800_000_000},
}
GATE: dict[tuple[str, str], dict[str, int]] = {(KEY, MONTH): {"n": 20, "c": 20, "d21": 20, "at": 1_800_000_000_000}}


def sent(*more: Answer) -> Answered:
    answered = Answered()
    answers = [Answer(ANONYMOUS, 200)] * 12 + [Answer(ANONYMOUS, 429)] * 2 + [Answer(KEYED, 200)] * 20
    for answer in (*answers, *more):
        answered.add(answer)
    return answered


def stored(tally: dict[tuple[str, str], dict[str, int]], gate: Any = GATE, rejects: tuple[str, ...] = ()) -> Stored:
    return Stored({HOME: tally}, {HOME: gate}, rejects)


def changed(pk: str, sk: str = MONTH, /, **numbers: int) -> dict[tuple[str, str], dict[str, int]]:
    tally = deepcopy(TALLY)
    tally.setdefault((pk, sk), {}).update(numbers)
    return tally


def test_what_is_stored_as_it_was_answered_has_no_difference() -> None:
    assert differences(sent(), stored(TALLY), QUOTAS) == []


@pytest.mark.parametrize(
    ("tally", "named"),
    [
        (changed(IP, n=33), [f"{IP}: 33 counted as admitted, 32 by the answers", f"{IP}: more counted than was sent"]),
        (changed(REF, n=11), [f"{REF}: 11 counted as admitted, 12 by the answers"]),
        (changed(IP, x=1), [f"{IP}: 1 counted as denied, 2 by the answers"]),
        (
            changed(KEY, c=19, d21=19),
            [f"{KEY}: 19 counted as charged, 20 by the answers"]
            + [f"{HOME} {KEY} {MONTH}: {name} 20 published, 19 counted" for name in ("c", "d21")],
        ),
        (changed(REF, d20=4), [f"{HOME} {REF} {MONTH}: 12 charged, but 11 on its days"]),
        (changed(IP, rank=22), [f"{HOME} {IP} {MONTH}: rank 22 should be 32"]),
        (
            changed("all#us-east-1", "hour#2026-11-21T00", n=19),
            ["all#us-east-1: 19 counted as admitted, 20 by the answers"],
        ),
        (
            changed("ip#198.18.0.2", n=1),
            ["ip#198.18.0.2: 1 counted as admitted, 0 by the answers", "ip#198.18.0.2: more counted than was sent"],
        ),
        (changed("tmp#1", "x"), ["tmp#1 x: nobody asked for this item"]),
    ],
)
def test_a_count_that_is_not_what_was_answered_is_named(
    tally: dict[tuple[str, str], dict[str, int]], named: list[str]
) -> None:
    assert differences(sent(), stored(tally), QUOTAS) == named


def test_an_item_that_is_missing_is_named() -> None:
    without = {place: item for place, item in TALLY.items() if place[0] != REF}
    assert differences(sent(), stored(without), QUOTAS) == [
        f"{REF}: 0 counted as admitted, 12 by the answers",
        f"{REF}: 0 counted as denied, 2 by the answers",
        f"{REF}: 0 counted as charged, 12 by the answers",
    ]


@pytest.mark.parametrize(
    ("gate", "named"),
    [
        ({(KEY, MONTH): {"n": 20, "c": 20, "d21": 17}}, "d21 17 published of 20, with a mark between (quota=50)"),
        ({(KEY, MONTH): {"n": 21, "c": 20, "d21": 20}}, "n 21 published, 20 counted"),
        ({**GATE, ("ip#198.18.0.9", MONTH): {"n": 1}}, "published, not counted"),
        ({}, "d21 0 published of 20, with a mark between (quota=50)"),
    ],
)
def test_a_publication_that_the_marks_do_not_call_for_is_named(
    gate: dict[tuple[str, str], dict[str, int]], named: str
) -> None:
    [found] = differences(sent(), stored(TALLY, gate), QUOTAS)
    assert found.endswith(named)


def test_a_publication_may_lag_within_its_marks() -> None:
    """200 a day has its first mark at 10."""
    tally = changed(IP, d20=2, d21=10)
    assert differences(sent(), stored(tally, {**GATE, (IP, MONTH): {"n": 20, "c": 10, "d21": 10}}), QUOTAS) == []
    [found] = differences(sent(), stored(tally, {**GATE, (IP, MONTH): {"n": 20, "c": 9, "d21": 9}}), QUOTAS)
    assert found == f"{HOME} {IP} {MONTH}: d21 9 published of 10, with a mark between (quota=200)"


HOURS = {"hour#2026-11-20T23": {"n": 13, "c": 13}, "hour#2026-11-21T00": {"n": 7, "c": 7, "x": 1}}
WITH_HOURS = QUOTAS | {KEY: {"hour": 100, "hour-soft": 30, "day": 50, "month": 1_000}}


def test_the_hours_of_who_is_limited_by_them_hold_what_their_month_holds() -> None:
    hours = {(KEY, sk): dict(item) for sk, item in HOURS.items()}
    published = {(KEY, "hour#2026-11-20T23"): {"c": 12}, (KEY, "hour#2026-11-21T00"): {"c": 6}}
    assert differences(sent(), stored(TALLY | hours, GATE | published), WITH_HOURS) == []
    assert f"{KEY} hour#2026-11-20T23: nobody asked for this item" in differences(sent(), stored(TALLY | hours), QUOTAS)
    hours[KEY, "hour#2026-11-21T00"]["c"] = 8
    assert f"{KEY}: 20 charged, but 21 in its hours" in differences(sent(), stored(TALLY | hours, GATE), WITH_HOURS)


def test_a_publication_of_an_hour_that_its_marks_do_not_call_for_is_named() -> None:
    hours = {(KEY, sk): dict(item) for sk, item in HOURS.items()}
    place = f"{HOME} {KEY} hour#2026-11-20T23"
    published = {(KEY, "hour#2026-11-20T23"): {"c": 11}, (KEY, "hour#2026-11-21T00"): {"c": 6}}
    assert differences(sent(), stored(TALLY | hours, GATE | published), WITH_HOURS) == [
        f"{place}: c 11 published of 13, with a mark between (quota=30)"
    ]


def test_a_reject_is_named() -> None:
    assert differences(sent(), stored(TALLY, rejects=("not JSON",)), QUOTAS) == [
        "rejected although it is countable: not JSON"
    ]


@pytest.mark.parametrize("status", [None, 502])
def test_a_call_without_a_clear_answer_may_be_counted_once_or_not_at_all(status: int | None) -> None:
    answered = sent(Answer(KEYED, status, failure="reset"))
    assert (answered.calls, answered.uncertain) == (35, 1)
    assert differences(answered, stored(TALLY), QUOTAS) == []
    counted = changed(KEY, n=21, c=21, d21=21)
    counted[IP, MONTH]["n"] = 33
    counted["all#us-east-1", "hour#2026-11-21T00"] = {"n": 21, "c": 21}
    assert differences(answered, stored(counted, {(KEY, MONTH): {"c": 20, "d21": 20}}), QUOTAS) == []
    counted[IP, MONTH]["n"] = 34
    assert differences(answered, stored(counted), QUOTAS) == [
        f"{IP}: 34 counted as admitted, 32 to 33 by the answers",
        f"{IP}: more counted than was sent",
    ]
