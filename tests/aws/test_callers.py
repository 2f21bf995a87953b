"""Callers whose limits change are found in the tallies of all homes, and told in their own."""

from collections.abc import Callable

import pytest

from tallygate.aws.callers import SCANNED_ITEMS, Callers
from tallygate.aws.gate_table import GateTable
from tallygate.aws.tally_table import TallyTable
from tallygate.core import names
from tallygate.core.names import Kind, pk_of
from tallygate.core.plans import Limit, Plan
from tallygate.core.publish import Publication
from tallygate.core.ranks import rank_of, rank_partition
from tallygate.core.republish import Group
from tallygate.core.tally import Delta, ItemKey, TallyItem, Update
from tests.stage_tables import NAMES, Clients

NOW = 1_795_176_000_000  # 2026-11-20T12:00:00Z
HERE, THERE = "us-east-1", "eu-west-1"


def anonymous(quota: int) -> Plan:
    return Plan("anonymous", (Limit("ip", quota, "day"), Limit("ref", 2_000, "day")), anonymous=True)


def per_ip(before: int, after: int) -> Group:
    return Group("ip", anonymous(before), anonymous(after))


@pytest.fixture
def count(clients: Clients) -> Callable[..., None]:
    """Counts units of an identifier as the consumer of a home does."""

    def count(home: str, kind: Kind, value: str, units: int, *, month: str = "2026-11") -> None:
        key = ItemKey(pk_of(kind, value), names.MONTH_SK + month)
        tally = TallyTable(clients[home], NAMES.tally_table)
        tally.add(Update(key, "w", 1, 1, Delta(units, units, 0, {20: units}), NOW - 2_000, 2**40))
        if rank_of(units):
            tally.set_rank(key, rank_partition(kind, month, key.pk), rank_of(units))

    return count


def callers_of(clients: Clients, pauses: list[float] | None = None) -> Callers:
    return Callers(clients, clients[HERE], NAMES, "marks", ([] if pauses is None else pauses).append)


def test_those_who_used_much_are_found_by_the_index_of_any_home(clients: Clients, count: Callable[..., None]) -> None:
    for number in range(120):
        count(HERE if number % 2 else THERE, "ip", f"192.0.2.{number}", number)
    count(HERE, "ref", "shop.example", 500)
    count(HERE, "ip", "198.51.100.1", 500, month="2026-10")
    found = callers_of(clients).find(per_ip(400, 800), NOW)
    least = 20  # 5 % of 400
    assert len(found) == len(set(found))
    assert {f"192.0.2.{number}" for number in range(least, 120)} <= set(found)
    # A rank bounds a count by a step of √2.
    assert set(found) <= {f"192.0.2.{number}" for number in range(16, 120)}


def test_those_who_used_some_of_very_little_are_found_by_a_look_at_everything(
    clients: Clients, count: Callable[..., None]
) -> None:
    count(HERE, "ip", "192.0.2.1", 3)
    count(THERE, "ip", "192.0.2.1", 1)
    count(THERE, "ip", "192.0.2.2", 9)
    count(HERE, "ip", "192.0.2.3", 1)
    count(HERE, "ref", "shop.example", 9)
    assert sorted(callers_of(clients).find(per_ip(200, 40), NOW)) == ["192.0.2.1", "192.0.2.2"]


def test_a_look_at_everything_takes_its_time(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallygate.aws.callers.SCANNED_ITEMS", 10)
    pauses: list[float] = []
    for number in range(25):
        clients[HERE].put_item(TableName=NAMES.tally_table, Item={"pk": {"S": f"ip#{number}"}, "sk": {"S": "other"}})
    assert callers_of(clients, pauses).find(per_ip(200, 10), NOW) == []
    assert pauses == [0.1, 0.1]
    assert SCANNED_ITEMS > 10


def test_each_home_is_told_of_in_its_own_replica(clients: Clients, count: Callable[..., None]) -> None:
    count(HERE, "ip", "192.0.2.1", 70)
    count(THERE, "ip", "192.0.2.1", 40)
    count(THERE, "ip", "192.0.2.2", 30)
    callers, group = callers_of(clients), per_ip(2_000, 100)
    values = sorted(callers.find(group, NOW))
    assessed = list(callers.assess(group, values, NOW))
    assert [(each.was_over, each.is_over, len(each.due)) for each in assessed] == [(False, True, 2), (False, False, 1)]
    due = [publication for each in assessed for publication in each.due]
    assert callers.publish(due) == 3
    assert callers.publish(due) == 0, "they are told already"
    for home, expected in ((HERE, {"ip#192.0.2.1": "70"}), (THERE, {"ip#192.0.2.1": "40", "ip#192.0.2.2": "30"})):
        rows = clients[home].scan(TableName=NAMES.gate_table)["Items"]
        assert {row["pk"]["S"]: row["c"]["N"] for row in rows} == expected
        assert {row["sk"]["S"] for row in rows} == {f"month#2026-11#{home}"}
    (again, _) = callers.assess(group, values, NOW)
    assert [publication.home for publication in again.due] == [THERE], "the gate here is a replica of nothing"


def test_what_the_consumer_told_meanwhile_stays(clients: Clients, count: Callable[..., None]) -> None:
    count(HERE, "ip", "192.0.2.1", 70)
    callers, group = callers_of(clients), per_ip(2_000, 100)
    (assessed,) = callers.assess(group, ["192.0.2.1"], NOW)
    newer = TallyItem(71, 71, 0, {20: 71})
    gate = GateTable(clients[HERE], NAMES.gate_table)
    assert gate.publish(Publication("ip#192.0.2.1", "month#2026-11", HERE, newer, 0, NOW, 0, 2**40))
    assert callers.publish(assessed.due) == 0


def test_many_are_read_in_their_order(clients: Clients, count: Callable[..., None]) -> None:
    values = [f"192.0.2.{number}" for number in range(130)]
    for number, value in enumerate(values):
        count(HERE, "ip", value, number)
    assessed = list(callers_of(clients).assess(per_ip(50, 100), values, NOW))
    assert [each.is_over for each in assessed] == [number >= 100 for number in range(130)]
    assert [each.was_over for each in assessed] == [number >= 50 for number in range(130)]
