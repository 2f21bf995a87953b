"""Adjustments beside keys and plans: none is lost to another, none outlives its month, and no key is touched."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.aws.gate_rows import adjustments_of, partition_of
from tallygate.aws.key_store import KeyStore
from tallygate.aws.quota_store import BusyError, QuotaStore, _values
from tallygate.core.adjustments import Adjustments, Baseline, IdTakenError, TopUp
from tallygate.core.credentials import StoredKey
from tallygate.core.key_admin import KeyAdmin, KeyExistsError, UnknownKeyError
from tallygate.core.key_profile import REVOKED
from tallygate.core.keys import key_id, mint, secret_hash
from tests.stage_tables import NAMES, Clients

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SECRET = mint("prod", random.Random(1).choice)
KEY = key_id(SECRET)
FIELDS = {"owner": "acme", "plan": "starter"}
NOW = 1_795_176_000_000  # 2026-11-20T12:00:00Z
DAY_MS = 86_400_000
COUNTED = {"us-east-1": Baseline(150, NOW - 2_000), "eu-west-1": Baseline(50, NOW - 1_000)}


@pytest.fixture
def gate(clients: Clients) -> "DynamoDBClient":
    return clients["us-east-1"]


@pytest.fixture
def store(gate: "DynamoDBClient") -> QuotaStore:
    return QuotaStore(gate, NAMES.gate_table)


@pytest.fixture
def keys(gate: "DynamoDBClient") -> KeyAdmin:
    return KeyAdmin(KeyStore(gate, NAMES.gate_table), lambda: ["starter", "pro"], "prod", random.Random(1).choice)


def row(gate: "DynamoDBClient", pk: str) -> Any:
    (row,) = gate.scan(TableName=NAMES.gate_table)["Items"]
    assert (row["pk"]["S"], row["sk"]["S"]) == (pk, "profile")
    return row


def test_an_address_gets_a_profile_that_is_no_key_and_ends_with_the_month_after_its_own(
    store: QuotaStore, gate: "DynamoDBClient"
) -> None:
    adjusted = store.reset("ip", "203.0.113.7", {"day#2026-11-20": COUNTED}, NOW).after
    stored = row(gate, "ip#203.0.113.7")
    assert stored["ttl"] == {"N": "1798848000"}  # 2027-01-02T00:00:00Z: a rolling limit of December counts November
    partition = partition_of([stored], NOW)
    assert (partition.key, partition.adjustments) == (None, adjusted)
    assert adjusted == store.find("ip", "203.0.113.7") == Adjustments({"day#2026-11-20": COUNTED})
    assert partition_of([stored], NOW + 43 * DAY_MS).adjustments == Adjustments()


def test_a_key_keeps_everything_else_and_never_expires(
    store: QuotaStore, keys: KeyAdmin, gate: "DynamoDBClient"
) -> None:
    made = keys.create({**FIELDS, "note": "first"}, NOW).profile
    before = row(gate, f"key#{KEY}")
    store.reset("key", KEY, {"day#2026-11-20": COUNTED, "month#2026-11": COUNTED}, NOW)
    adjusted = store.top_up("key", KEY, "month", TopUp("a", 500), NOW).after
    after = row(gate, f"key#{KEY}")
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"base", "extra", "rev"}
    assert keys.keys.find(KEY) == (made, secret_hash(SECRET))
    partition = partition_of([after], NOW)
    assert partition.key == StoredKey(secret_hash(SECRET), "starter", "active")
    assert partition.adjustments == adjusted
    assert adjusted.extras == {"month#2026-11": {"a": 500}}
    assert set(adjusted.bases) == {"day#2026-11-20", "month#2026-11"}


def test_a_key_that_is_adjusted_is_not_overwritten_and_a_revoked_one_stays_adjusted(
    store: QuotaStore, keys: KeyAdmin
) -> None:
    keys.create(FIELDS, NOW)
    adjusted = store.top_up("key", KEY, "day", TopUp("a", 5), NOW).after
    with pytest.raises(KeyExistsError):
        keys.take(KEY + "0" * 48, {"owner": "mallory", "plan": "pro"}, NOW)
    assert keys.revoke(KEY, NOW).status == REVOKED
    assert store.find("key", KEY) == adjusted


def test_a_key_that_is_not_there_is_not_made(store: QuotaStore, keys: KeyAdmin, gate: "DynamoDBClient") -> None:
    with pytest.raises(UnknownKeyError):
        store.reset("key", KEY, {"day#2026-11-20": COUNTED}, NOW)
    with pytest.raises(UnknownKeyError):
        store.top_up("key", KEY, "day", TopUp("a", 5), NOW)
    assert gate.scan(TableName=NAMES.gate_table)["Items"] == []
    keys.create(FIELDS, NOW)


def test_a_top_up_that_is_asked_for_again_changes_nothing(store: QuotaStore, gate: "DynamoDBClient") -> None:
    first = store.top_up("ref", "shop.example", "day", TopUp("a", 50), NOW)
    stored = row(gate, "ref#shop.example")
    again = store.top_up("ref", "shop.example", "day", TopUp("a", 50), NOW + 1)
    assert (first.before == first.after, again.before == again.after) == (False, True)
    assert row(gate, "ref#shop.example") == stored
    with pytest.raises(IdTakenError):
        store.top_up("ref", "shop.example", "day", TopUp("a", 51), NOW)
    assert store.top_up("ref", "shop.example", "day", TopUp("b", 5), NOW).after.extras == {
        "day#2026-11-20": {"a": 50, "b": 5}
    }


class Interrupted:
    """A client between whose reads and writes something else happens; and whose answers may be lost."""

    def __init__(self, client: "DynamoDBClient", *meanwhile: Callable[[], object], lost: int = 0) -> None:
        self._client = client
        self._meanwhile = list(meanwhile)
        self._lost = lost

    def get_item(self, **asked: Any) -> Any:
        answer = self._client.get_item(**asked)
        if self._meanwhile:
            self._meanwhile.pop(0)()
        return answer

    def transact_write_items(self, **asked: Any) -> Any:
        answer = self._client.transact_write_items(**asked)
        if self._lost:  # as the SDK does when it hears nothing: the same again
            self._lost -= 1
            return self.transact_write_items(**asked)
        return answer


def test_of_changes_at_the_same_time_none_is_lost(store: QuotaStore, gate: "DynamoDBClient") -> None:
    def others(id: str) -> Callable[[], object]:
        return lambda: store.top_up("ip", "203.0.113.7", "day", TopUp(id, 1), NOW)

    def reset() -> object:
        return store.reset("ip", "203.0.113.7", {"day#2026-11-20": COUNTED}, NOW)

    interrupted: Any = Interrupted(gate, others("b"), reset, others("c"))
    QuotaStore(interrupted, NAMES.gate_table).top_up("ip", "203.0.113.7", "day", TopUp("a", 10), NOW)
    found = store.find("ip", "203.0.113.7")
    assert found.extras == {"day#2026-11-20": {"a": 10, "b": 1, "c": 1}}
    assert found.bases == {"day#2026-11-20": COUNTED}


def test_a_key_revoked_at_the_same_time_is_revoked_and_adjusted(
    store: QuotaStore, keys: KeyAdmin, gate: "DynamoDBClient"
) -> None:
    keys.create(FIELDS, NOW)
    interrupted: Any = Interrupted(gate, lambda: keys.revoke(KEY, NOW))
    QuotaStore(interrupted, NAMES.gate_table).top_up("key", KEY, "day", TopUp("a", 10), NOW)
    found = keys.keys.find(KEY)
    assert found is not None
    assert (found.profile.status, store.find("key", KEY).extras) == (REVOKED, {"day#2026-11-20": {"a": 10}})


def test_a_top_up_whose_answer_was_lost_is_added_once(store: QuotaStore, gate: "DynamoDBClient") -> None:
    losing: Any = Interrupted(gate, lost=1)
    QuotaStore(losing, NAMES.gate_table).top_up("ip", "203.0.113.7", "day", TopUp("a", 10), NOW)
    assert store.find("ip", "203.0.113.7").extras == {"day#2026-11-20": {"a": 10}}


def test_who_is_never_alone_gives_up_and_has_written_nothing(store: QuotaStore, gate: "DynamoDBClient") -> None:
    def others(number: int) -> Callable[[], object]:
        return lambda: store.top_up("ip", "203.0.113.7", "day", TopUp(f"other-{number}", 1), NOW)

    busy: Any = Interrupted(gate, *map(others, range(99)))
    with pytest.raises(BusyError):
        QuotaStore(busy, NAMES.gate_table).top_up("ip", "203.0.113.7", "day", TopUp("a", 10), NOW)
    assert "a" not in store.find("ip", "203.0.113.7").extras["day#2026-11-20"]


names = st.text(min_size=1, max_size=8)
numbers = st.integers(0, 10**15)


@given(
    st.dictionaries(names, st.dictionaries(names, st.builds(Baseline, numbers, numbers), min_size=1), max_size=3),
    st.dictionaries(names, st.dictionaries(names, numbers, min_size=1), max_size=3),
)
def test_adjustments_are_read_as_they_are_written(bases: Any, extras: Any) -> None:
    adjusted = Adjustments(bases, extras)
    values = _values(adjusted)
    assert adjustments_of({"base": values[":base"], "extra": values[":extra"]}) == adjusted
