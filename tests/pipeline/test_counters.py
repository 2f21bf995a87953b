"""Counters over HTTP in the deployed service: increments from all regions add up, sequences give each number once, a
reset loses nothing that is on its way, and nobody sees another's."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event

import pytest
import requests

from tallygate.local.world import World
from tests.pipeline.calls import CONNECTIONS, Asked, ask
from tests.pipeline.test_ops import Ops, until

REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")
IRELAND = REGIONS[1]

Call = Callable[..., requests.Response]
Headers = dict[str, str | bytes]


@pytest.fixture
def call(world: World, new_key: Callable[[str], str]) -> Call:
    """Calls as one key does."""
    return caller(world, new_key("pro"))


def caller(world: World, key: str) -> Call:
    def send(
        method: str, path: str, body: object = None, region: str = IRELAND, **headers: str | bytes
    ) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        whole = path if path.startswith("/v1/") else f"/v1/counters{path}"
        return ask(world, Asked(region, {"x-api-key": key, **named}, whole, method), body)

    return send


def until_epoch(call: Call, name: str, epoch: int, region: str = IRELAND) -> None:
    """Returns when a region knows of a reset: it may use for a second what it has read of a key."""
    until(lambda: call("GET", f"/{name}", region=region).json()["epoch"] == epoch)


def totals(call: Call) -> dict[str, int]:
    """All counters of a key, page by page."""
    return {each["name"]: each["total"] for page in pages(call) for each in page["counters"]}


def pages(call: Call) -> Iterator[dict]:
    path: str | None = ""
    while path is not None:
        page = call("GET", path).json()
        assert page["unread"] == []
        yield page
        path = page["next"]


def test_increments_from_all_regions_add_up_and_each_share_is_told(world: World, call: Call) -> None:
    random, sent = Random(20261121), Counter[str]()

    def one(number: int) -> tuple[requests.Response, dict[str, int]]:
        region = REGIONS[number % 3]
        adds = {name: random.randint(-3, 9) for name in random.sample(["orders", "items.sold", "visits"], 2)}
        if number % 2:
            return call("POST", "/increments", {"increments": adds}, region), adds
        name, add = adds.popitem()
        if number % 4 == 0:
            return call("POST", f"/{name}/increment", region=region), {name: 1}
        return call("POST", f"/{name}/increment", {"add": add}, region), {name: add}

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for answer, adds in pool.map(one, range(60)):
            assert (answer.status_code, answer.headers["Content-Type"]) == (202, "application/json")
            assert answer.json() == {"accepted": {name: {"add": add, "epoch": 0} for name, add in adds.items()}}
            assert "RateLimit" in answer.headers
            sent.update(adds)
    world.wait_until_caught_up()
    assert totals(call) == sent
    orders = call("GET", "/orders").json()
    assert (orders["name"], orders["epoch"], orders["total"]) == ("orders", 0, sent["orders"])
    (home,) = orders["homes"].values()
    assert (sum(home["writers"].values()), home["total"]) == (sent["orders"], sent["orders"])
    assert home["as_of"] == orders["as_of"] is not None


def test_numbers_of_a_sequence_are_given_out_once_each(call: Call) -> None:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        answers = list(pool.map(lambda number: call("POST", "/invoice/next", region=REGIONS[number % 3]), range(45)))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.json()["number"] for answer in answers) == list(range(1, 46))
    assert call("POST", "/other/next").json() == {"name": "other", "number": 1}
    assert call("GET", "/invoice").json()["total"] == 0, "a sequence is no counter"


def test_a_reset_while_increments_are_under_way_loses_none(world: World, call: Call) -> None:
    done = Event()
    with ThreadPoolExecutor(4) as pool:

        def send(region: str) -> int:
            for number in itertools.count(1):
                assert call("POST", "/hits/increment", region=region).status_code == 202
                if done.is_set():
                    return number
            raise AssertionError

        senders = [pool.submit(send, region) for region in REGIONS]
        resets = [call("POST", "/hits/reset", region=REGIONS[number % 3]).json() for number in range(4)]
        done.set()
        sent = sum(sender.result() for sender in senders)
    assert [reset["epoch"] for reset in resets] == [1, 2, 3, 4]
    assert [reset["ended"]["epoch"] for reset in resets] == [0, 1, 2, 3]
    until_epoch(call, "hits", 4)
    world.wait_until_caught_up()
    told = [call("GET", f"/hits?epoch={epoch}").json()["total"] for epoch in range(5)]
    assert sum(told) == sent
    assert call("GET", "/hits").json()["total"] == told[4]
    for reset, total in zip(resets, told, strict=False):
        assert reset["ended"]["total"] <= total, "what was still on its way went where it was meant to"


def test_resets_for_the_same_epoch_are_one(call: Call) -> None:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        resets = list(pool.map(lambda n: call("POST", "/hits/reset", {"epoch": 0}, REGIONS[n % 3]).json(), range(9)))
    assert {(reset["epoch"], reset["ended"]["epoch"]) for reset in resets} == {(1, 0)}
    early = call("POST", "/hits/reset", {"epoch": 2})
    assert (early.status_code, early.json()["type"]) == (409, "/v1/problems#other-epoch")


def test_what_one_key_counts_no_other_sees(world: World, call: Call, new_key: Callable[[str], str]) -> None:
    other = caller(world, new_key("starter"))
    call("POST", "/orders/increment", {"add": 7})
    assert call("POST", "/orders/next").json()["number"] == 1
    call("POST", "/orders/reset")
    until_epoch(call, "orders", 1)
    call("POST", "/orders/increment", {"add": 5})
    world.wait_until_caught_up()
    assert (totals(call), totals(other)) == ({"orders": 5}, {})
    assert other("GET", "/orders").json()["epoch"] == 0
    assert other("POST", "/orders/next").json()["number"] == 1


def test_without_a_key_there_are_no_counters(world: World, fresh_ip: Callable[[], str]) -> None:
    headers: Headers = {"X-Forwarded-For": fresh_ip()}
    for method, path in (
        ("GET", ""),
        ("GET", "/a"),
        ("POST", "/a/increment"),
        ("POST", "/a/next"),
        ("POST", "/a/reset"),
    ):
        answer = ask(world, Asked(IRELAND, headers, f"/v1/counters{path}", method))
        assert (answer.status_code, answer.json()["type"]) == (401, "/v1/problems#key-required")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
        assert "RateLimit" in answer.headers


def test_what_is_refused_or_makes_no_sense_counts_nothing(world: World, new_key: Callable[[str], str]) -> None:
    call = caller(world, new_key("trial"))
    for body in ({"add": 1.5}, {"add": True}, {"ad": 1}, [1], {"increments": {"a": 1}}):
        assert call("POST", "/a/increment", body).status_code == 400
    for body in ({"increments": {"a": 1, "b#": 2}}, {"increments": {}}, {"increments": {"a": 1, "b": "2"}}, {}):
        assert call("POST", "/increments", body).status_code == 400
    assert call("POST", "/a%20b/increment").json()["parameter"] == "name"
    accepted = sum(call("POST", "/a/increment").status_code == 202 for _ in range(60))
    assert 0 < accepted < 60, "the quota of 50 was met"
    world.wait_until_caught_up()
    tally = world.aws.client("dynamodb", "us-east-1")
    rows = tally.query(
        TableName=world.names.tally_table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"ctr#{_id_of(call)}"}},
    )["Items"]
    assert [(row["sk"]["S"], row["n"]["N"]) for row in rows] == [("a#00000000", str(accepted))]


def used(call: Call) -> set[int]:
    """Units of the key's quotas; asking is free of charge."""
    return {limit["used"] for limit in call("GET", "/v1/usage").json()["usage"]}


def _id_of(call: Call) -> str:
    """The id of the key that `call` presents."""
    usage = call("GET", "/v1/usage").json()
    return str(usage["usage"][0]["value"])


def test_with_an_idempotency_key_an_increment_counts_once_and_each_call_is_charged(world: World, call: Call) -> None:
    for region in REGIONS:
        for token in ("order-1", "order-1", "order-2"):
            assert call("POST", "/orders/increment", {"add": 10}, region, idempotency_key=token).status_code == 202
    world.wait_until_caught_up()
    assert used(call) == {9}
    assert totals(call) == {"orders": 20}
    world.wait_until_caught_up()
    assert used(call) == {10}, "reading counters is charged as any call"
    assert call("POST", "/orders/increment", idempotency_key="ä".encode()).json()["parameter"] == "Idempotency-Key"


def test_a_line_of_rotations_has_the_same_counters(world: World) -> None:
    ops = Ops(world)
    made = ops("POST", "/ops/keys", {"owner": "tests", "plan": "pro"}).json()
    first = caller(world, made["secret"])
    first("POST", "/orders/increment", {"add": 2})
    first("POST", "/orders/reset")
    second = caller(world, ops("POST", f"/ops/keys/{made['id']}/rotate").json()["secret"])
    until_epoch(first, "orders", 1)
    for call in (first, second):
        assert call("POST", "/orders/increment", {"add": 3}).json()["accepted"]["orders"]["epoch"] == 1
        assert call("POST", "/orders/next").status_code == 200
    world.wait_until_caught_up()
    assert totals(first) == totals(second) == {"orders": 6}
    assert first("POST", "/orders/next").json()["number"] == 3


def test_many_counters_come_page_by_page(world: World, call: Call) -> None:
    names = [f"n{number:03d}" for number in range(250)]
    for first in range(0, 250, 50):
        adds = {name: int(name[1:]) for name in names[first : first + 50]}
        assert call("POST", "/increments", {"increments": adds}).status_code == 202
    assert call("POST", "/increments", {"increments": dict.fromkeys(names[:51], 1)}).status_code == 400
    for name in names[:3]:
        call("POST", f"/{name}/reset")
    until_epoch(call, names[2], 1)
    world.wait_until_caught_up()
    told = [each["name"] for page in pages(call) for each in page["counters"]]
    assert told == names[3:], "in order, each once; those that were reset have not been added to since"
    assert len(list(pages(call))) == 2
    assert call("GET", "?cursor=nonsense").json()["parameter"] == "cursor"
