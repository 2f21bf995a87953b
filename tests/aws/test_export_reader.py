"""Whole tallies are read a page at a time, and whatever happens on the way, once."""

import gc
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tallygate.aws.export_reader import PAUSES_SECONDS, ExportReader, NoKeysError, Step, Wanted
from tallygate.aws.key_admin import key_admin
from tallygate.aws.tally_table import TallyTable
from tallygate.core import names
from tallygate.core.export import EXPORT_KINDS, ExportRow, span_of
from tallygate.core.periods import DAY_MS
from tallygate.core.tally import Delta, ItemKey, StoreError, Update
from tallygate.core.times import time_ms
from tests.stage_tables import NAMES, Clients

NOW = time_ms("2026-11-20T14:30")
MONTH = span_of("2026-11-01", None, "month", NOW)
EVERYTHING = Wanted(MONTH, frozenset(EXPORT_KINDS))


def count(clients: Clients, home: str, pk: str, units: int, sk: str = "month#2026-11") -> None:
    delta = Delta(units, units, 1, {20: units}, {}, {20: 1})
    TallyTable(clients[home], NAMES.tally_table).add(Update(ItemKey(pk, sk), "writer", 1, 1, delta, 1_000, 2_000))


def exported(clients: Clients, wanted: Wanted) -> list[ExportRow]:
    gate = clients["us-east-1"]
    return list(ExportReader(clients, NAMES.tally_table, gate, NAMES.gate_table).rows(wanted, lambda step: None))


def test_every_identifier_of_every_home_is_a_row_and_nothing_else_of_the_tables_is(clients: Clients) -> None:
    count(clients, "us-east-1", "ip#192.0.2.1", 10)
    count(clients, "eu-west-1", "ip#192.0.2.1", 5)
    count(clients, "eu-west-1", "all#eu-west-1", 5, "hour#2026-11-20T13")
    for pk, sk in (
        ("ip#192.0.2.1", "month#2026-10"),
        ("ip#192.0.2.1", "hour#2026-11-20T13"),
        ("ctr#9f2c#orders", "epoch#00000000"),
        ("seen#writer", "01795176000000#"),
    ):
        count(clients, "us-east-1", pk, 1, sk)
    assert [(row.home, row.kind, row.value, row.admitted, row.denied) for row in exported(clients, EVERYTHING)] == [
        ("us-east-1", "ip", "192.0.2.1", 10, 1),
        ("eu-west-1", "ip", "192.0.2.1", 5, 1),
        ("eu-west-1", "all", "eu-west-1", 5, 1),
    ]


def test_kinds_and_days_are_chosen_where_they_are_stored(clients: Clients) -> None:
    count(clients, "us-east-1", "ip#192.0.2.1", 10)
    count(clients, "us-east-1", "ref#shop.example", 7)
    days = span_of("2026-11-20", None, "day", NOW)
    assert len(exported(clients, Wanted(days, frozenset(EXPORT_KINDS)))) == 2
    wanted = Wanted(days, frozenset({"ref"}))
    assert [(row.value, row.start_ms, row.admitted, row.denied) for row in exported(clients, wanted)] == [
        ("shop.example", time_ms("2026-11-20"), 7, 1)
    ]
    assert exported(clients, Wanted(span_of("2026-11-01", "2026-11-20", "day", NOW), frozenset({"ref"}))) == []


def test_a_key_comes_with_its_owner_and_the_plan_that_holds_now(clients: Clients) -> None:
    """Of a line of rotations, all is counted under the first key; the last is on the plan."""
    admin = key_admin(clients["us-east-1"], NAMES.gate_table, NAMES.stage)
    admin = type(admin)(admin.keys, lambda: ("starter", "pro"), admin.stage, admin.choice)
    first = admin.create({"owner": "acme", "plan": "starter"}, NOW).profile
    second = admin.rotate(first.id, DAY_MS, NOW).profile
    admin.change(second.id, {"plan": "pro"}, NOW)
    other = admin.create({"owner": "other", "plan": "starter"}, NOW).profile
    for pk in (f"key#{first.id}", f"key#{other.id}", "key#invalid", "owner#acme", "ip#192.0.2.1"):
        count(clients, "us-east-1", pk, 3)
    found = {(row.kind, row.value): (row.owner, row.plan) for row in exported(clients, EVERYTHING)}
    assert found == {
        ("key", first.id): ("acme", "pro"),
        ("key", other.id): ("other", "starter"),
        ("key", "invalid"): (None, None),
        ("owner", "acme"): ("acme", None),
        ("ip", "192.0.2.1"): (None, None),
    }
    of_owner = exported(clients, Wanted(MONTH, frozenset({"key", "owner"}), "acme"))
    assert {(row.kind, row.value) for row in of_owner} == {("key", first.id), ("owner", "acme")}
    for kind in ("key", "owner"):
        with pytest.raises(NoKeysError):
            exported(clients, Wanted(MONTH, frozenset({kind}), "nobody"))


def test_about_how_many_items_there_are_is_known(clients: Clients) -> None:
    count(clients, "us-east-1", "ip#192.0.2.1", 10)
    count(clients, "eu-west-1", "ip#192.0.2.2", 10)
    reader = ExportReader(clients, NAMES.tally_table, clients["us-east-1"], NAMES.gate_table)
    assert reader.expected() == 2


class Row(dict[str, Any]):
    """A row that can be watched."""


class Table:
    """A table of many pages, which tells how many were asked for, and which rows are still held."""

    def __init__(self, pages: int, rows: int) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.rows: list[weakref.ref[Row]] = []
        self.fails: list[Exception] = []
        self._pages, self._rows = pages, rows

    def scan(self, **request: Any) -> dict[str, Any]:
        if self.fails:
            raise self.fails.pop(0)
        self.asked.append(request)
        page = int(request.get("ExclusiveStartKey", {}).get("page", 0))
        items = [self._row(page * self._rows + number) for number in range(self._rows)]
        self.rows += map(weakref.ref, items)
        more = {"LastEvaluatedKey": {"page": page + 1}} if page + 1 < self._pages else {}
        return {"Items": items, "ScannedCount": len(items), **more}

    def describe_table(self, **_: Any) -> Any:
        raise refusal("AccessDeniedException")

    def _row(self, number: int) -> Row:
        return Row({names.PK: {"S": f"ip#{number}"}, names.SK: {"S": "month#2026-11"}, names.UNITS: {"N": "1"}})

    @property
    def held(self) -> int:
        gc.collect()
        return sum(row() is not None for row in self.rows)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "later"}}, "Scan")


def reading(table: Table, pauses: list[float], steps: list[Step]) -> Iterator[ExportRow]:
    client = cast("Any", table)
    reader = ExportReader({"us-east-1": client}, "tally", client, "gate", pauses.append)
    return reader.rows(Wanted(MONTH, frozenset({"ip"})), steps.append)


def test_a_page_is_asked_for_when_the_one_before_is_used_up_and_then_that_one_is_let_go() -> None:
    table = Table(pages=50, rows=20)
    rows = reading(table, [], [])
    for number in range(1, 50 * 20 + 1):
        assert next(rows).value == str(number - 1)
        assert len(table.asked) == (number + 19) // 20
        if number % 100 == 1:
            assert table.held <= 2 * 20
    assert next(rows, None) is None


def test_what_is_refused_for_now_is_asked_for_again_from_the_same_place_and_nothing_comes_twice() -> None:
    table, pauses, steps = Table(pages=3, rows=2), list[float](), list[Step]()
    rows = reading(table, pauses, steps)
    found = [next(rows).value, next(rows).value]
    table.fails = [
        refusal("ProvisionedThroughputExceededException"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1"),
        refusal("InternalServerError"),
    ]
    found += [row.value for row in rows]
    assert found == [str(number) for number in range(6)]
    assert [request.get("ExclusiveStartKey") for request in table.asked] == [None, {"page": 1}, {"page": 2}]
    assert pauses == [1, 2, 4]
    assert steps == [Step(2), *[Step(0, waiting=True)] * 3, Step(2), Step(2)]


def test_what_is_refused_for_minutes_is_a_failure() -> None:
    table, pauses = Table(pages=1, rows=1), list[float]()
    table.fails = [refusal("ThrottlingException")] * (len(PAUSES_SECONDS) + 1)
    with pytest.raises(ClientError, match="ThrottlingException"):
        next(reading(table, pauses, []))
    assert sum(pauses) == 180


def test_where_nobody_ever_answered_nothing_is_waited_for() -> None:
    table, pauses = Table(pages=1, rows=1), list[float]()
    table.fails = [EndpointConnectionError(endpoint_url="http://127.0.0.1")] * (len(PAUSES_SECONDS) + 1)
    with pytest.raises(StoreError, match="Could not connect"):
        next(reading(table, pauses, []))
    assert pauses == []


def test_what_is_refused_for_good_is_not_asked_for_again() -> None:
    table, pauses = Table(pages=1, rows=1), list[float]()
    table.fails = [refusal("AccessDeniedException")]
    with pytest.raises(ClientError, match="AccessDeniedException"):
        next(reading(table, pauses, []))
    assert pauses == []


def test_whoever_may_not_ask_how_many_items_there_are_may_read_them() -> None:
    client = cast("Any", Table(pages=1, rows=1))
    assert ExportReader({"us-east-1": client}, "tally", client, "gate").expected() == 0
