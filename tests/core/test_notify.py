"""The notifier on stores in memory: told before remembered, never lost, and once when nothing goes wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tallygate.core.gate import Partition
from tallygate.core.names import Kind
from tallygate.core.notices import Change, Known, Notice, Subject
from tallygate.core.notify import MAX_EVENTS, Notifier, Told
from tallygate.core.plans import Limit, Plan
from tallygate.core.tally import StoreError
from tallygate.core.usage import HomeUsage
from tallygate.sim.memory import MemoryTold

PLAN = Plan("p", (Limit("key", 100, "day"), Limit("key", 10, "hour")), notify_at=(80, 100))
NOW_MS = 1_795_000_000_000


class Gate:
    """Every key is on the one plan, or on none."""

    def __init__(self, *plans: Plan) -> None:
        self._plans = plans or (PLAN,)
        self.asked: list[tuple[str, str | None]] = []

    def plans(self) -> Mapping[str, Plan]:
        return {plan.name: plan for plan in self._plans}

    def known(
        self, kind: Kind, value: str, from_hour: str | None, plans: Mapping[str, Plan], now_ms: int
    ) -> Known | None:
        self.asked.append((f"{kind}#{value}", from_hour))
        if value == "gone":
            return None
        return Known(Subject(kind, value), tuple(plans.values()), Partition())


class Bus:
    def __init__(self) -> None:
        self.events: list[Notice] = []
        self.refuses: set[str] = set()
        self.down = False
        self.requests: list[int] = []

    def put(self, notices: Sequence[Notice]) -> list[bool]:
        if self.down:
            raise StoreError("down")
        self.requests.append(len(notices))
        taken = [notice.subject.value not in self.refuses for notice in notices]
        self.events += [notice for notice, good in zip(notices, taken, strict=True) if good]
        return taken


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def store() -> MemoryTold:
    return MemoryTold()


def day(value: str, charged: int, day: int = 20) -> Change:
    row = HomeUsage("us-east-1", "2026-11", charged=charged, days={day: charged}, at_ms=NOW_MS)
    return Change("key", value, row, frozenset({day}))


def hour(value: str, charged: int, name: str) -> Change:
    return Change("key", value, HomeUsage("us-east-1", "", charged=charged, at_ms=NOW_MS, hour=name))


def test_what_is_due_is_told_and_remembered_and_not_told_again(bus: Bus, store: MemoryTold) -> None:
    notifier = Notifier(Gate(), store, bus)
    assert notifier.notify([day("a", 79), day("a", 85), day("b", 100)], NOW_MS) == Told(told=3, known=0)
    assert [(event.subject.value, event.level) for event in bus.events] == [("a", 80), ("b", 80), ("b", 100)]
    assert set(store.at_ms.values()) == {NOW_MS}
    assert notifier.notify([day("a", 85), day("b", 100), day("a", 100)], NOW_MS + 1) == Told(told=1, known=3)
    assert [(event.subject.value, event.level) for event in bus.events[3:]] == [("a", 100)]
    assert sorted(store.at_ms.values()) == [NOW_MS] * 3 + [NOW_MS + 1]


def test_of_several_changes_the_newest_says_how_much_is_used(bus: Bus, store: MemoryTold) -> None:
    Notifier(Gate(), store, bus).notify([day("a", 85), day("a", 93)], NOW_MS)
    assert [(event.level, event.used) for event in bus.events] == [(80, 93)]


def test_a_caller_is_read_once_from_the_hour_before_the_earliest_that_changed(bus: Bus, store: MemoryTold) -> None:
    gate = Gate()
    changes = [
        hour("a", 1, "2026-11-20T14"), day("a", 1), hour("a", 1, "2026-11-20T13"), day("b", 1),
        hour("c", 1, "2026-11-01T00"),
    ]  # fmt: skip
    Notifier(gate, store, bus).notify(changes, NOW_MS)
    assert gate.asked == [("key#a", "2026-11-20T12"), ("key#b", None), ("key#c", "2026-10-31T23")]


def test_a_caller_of_whom_nothing_is_told_is_not_read(bus: Bus, store: MemoryTold) -> None:
    gate = Gate()
    address = Change("ip", "203.0.113.7", HomeUsage("us-east-1", "2026-11", charged=9, days={20: 9}), frozenset({20}))
    assert Notifier(gate, store, bus).notify([address, day("gone", 100)], NOW_MS) == Told()
    assert gate.asked == [("key#gone", None)]
    assert bus.requests == []


def test_a_key_may_have_a_limit_of_its_own_on_a_plan_without_one_for_keys(bus: Bus, store: MemoryTold) -> None:
    team = Plan("team", (Limit("owner", 1000, "month"),), notify_at=(80,))

    class Overridden(Gate):
        def known(self, *asked: Any) -> Known:
            return Known(Subject("key", "a"), (team.overridden([Limit("key", 100, "day")]),), Partition())

    assert Notifier(Overridden(team), store, bus).notify([day("a", 80)], NOW_MS) == Told(1, 0)


def test_events_go_in_requests_of_ten(bus: Bus, store: MemoryTold) -> None:
    changes = [day(f"key-{number}", 80) for number in range(2 * MAX_EVENTS + 1)]
    assert Notifier(Gate(), store, bus).notify(changes, NOW_MS).told == 21
    assert bus.requests == [10, 10, 1]


def test_what_the_bus_refuses_is_not_remembered_and_all_else_is(bus: Bus, store: MemoryTold) -> None:
    notifier = Notifier(Gate(), store, bus)
    bus.refuses = {"a", "c"}
    changes = [day(name, 80) for name in "abcdefghijkl"]
    with pytest.raises(StoreError, match="refused 2 of 12"):
        notifier.notify(changes, NOW_MS)
    assert len(bus.events) == len(store.at_ms) == 10
    bus.refuses = set()
    assert notifier.notify(changes, NOW_MS) == Told(told=2, known=10)
    assert [event.subject.value for event in bus.events[10:]] == ["a", "c"]


def test_a_bus_that_is_down_loses_nothing(bus: Bus, store: MemoryTold) -> None:
    notifier = Notifier(Gate(), store, bus)
    bus.down = True
    with pytest.raises(StoreError, match="down"):
        notifier.notify([day("a", 80)], NOW_MS)
    assert store.at_ms == {}
    bus.down = False
    assert notifier.notify([day("a", 80)], NOW_MS).told == 1


def test_who_dies_before_remembering_tells_again_with_the_same_id(bus: Bus, store: MemoryTold) -> None:
    class Dies(MemoryTold):
        def remember(self, notice: Notice, now_ms: int) -> None:
            raise StoreError("died")

    with pytest.raises(StoreError):
        Notifier(Gate(), Dies(), bus).notify([day("a", 80)], NOW_MS)
    Notifier(Gate(), store, bus).notify([day("a", 85)], NOW_MS)
    assert len(bus.events) == 2
    assert len({event.id("tallygate", "prod") for event in bus.events}) == 1


def test_without_levels_nothing_is_read(bus: Bus, store: MemoryTold) -> None:
    gate = Gate(Plan("quiet", (Limit("key", 10, "day"),)))
    assert Notifier(gate, store, bus).notify([day("a", 100)], NOW_MS) == Told()
    assert gate.asked == []
