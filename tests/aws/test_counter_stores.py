"""Counters where they are kept: epochs that nobody ends twice, sequences without a repeat, and shares of every home."""

import random
from typing import TYPE_CHECKING

import pytest
from sends import BotoSends, Silent

from tallygate.aws.counter_epochs import CounterEpochs, NotYetError, TooManyResetError
from tallygate.aws.counter_reader import PAGE_ROWS, CounterReader
from tallygate.aws.dynamodb_http import Operation
from tallygate.aws.gate_rows import partition_of
from tallygate.aws.key_store import KeyStore
from tallygate.aws.sequences import Sequences
from tallygate.aws.tally_table import TallyTable
from tallygate.core.counters import MAX_RESET_COUNTERS
from tallygate.core.gate import ReadFailure
from tallygate.core.key_admin import KeyAdmin
from tallygate.core.keys import key_id, mint
from tallygate.core.names import counter_sk
from tallygate.core.tally import Delta, ItemKey, Update
from tests.stage_tables import NAMES, Clients

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = key_id(mint("prod", random.Random(1).choice))
NOW = 1_795_176_000_000


@pytest.fixture
def gate(clients: Clients) -> "DynamoDBClient":
    """The administrative region's, with one key."""
    client = clients["us-east-1"]
    admin = KeyAdmin(KeyStore(client, NAMES.gate_table), lambda: ["pro"], "prod", random.Random(1).choice)
    admin.create({"owner": "acme", "plan": "pro"}, NOW)
    return client


@pytest.fixture
def epochs(gate: "DynamoDBClient") -> CounterEpochs:
    return CounterEpochs(BotoSends(gate), NAMES.gate_table)


def stored(gate: "DynamoDBClient") -> dict[str, int]:
    rows = gate.scan(TableName=NAMES.gate_table)["Items"]
    assert len(rows) == 1, "no other item is made"
    partition = partition_of(rows, NOW)
    assert partition.key is not None
    return dict(partition.epochs)


def test_each_counter_has_epochs_of_its_own(epochs: CounterEpochs, gate: "DynamoDBClient") -> None:
    assert stored(gate) == {}
    assert epochs.end(KEY, "orders", None) == (0, 1)
    assert epochs.end(KEY, "orders", None) == (1, 2)
    assert epochs.end(KEY, "a.b-c_9", 0) == (0, 1)
    assert stored(gate) == {"orders": 2, "a.b-c_9": 1}


def test_an_epoch_is_ended_once_however_often_that_is_asked_for(epochs: CounterEpochs, gate: "DynamoDBClient") -> None:
    assert [epochs.end(KEY, "orders", 0) for _ in range(3)] == [(0, 1)] * 3
    with pytest.raises(NotYetError):
        epochs.end(KEY, "orders", 2)
    assert stored(gate) == {"orders": 1}


@pytest.mark.parametrize("name", ["orders", "other"])
@pytest.mark.parametrize("epoch", [None, 0])
@pytest.mark.parametrize("began", [0, 1])
def test_a_reset_at_the_same_moment_is_the_same_one_and_takes_nothing_from_another_counter(
    gate: "DynamoDBClient", name: str, epoch: int | None, began: int
) -> None:
    plain = CounterEpochs(BotoSends(gate), NAMES.gate_table)
    for _ in range(began):
        plain.end(KEY, "first", None)
    writes: list[Operation] = []

    def another(operation: Operation) -> None:
        if operation.name == "UpdateItem":
            writes.append(operation)
            if len(writes) == 1:
                plain.end(KEY, name, None)

    both = CounterEpochs(BotoSends(gate, another), NAMES.gate_table)
    assert both.end(KEY, "orders", epoch) == (0, 1)
    assert stored(gate) == {"orders": 1, name: 1} | ({"first": 1} if began else {})


def test_of_a_key_so_many_counters_may_be_reset(epochs: CounterEpochs, gate: "DynamoDBClient") -> None:
    for number in range(MAX_RESET_COUNTERS):
        epochs.end(KEY, f"n{number}", None)
    with pytest.raises(TooManyResetError):
        epochs.end(KEY, "one-more", None)
    assert epochs.end(KEY, "n7", None) == (1, 2)
    assert len(stored(gate)) == MAX_RESET_COUNTERS


def test_a_key_that_is_not_there_is_not_made(epochs: CounterEpochs, gate: "DynamoDBClient") -> None:
    assert isinstance(epochs.end("0123456789abcdef", "orders", None), ReadFailure)
    assert stored(gate) == {}


def test_what_does_not_answer_is_told(gate: "DynamoDBClient") -> None:
    failure = ReadFailure("no answer in time", may_pass=True)
    assert CounterEpochs(Silent(), NAMES.gate_table).end(KEY, "orders", None) == failure
    assert Sequences(Silent(), NAMES.tally_table).next(KEY, "invoice") == failure
    reader = CounterReader({"us-east-1": Silent(), "eu-west-1": BotoSends(gate)}, NAMES.gate_table)
    counter, failures = reader.find(KEY, "orders", 0)
    assert (counter.unread, counter.total, failures) == (("us-east-1",), 0, [failure])


def test_numbers_of_a_sequence_follow_one_another_for_each_key_and_name(clients: Clients) -> None:
    sequences = Sequences(BotoSends(clients["us-east-1"]), NAMES.tally_table)
    assert [sequences.next(KEY, "invoice") for _ in range(3)] == [1, 2, 3]
    assert (sequences.next(KEY, "other"), sequences.next("ffff", "invoice"), sequences.next(KEY, "invoice")) == (
        1,
        1,
        4,
    )


def count(client: "DynamoDBClient", name: str, epoch: int, add: int, writer: str = "0.a", first: int = 1) -> None:
    key = ItemKey(f"ctr#{KEY}", counter_sk(name, epoch))
    update = Update(key, writer, first, first, Delta(units=add), NOW + first, None, shared=True)
    assert TallyTable(client, NAMES.tally_table).add(update).applied


def test_homes_and_writers_are_added_up(clients: Clients) -> None:
    east, west = clients["us-east-1"], clients["eu-west-1"]
    reader = CounterReader({"us-east-1": BotoSends(east), "eu-west-1": BotoSends(west)}, NAMES.tally_table)
    count(east, "orders", 1, 5)
    count(east, "orders", 1, 7, "1.b", 2)
    count(west, "orders", 1, -2, first=9)
    count(west, "orders", 0, 100)
    counter, failures = reader.find(KEY, "orders", 1)
    assert (counter.total, counter.at_ms, failures) == (10, NOW + 9, [])
    assert {home: (share.total, share.writers) for home, share in counter.shares.items()} == {
        "us-east-1": (12, {"0.a": 5, "1.b": 7}),
        "eu-west-1": (-2, {"0.a": -2}),
    }
    stretches, _ = reader.page(KEY, "")
    assert {home: [(s.name, s.epoch) for s in found.shares] for home, found in stretches.items() if found} == {
        "us-east-1": [("orders", 1)],
        "eu-west-1": [("orders", 0), ("orders", 1)],
    }
    assert reader.page("ffff", "")[0]["us-east-1"] == reader.page(KEY, counter_sk("orders", 1))[0]["eu-west-1"]


def test_a_page_ends_where_the_next_one_begins(clients: Clients) -> None:
    client = clients["us-east-1"]
    reader = CounterReader({"us-east-1": BotoSends(client)}, NAMES.tally_table)
    for number in range(PAGE_ROWS + 2):
        count(client, f"n{number:03d}", 0, 1)
    first = reader.page(KEY, "")[0]["us-east-1"]
    assert first is not None
    assert (len(first.shares), first.last) == (PAGE_ROWS, counter_sk(f"n{PAGE_ROWS - 1:03d}", 0))
    rest = reader.page(KEY, first.last or "")[0]["us-east-1"]
    assert rest is not None
    assert ([share.name for share in rest.shares], rest.last) == ([f"n{PAGE_ROWS}", f"n{PAGE_ROWS + 1}"], None)
