"""The gate as the request path reads it: one round, and of its rows what still means something."""

from collections.abc import Sequence
from typing import Any

from tallygate.aws.dynamodb_http import Answer, Operation, Round
from tallygate.aws.gate_reader import GateReader
from tallygate.aws.plan_store import plans_row
from tallygate.aws.rows import gate_row
from tallygate.aws.tally_reader import TallyReader
from tallygate.core.adjustments import Adjustments, Baseline
from tallygate.core.credentials import StoredKey
from tallygate.core.gate import Partition, ReadFailure
from tallygate.core.plans import Limit, Plan
from tallygate.core.publish import Publication
from tallygate.core.routes import ALL_ALIKE, Routes
from tallygate.core.tally import TallyItem
from tallygate.core.usage import HomeUsage

NOW = 1_795_176_000_000  # 2026-11-20T12:00:00Z
LATER_S = NOW // 1000 + 1
PK = "key#9f2c000000000000"
ANONYMOUS = Plan("anonymous", (Limit("ip", 200, "day"), Limit("ref", 2000, "day")), True, "deny")
PRO = Plan("pro", (Limit("key", 1_000_000, "month"),))


class Client:
    """Gives out answers in their order and remembers what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[Operation] = []
        self.deadlines_ms: list[int] = []

    def send(self, operations: Sequence[Operation], deadline_ms: int) -> Round:
        self.asked += operations
        self.deadlines_ms.append(deadline_ms)
        return Round([self.answers.pop(0) for _ in operations], 12)


def published(charged: int, *, home: str = "us-east-1", month: str = "2026-11", expires_s: int = LATER_S) -> Any:
    item = TallyItem(units=charged + 5, charged=charged, denied=3, days={20: charged, 7: 0})
    return gate_row(Publication(PK, f"month#{month}", home, item, 2_500, NOW - 4_000, 4_000, expires_s))


def profile(**more: Any) -> Any:
    return {
        "pk": {"S": PK},
        "sk": {"S": "profile"},
        "hash": {"S": "9f2c"},
        "plan": {"S": "pro"},
        "owner": {"S": "somebody"},
        "status": {"S": "active"},
        "created": {"S": "2026-11-01T00:00:00.000Z"},
        **more,
    }


def test_a_round_asks_for_each_partition_and_the_plans() -> None:
    client = Client({"Items": []}, {"Items": []}, {"Items": []})
    reading = GateReader(client, "gate", 150).read(["ip#203.0.113.7", "ref#shop.example"], plans=True, now_ms=NOW)
    assert client.deadlines_ms == [150]
    assert [operation.parameters["ExpressionAttributeValues"] for operation in client.asked] == [
        {":pk": {"S": "ip#203.0.113.7"}, ":sk": {"S": "hour#2026-11-20T11"}},
        {":pk": {"S": "ref#shop.example"}, ":sk": {"S": "hour#2026-11-20T11"}},
        {":pk": {"S": "plans"}},
    ]
    assert reading.partitions == {"ip#203.0.113.7": Partition(), "ref#shop.example": Partition()}
    assert (reading.plans, reading.failures, reading.took_ms) == ({}, (), 12)


def test_rows_of_homes_and_the_profile_are_told_apart() -> None:
    rows = [
        {"pk": {"S": PK}, "sk": {"S": "hour#2026-11-20T11#us-east-1"}, "n": {"N": "1"}, "c": {"N": "1"}},
        published(40, month="2026-10"),
        published(70),
        published(30, home="eu-west-1"),
        profile(expires={"N": str(NOW)}),
    ]
    reading = GateReader(Client({"Items": rows}), "gate", 150).read([PK], plans=False, now_ms=NOW)
    assert reading.partitions[PK].key == StoredKey("9f2c", "pro", "active", NOW)
    assert reading.plans is None
    assert [(row.home, row.hour, row.month, row.charged) for row in reading.partitions[PK].homes] == [
        ("us-east-1", "2026-11-20T11", "", 1),
        ("us-east-1", "", "2026-10", 40),
        ("us-east-1", "", "2026-11", 70),
        ("eu-west-1", "", "2026-11", 30),
    ]
    assert reading.partitions[PK].homes[2] == HomeUsage(
        "us-east-1", "2026-11", 75, 70, 3, {20: 70}, 2_500, NOW - 4_000, 4_000
    )


def test_a_row_is_gone_when_it_expires_and_not_when_it_is_deleted() -> None:
    rows = [published(70, expires_s=NOW // 1000), profile(ttl={"N": str(NOW // 1000 - 1)}), published(7, home="x")]
    reading = GateReader(Client({"Items": rows}), "gate", 150).read([PK], plans=False, now_ms=NOW)
    assert reading.partitions[PK].key is None
    assert [row.charged for row in reading.partitions[PK].homes] == [7]


def test_a_missing_number_is_0() -> None:
    row = {"pk": {"S": PK}, "sk": {"S": "month#2026-11#us-east-1"}}
    reading = GateReader(Client({"Items": [row]}), "gate", 150).read([PK], plans=False, now_ms=NOW)
    assert reading.partitions[PK].homes == (HomeUsage("us-east-1", "2026-11"),)


def test_plans_are_read_as_they_are_stored() -> None:
    client = Client({"Items": [plans_row([ANONYMOUS, PRO], 1)]})
    assert GateReader(client, "gate", 150).read([], plans=True, now_ms=NOW).plans == {
        "anonymous": ANONYMOUS,
        "pro": PRO,
    }


def test_what_calls_weigh_is_read_with_the_plans() -> None:
    routes = Routes({"/v1/search": 5, "GET /v1/export/*": 20})
    row: Any = plans_row([PRO], 1, routes)
    reading = GateReader(Client({"Items": [row]}), "gate", 150).read([], plans=True, now_ms=NOW)
    assert (reading.routes, reading.failures) == (routes, ())
    row["routes"]["M"]["no path"] = {"N": "3"}
    reading = GateReader(Client({"Items": [row]}), "gate", 150).read([], plans=True, now_ms=NOW)
    assert (reading.plans, reading.routes) == ({"pro": PRO}, ALL_ALIKE)
    assert [failure.may_pass for failure in reading.failures] == [False]


def test_a_plan_that_makes_no_sense_here_is_left_out_and_said_to_be() -> None:
    row: Any = plans_row([Plan("newer", (Limit("key", 5, "fortnight"),)), PRO], 1)  # type: ignore[arg-type]
    row["plans"]["M"]["half"] = {"M": {}}
    reading = GateReader(Client({"Items": [row]}), "gate", 150).read([], plans=True, now_ms=NOW)
    assert reading.plans == {"pro": PRO}
    assert [failure.may_pass for failure in reading.failures] == [False, False]
    assert "plan newer makes no sense" in reading.failures[0].reason
    assert "fortnight" in reading.failures[0].reason


def test_what_cannot_be_read_is_missing_and_the_rest_is_there() -> None:
    slow = ReadFailure("no answer in time", may_pass=True)
    client = Client({"Items": []}, slow, slow)
    reading = GateReader(client, "gate", 150).read(["ip#a", "ref#b"], plans=True, now_ms=NOW)
    assert reading.partitions == {"ip#a": Partition()}
    assert reading.plans is None
    assert reading.failures == (slow, slow)


def test_a_profile_that_makes_no_sense_is_a_failure() -> None:
    row = profile()
    del row["plan"]
    reading = GateReader(Client({"Items": [row]}), "gate", 150).read([PK], plans=False, now_ms=NOW)
    assert reading.partitions == {}
    assert [failure.may_pass for failure in reading.failures] == [False]


ADJUSTED = {
    "base": {"M": {"month#2026-11": {"M": {"us-east-1": {"M": {"c": {"N": "70"}, "at": {"N": str(NOW - 9)}}}}}}},
    "extra": {"M": {"day#2026-11-20": {"M": {"order-1138": {"N": "50"}, "order-1139": {"N": "5"}}}}},
    "rev": {"N": "3"},
}


def test_adjustments_come_with_the_same_query() -> None:
    for more, key in ((profile(), StoredKey("9f2c", "pro", "active")), ({"sk": {"S": "profile"}}, None)):
        client = Client({"Items": [published(70), more | ADJUSTED]})
        reading = GateReader(client, "gate", 150).read([PK], plans=False, now_ms=NOW)
        assert reading.partitions[PK].key == key
        assert reading.partitions[PK].adjustments == Adjustments(
            {"month#2026-11": {"us-east-1": Baseline(70, NOW - 9)}},
            {"day#2026-11-20": {"order-1138": 50, "order-1139": 5}},
        )
        assert len(client.asked) == 1


def test_adjustments_of_a_profile_that_expired_are_over() -> None:
    rows = [{"sk": {"S": "profile"}, "ttl": {"N": str(NOW // 1000)}, **ADJUSTED}]
    reading = GateReader(Client({"Items": rows}), "gate", 150).read([PK], plans=False, now_ms=NOW)
    assert reading.partitions[PK] == Partition()


def test_the_tally_of_a_home_is_read_exactly() -> None:
    item = {"pk": {"S": PK}, "sk": {"S": "month#2026-11"}, "n": {"N": "9"}, "c": {"N": "8"}, "d20": {"N": "8"}}
    client = Client({"Item": item | {"t": {"N": str(NOW - 2_000)}, "w1.6740f1a0": {"B": "AAAA"}}}, {})
    counts = TallyReader({"us-east-1": client}, "tally").read(
        "us-east-1", [(PK, "month#2026-11"), ("ip#203.0.113.7", "hour#2026-11-20T12")]
    )
    assert counts == [
        HomeUsage("us-east-1", "2026-11", 9, 8, 0, {20: 8}, at_ms=NOW - 2_000),
        HomeUsage("us-east-1", "", hour="2026-11-20T12"),
    ]
    assert client.asked[0].parameters == {
        "TableName": "tally",
        "Key": {"pk": {"S": PK}, "sk": {"S": "month#2026-11"}},
        "ConsistentRead": True,
    }


def test_a_tally_that_does_not_answer_is_a_failure() -> None:
    slow = ReadFailure("no answer in time", may_pass=True)
    assert TallyReader({"us-east-1": Client(slow)}, "tally").read("us-east-1", [(PK, "month#2026-11")]) == slow
