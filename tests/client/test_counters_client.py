"""The counters' side of the client, and increments added up in the program: nothing is lost while it lives, nothing is
sent twice under another key."""

import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import urllib3
from fake_pool import URL, Answer, FakePool, client_of

from tallygate.client import CounterBuffer, NoAnswerError, QuotaExceededError, Retries
from tallygate.client import buffer as buffering
from tallygate.core.lines import MAX_INCREMENTS, MAX_UNITS

AT = "2026-11-20T12:00:00.123Z"
ORDERS = {
    "name": "orders",
    "epoch": 3,
    "total": 7,
    "as_of": AT,
    "unread": ["eu-central-1"],
    "homes": {"us-east-1": {"total": 7, "as_of": AT, "writers": {"0.a": 7}}},
}
ACCEPTED = Answer(202, {"accepted": {}})
LONG = 3_600.0


def test_counters_ask_as_the_api_is_described() -> None:
    summary = {"name": "orders", "epoch": 3, "total": 7, "as_of": None}
    pool = FakePool(
        ACCEPTED,
        ACCEPTED,
        Answer(200, ORDERS),
        Answer(200, ORDERS),
        Answer(200, {"counters": [summary], "unread": [], "next": "/v1/counters?cursor=abc"}),
        Answer(200, {"counters": [], "unread": [], "next": None}),
        Answer(200, {"name": "orders", "epoch": 4, "ended": ORDERS}),
        Answer(200, {"name": "invoice", "number": 42}),
    )
    counters = client_of(pool).counters
    counters.increment("orders")
    counters.increments({"orders": 2, "items.sold": -1}, idempotency_key="order-17")
    found = counters.get("orders")
    assert (found.total, found.unread, found.as_of) == (
        7,
        ("eu-central-1",),
        datetime(2026, 11, 20, 12, 0, 0, 123_000, UTC),
    )
    assert (found.homes["us-east-1"].writers, counters.get("orders", 3)) == ({"0.a": 7}, found)
    assert [(each.name, each.total, each.as_of) for each in counters.list()] == [("orders", 7, None)]
    assert counters.reset("orders", 3).ended == found
    assert counters.next("a/b") == 42
    assert [(sent.method, sent.url.removeprefix(f"{URL}/v1/counters"), sent.document) for sent in pool.sent] == [
        ("POST", "/orders/increment", {"add": 1}),
        ("POST", "/increments", {"increments": {"orders": 2, "items.sold": -1}}),
        ("GET", "/orders", None),
        ("GET", "/orders?epoch=3", None),
        ("GET", "", None),
        ("GET", "?cursor=abc", None),
        ("POST", "/orders/reset", {"epoch": 3}),
        ("POST", "/a%2Fb/next", None),
    ]
    assert [sent.headers.get("Idempotency-Key") for sent in pool.sent[:2]] == [None, "order-17"]


def test_an_increment_whose_answer_is_lost_is_repeated_under_its_key_alone() -> None:

    lost = urllib3.exceptions.ProtocolError("gone")
    counters = client_of(FakePool(lost, ACCEPTED), Retries(1)).counters
    with pytest.raises(NoAnswerError):
        counters.increment("orders")


class Service:
    """Takes increments once for each key; `failures` are raised first, and those in `lost` after it has taken them."""

    def __init__(self, *failures: Exception, lost: int = 0) -> None:
        self.failures = list(failures)
        self.lost = lost
        self.taken: dict[str, Mapping[str, int]] = {}
        self.calls = 0
        self.arrived = threading.Event()

    def __call__(self, adds: Mapping[str, int], key: str) -> None:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        assert self.taken.setdefault(key, dict(adds)) == adds, "one key, one content"
        assert 1 <= len(adds) <= MAX_INCREMENTS
        assert all(abs(add) <= MAX_UNITS for add in adds.values())
        if self.lost:
            self.lost -= 1
            raise NoAnswerError("lost")
        self.arrived.set()

    @property
    def totals(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for adds in self.taken.values():
            total.update(adds)
        return total


def test_what_many_threads_add_arrives_once_and_in_few_calls() -> None:
    service = Service()
    with CounterBuffer(service, most=10_000, seconds=LONG) as buffer, ThreadPoolExecutor(4) as pool:
        for number in range(4_000):
            pool.submit(buffer.add, f"n{number % 120}", number % 7)
    expected: Counter[str] = Counter()
    for number in range(4_000):
        expected[f"n{number % 120}"] += number % 7
    assert service.totals == expected
    assert (service.calls, buffer.unsent) == (3, {})


def test_it_is_sent_when_there_are_enough() -> None:
    service = Service()
    buffer = CounterBuffer(service, most=3, seconds=LONG)
    for _ in range(3):
        buffer.add("orders")
    assert service.arrived.wait(30)
    buffer.close()
    assert service.totals == {"orders": 3}


def test_it_is_sent_when_it_is_old_enough() -> None:
    service = Service()
    buffer = CounterBuffer(service, most=10**9, seconds=0.01)
    buffer.add("orders", 5)
    assert service.arrived.wait(30)
    buffer.close()
    assert service.totals == {"orders": 5}


def test_nothing_is_sent_before_it_is_due_or_when_there_is_nothing() -> None:
    service = Service()
    buffer = CounterBuffer(service, seconds=LONG)
    buffer.flush()
    buffer.add("orders")
    assert (service.calls, buffer.unsent) == (0, {"orders": 1})
    buffer.flush()
    assert (service.calls, buffer.unsent) == (1, {})
    buffer.close()
    assert service.calls == 1


@pytest.mark.parametrize("lost", [0, 2])
def test_what_is_not_sent_stays_and_is_sent_again_under_the_same_key(
    lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CounterBuffer, "_run", lambda _: None)  # it may be first to send what a flush has left
    service = Service(NoAnswerError("down"), lost=lost)
    buffer = CounterBuffer(service, seconds=LONG)
    buffer.add("orders", 5)
    for _ in range(1 + lost):
        with pytest.raises(NoAnswerError):
            buffer.flush()
        buffer.add("orders", 1)
        assert buffer.unsent["orders"] >= 5
    buffer.close()
    assert service.totals == {"orders": 5 + 1 + lost}


def test_in_the_background_a_failure_is_logged_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffering, "FIRST_PAUSE_SECONDS", 0.001)
    spent = QuotaExceededError(429, {"detail": "key-day allows 50 a day."}, 0)
    service = Service(spent, RuntimeError("odd"))
    with caplog.at_level("WARNING", "tallygate.client"):
        buffer = CounterBuffer(service, most=1, seconds=LONG)
        buffer.add("orders")
        assert service.arrived.wait(30)
        buffer.close()
    assert [record.getMessage() for record in caplog.records] == [
        "increments were not sent, and wait for 0 s: 429: key-day allows 50 a day.",
        "increments were not sent, and wait for 0 s: odd",
    ]
    assert service.totals == {"orders": 1}


def test_closing_tells_what_could_not_be_sent_and_may_be_tried_again() -> None:
    service = Service(NoAnswerError("down"))
    buffer = CounterBuffer(service, seconds=LONG)
    buffer.add("orders")
    with pytest.raises(NoAnswerError):
        buffer.close()
    assert buffer.unsent == {"orders": 1}
    with pytest.raises(RuntimeError, match="closed"):
        buffer.add("orders")
    buffer.close()
    assert service.totals == {"orders": 1}


@pytest.mark.parametrize(("name", "add"), [("a b", 1), ("", 1), ("orders", 10**9 + 1)])
def test_what_the_service_would_never_take_is_refused_at_once(name: str, add: int) -> None:
    buffer = CounterBuffer(Service(), seconds=LONG)
    with pytest.raises(ValueError, match=r"not the name|at most"):
        buffer.add(name, add)
    buffer.close()


@pytest.mark.parametrize("add", [1.5, float("nan"), "1", None])
def test_what_is_no_whole_number_is_refused_before_it_holds_up_the_rest(add: Any) -> None:
    service = Service()
    with CounterBuffer(service, seconds=LONG) as buffer:
        with pytest.raises(TypeError):
            buffer.add("orders", add)
        buffer.add("orders", True)
    assert service.totals == {"orders": 1}


def test_sums_beyond_what_one_call_takes_go_in_several() -> None:
    service = Service()
    with CounterBuffer(service, seconds=LONG) as buffer:
        for _ in range(3):
            buffer.add("up", MAX_UNITS)
            buffer.add("down", -MAX_UNITS)
    assert service.totals == {"up": 3 * MAX_UNITS, "down": -3 * MAX_UNITS}
    assert service.calls == 3
