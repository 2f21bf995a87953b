"""Counters: what callers may say, what is printed for it, and homes added up page by page."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.counter_shares import Counter, Share, Stretch, cursor_of, page_of, position_of
from tallygate.core.counters import (
    Counted,
    asked_epoch,
    counter_name,
    ended_epoch,
    increments_of,
    lines_of,
    one_addition,
    several_additions,
    token_of,
)
from tallygate.core.history import InvalidParameterError
from tallygate.core.lines import Increment, UsageLine, format_line, parse_line
from tallygate.core.names import counter_sk
from tallygate.core.tally import RETRY_PREFIX, claim_key

LINE = UsageLine(
    id="call-1",
    timestamp_ms=1_795_176_000_123,
    home="us-east-1",
    region="eu-west-1",
    ip="203.0.113.7",
    ref=None,
    key="9f2c",
    units=3,
    status=202,
    charge=("key",),
    caps={"key": {"day": 100}},
)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)


@pytest.mark.parametrize("name", ["a", "orders", "Orders-2026.11_x", "0", "a" * 64])
def test_a_name_is_taken_as_it_stands(name: str) -> None:
    assert counter_name(name) == name
    assert one_addition(name, "") == {name: 1}
    assert one_addition(name, '{"add": -7}') == {name: -7}


@pytest.mark.parametrize("name", ["", "a b", "a#1", ".a", "_a", "ä", "a/b", "a" * 65, "a\n"])
def test_what_names_no_counter_is_refused(name: str) -> None:
    with pytest.raises(InvalidParameterError, match="name: a name of 1 to 64"):
        one_addition(name, "")
    with pytest.raises(InvalidParameterError, match="increments: a name of 1 to 64"):
        several_additions(json.dumps({"increments": {"good": 1, name: 1}}))


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        *[(json.dumps({"add": add}), "add") for add in (1.5, "1", True, None, [], 10**9 + 1, -(10**9) - 1)],
        *[(body, "body") for body in ("[1]", "{", "1", '{"ad": 1}', '{"add": 1, "add": 2}', "[" * 9_999, " " * 17_000)],
    ],
)
def test_what_adds_nothing_that_can_be_counted_says_what_is_valid(body: str, parameter: str) -> None:
    with pytest.raises(InvalidParameterError) as error:
        one_addition("orders", body)
    assert error.value.parameter == parameter


@pytest.mark.parametrize(
    "wanted", [None, {}, [], {f"n{number}": 1 for number in range(51)}, {"a": 1, "b": "1"}, {"a": 1, "b": 2.0}]
)
def test_of_several_all_are_taken_or_none(wanted: object) -> None:
    with pytest.raises(InvalidParameterError, match="increments"):
        several_additions(json.dumps({"increments": wanted}))


def test_fifty_of_the_longest_names_fit() -> None:
    wanted = {f"{number:02d}" + "x" * 62: -(10**9) for number in range(50)}
    assert several_additions(json.dumps({"increments": wanted}, indent=8)) == wanted


def test_each_goes_to_the_epoch_that_the_region_knows() -> None:
    assert increments_of({"a": 1, "b": 2}, {"b": 7, "c": 9}) == (Increment("a", 1, 0), Increment("b", 2, 7))
    assert asked_epoch(None, 4) == 4
    assert asked_epoch("5", 4) == 5, "another region may know of a reset already"
    for text in ("", "-1", "1.0", "x", "123456789", "²"):
        with pytest.raises(InvalidParameterError, match="epoch"):
            asked_epoch(text, 4)
    assert (ended_epoch(""), ended_epoch("{}"), ended_epoch('{"epoch": 3}')) == (None, None, 3)
    for body in ('{"epoch": -1}', '{"epoch": "3"}', '{"epoch": 99999999}', '{"epoc": 3}'):
        with pytest.raises(InvalidParameterError):
            ended_epoch(body)


@pytest.mark.parametrize("text", ["", "x" * 256, "ä", "a\nb", "\x7f"])
def test_an_idempotency_key_is_printable(text: str) -> None:
    with pytest.raises(InvalidParameterError, match="Idempotency-Key"):
        token_of(text)
    assert (token_of(None), token_of("order 17 / again")) == (None, "order 17 / again")


def test_a_call_that_counts_nothing_else_prints_its_line_as_it_is() -> None:
    assert lines_of(LINE, Counted()) == (LINE,)
    assert lines_of(LINE, Counted(token="order-1")) == (LINE,)


def test_increments_ride_on_the_line_of_their_call() -> None:
    increments = (Increment("orders", 2, 1),)
    assert lines_of(LINE, Counted(increments)) == (replace(LINE, ctr=increments),)


@given(st.text("abc/-# {}", min_size=1) | st.just(RETRY_PREFIX + "x"))
def test_with_a_token_the_call_is_charged_apart_from_what_is_counted_once(token: str) -> None:
    increments = (Increment("orders", 2, 1),)
    charged, counts = (parse_line(json.loads(format_line(each))) for each in lines_of(LINE, Counted(increments, token)))
    assert charged == LINE
    assert (counts.units, counts.charge, counts.ctr) == (0, (), increments)
    assert counts.id != charged.id
    assert claim_key(counts) == f"9f2c/ctr/{token}", "its caller's own, whatever it looks like"
    assert claim_key(counts) != claim_key(replace(counts, key="other"))


def share(home: str, name: str, epoch: int, total: int) -> Share:
    return Share(home, name, epoch, total, 1_000 + total, {f"{home}-1": total})


def stretch(home: str, counted: dict[tuple[str, int], int], after: str, most: int) -> Stretch:
    """What a home answers: so many rows in the order of their keys."""
    rows = sorted((counter_sk(*place), place) for place in counted if counter_sk(*place) > after)
    last = rows[most - 1][0] if len(rows) > most else None
    return Stretch([share(home, *place, counted[place]) for _, place in rows[:most]], last)


PLACES = st.tuples(NAMES, st.integers(0, 3))


@given(st.dictionaries(PLACES, st.integers(-9, 9)), st.dictionaries(PLACES, st.integers(-9, 9)), st.integers(1, 4))
def test_pages_together_are_all_counters_in_their_epochs_and_each_once(
    east: dict[tuple[str, int], int], west: dict[tuple[str, int], int], most: int
) -> None:
    names = {name for name, _ in (*east, *west)}
    epochs = {name: len(name) % 3 for name in names if len(name) % 3}
    told: list[Counter] = []
    after: str | None = ""
    while after is not None:
        stretches = {"east": stretch("east", east, after, most), "west": stretch("west", west, after, most)}
        page, after = page_of(stretches, epochs)
        told += page
        after = position_of(cursor_of(after)) if after is not None else None
    expected = {}
    for name in names:
        parts = [counted[place] for counted in (east, west) if (place := (name, epochs.get(name, 0))) in counted]
        if parts:
            expected[name] = sum(parts)
    assert {counter.name: counter.total for counter in told} == expected
    assert len(told) == len(expected)
    assert all(counter.unread == () for counter in told)


def test_a_home_that_is_not_read_is_named() -> None:
    page, last = page_of({"east": Stretch([share("east", "a", 0, 5)], None), "west": None}, {})
    assert [(counter.name, counter.total, counter.unread) for counter in page] == [("a", 5, ("west",))]
    assert last is None
    assert page[0].document() == {
        "name": "a",
        "epoch": 0,
        "total": 5,
        "as_of": "1970-01-01T00:00:01.005Z",
        "unread": ["west"],
        "homes": {"east": {"total": 5, "as_of": "1970-01-01T00:00:01.005Z", "writers": {"east-1": 5}}},
    }
    assert Counter("b", 2, {}).summary() == {"name": "b", "epoch": 2, "total": 0, "as_of": None}


@pytest.mark.parametrize("cursor", ["", "x", "====", "ä", "YQ", "YSMx", "IzAwMDAwMDAw", "YSMwMDAwMDAwMDA"])
def test_a_cursor_is_one_that_a_page_ended_with(cursor: str) -> None:
    with pytest.raises(InvalidParameterError, match="cursor"):
        position_of(cursor)
