"""The client against the deployed service: its page runs, and what it is told is what the service knows."""

import logging
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.credentials import Credentials

from tallygate.client import (
    InvalidRequestError,
    NotAuthorizedError,
    NotFoundError,
    OperatorClient,
    QuotaExceededError,
    TallygateClient,
)
from tallygate.core.keys import key_id, mint, secret_hash
from tallygate.local.aws import ACCOUNT, SECRET
from tallygate.local.world import RegionEndpoint, World

PAGE = Path(__file__).parents[2] / "docs" / "client.md"
IRELAND = "eu-west-1"


class Session:
    """A session of the operator's."""

    def __init__(self, secret: str = SECRET) -> None:
        self._credentials = Credentials(ACCOUNT, secret)

    def get_credentials(self) -> Credentials:
        return self._credentials


def caller(endpoint: RegionEndpoint, key: str | None) -> TallygateClient:
    return TallygateClient(endpoint.url, key)


@pytest.fixture
def operator(world: World) -> OperatorClient:
    return OperatorClient(world.ops_endpoint.url, "us-east-1", Session())


def test_the_page_runs_from_top_to_bottom(
    world: World,
    new_key: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    key = new_key("starter")
    names = {
        "url": world.endpoints[IRELAND].url,
        "ops_url": world.ops_endpoint.url,
        "key": key,
        "session": Session(),
        "sign_up": f"sign-up-{time.time_ns()}",
    }
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(snippets) == 8
    with caplog.at_level(logging.WARNING):
        for snippet in snippets:
            exec(compile(snippet, str(PAGE), "exec"), names)
    told = capsys.readouterr().out
    assert f"starter {key_id(key)}" in told
    assert "401 invalid-key" in told
    assert key not in told
    world.wait_until_caught_up()
    totals = {counter.name: counter.total for counter in caller(world.endpoints[IRELAND], key).counters.list()}
    assert (totals["visits"], totals["visits.home"], totals["items.sold"]) == (3, 2, 5)


def test_a_caller_is_told_what_they_used(world: World, new_key: Callable[[str], str]) -> None:
    key = new_key("starter")
    client = caller(world.endpoints[IRELAND], key)
    for _ in range(4):
        me = client.whoami()
    assert (me.key, me.plan, me.region) == (key_id(key), "starter", IRELAND)
    (hour,) = [limit for limit in client.limits if limit.policy == "key-hour"]
    assert (hour.quota, hour.window_seconds) == (400, 3_600)
    assert hour.remaining is not None
    assert 300 < hour.remaining < 400
    world.wait_until_caught_up()
    usage = client.usage()
    assert (usage.source, {limit.used for limit in usage.limits}) == ("tally", {4})
    assert sum(period.charged for period in client.history(time.strftime("%Y-%m-01", time.gmtime()))) == 4
    with pytest.raises(InvalidRequestError) as invalid:
        next(client.history("yesterday"))
    assert invalid.value.parameter == "from"


def test_a_spent_quota_is_an_error_that_says_when_to_come_back(world: World, new_key: Callable[[str], str]) -> None:
    client = caller(world.endpoints[IRELAND], new_key("trial"))
    with pytest.raises(QuotaExceededError) as spent:
        [client.whoami() for _ in range(60)]
    assert spent.value.policies == ("key-day",)
    assert (spent.value.retry_after_seconds or 0) > 0
    with pytest.raises(NotAuthorizedError):
        caller(world.endpoints[IRELAND], "mistyped").whoami()
    with pytest.raises(NotAuthorizedError) as anonymous:
        caller(world.endpoints[IRELAND], None).counters.increment("orders")
    assert anonymous.value.name == "key-required"


def test_counters_are_the_same_from_every_region(world: World, new_key: Callable[[str], str]) -> None:
    key = new_key("pro")
    clients = [caller(endpoint, key) for endpoint in world.endpoints.values()]
    for client in clients:
        with client.counters.buffer() as buffer:
            for number in range(150):
                buffer.add(f"n{number % 60:02d}", 2)
    assert [client.counters.next("invoice") for client in clients] == list(range(1, len(clients) + 1))
    world.wait_until_caught_up()
    for client in clients:
        totals = {counter.name: counter.total for counter in client.counters.list()}
        assert len(totals) == 60
        assert sum(totals.values()) == 300 * len(clients)
    reset = clients[0].counters.reset("n00", 0)
    assert (reset.epoch, reset.ended.total) == (1, 6 * len(clients))
    assert clients[-1].counters.reset("n00", 0) == reset
    assert clients[-1].counters.get("n00", 0).total == reset.ended.total


def test_an_operator_administers_keys(world: World, operator: OperatorClient) -> None:
    owner = f"client-{time.time_ns()}"
    made = operator.keys.create(owner, "starter", note="Bücher", expires="2999-01-01", referers=["shop.example"])
    assert made.secret not in repr(made)
    assert key_id(made.secret) == made.key["id"]
    assert operator.keys.show(made.key["id"]) == made.key
    changed = operator.keys.edit(made.key["id"], plan="pro", note=None, referers=[])
    assert (changed["plan"], changed["note"], changed["referers"]) == ("pro", None, [])
    assert changed["expires"] == made.key["expires"]
    successor = operator.keys.rotate(made.key["id"], overlap_seconds=60)
    assert successor.predecessor is not None
    assert successor.predecessor["rotated_to"] == successor.key["id"]
    assert caller(world.endpoints[IRELAND], successor.secret).whoami().plan == "pro"
    secret = mint("local", secrets.choice)
    taken = operator.keys.take_over(secret_hash(secret), owner, "starter")
    assert operator.keys.take_over(secret_hash(secret), owner, "starter") == taken
    assert operator.keys.revoke(successor.key["id"])["status"] == "revoked"
    ids = {each["id"] for each in operator.keys.list(owner=owner)}
    assert ids == {made.key["id"], successor.key["id"], taken["id"]}
    assert [each["id"] for each in operator.keys.list(owner=owner, status="revoked")] == [successor.key["id"]]


def test_what_an_operator_gets_wrong_is_told(world: World, operator: OperatorClient) -> None:
    with pytest.raises(NotFoundError):
        operator.keys.show("0123456789abcdef")
    with pytest.raises(InvalidRequestError) as unknown:
        operator.keys.create("acme", "nowhere")
    assert unknown.value.parameter == "plan"
    token = f"client-{time.time_ns()}"
    made = operator.keys.create("acme", "starter", idempotency_key=token)
    with pytest.raises(InvalidRequestError) as again:
        operator.keys.create("acme", "starter", idempotency_key=token)
    assert again.value.fields["key"] == made.key["id"]
    wrong = OperatorClient(world.ops_endpoint.url, "us-east-1", Session("wrong"))
    with pytest.raises(NotAuthorizedError):
        wrong.keys.show(made.key["id"])


def test_an_operator_reads_what_is_counted(world: World, operator: OperatorClient) -> None:
    owner = f"Bücher & Söhne {time.time_ns()}"
    made = operator.keys.create(owner, "starter")
    ids = {made.key["id"], operator.keys.create(owner, "starter").key["id"]}
    for endpoint in world.endpoints.values():
        caller(endpoint, made.secret).whoami()
    world.wait_until_caught_up()
    calls, today = len(world.endpoints), time.strftime("%Y-%m-%d", time.gmtime())
    days = list(operator.usage("key", made.key["id"], start=today, granularity="day"))
    assert [(row["charged"], row["denied"]) for row in days] == [(calls, 0)]
    assert sum(row["admitted"] for row in operator.usage("all", IRELAND, start=today, granularity="hour")) >= 1
    offered = [row["admitted"] + row["denied"] for row in operator.top("key", limit=100)["top"]]
    assert offered == sorted(offered, reverse=True)
    assert offered[0] >= calls
    standing = operator.standing("key", made.key["id"])
    assert (standing["plan"], standing["owner"], standing["decision"]["allowed"]) == ("starter", owner, True)
    assert {limit["used"] for limit in standing["limits"]} == {calls}
    assert [found["keys"] for found in operator.owners(owner[:12]) if found["owner"] == owner] == [2]
    keys = operator.owner(owner)
    assert {key["id"] for key in keys["keys"]} == ids
    assert keys["total"]["charged"] == calls
    pipeline = operator.pipeline()
    assert {row["home"] for row in pipeline["writers"]} == set(world.config.service.homes)
    with pytest.raises(InvalidRequestError) as invalid:
        operator.top("key", "last month")
    assert invalid.value.parameter == "period"
