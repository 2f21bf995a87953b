"""The deployed pipeline counts every call once for each of its identifiers: more than a thousand calls through three
regions, and the tally beside what each of them should have counted for, written here by hand."""

import hashlib
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tallygate.core.keys import mint
from tallygate.local.world import World
from tests.pipeline.calls import Asked, ask_all

CALLS = 1_200
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")


@dataclass(frozen=True)
class Caller:
    """Headers as they are sent, and what they should count for."""

    headers: dict[str, str | bytes]
    identifiers: tuple[str, ...]
    statuses: tuple[int, ...] = (200,)


def _callers(pro: str, starter: str, unknown: str) -> list[Caller]:
    def key(secret: str) -> str:
        return "key#" + hashlib.sha256(secret.encode()).hexdigest()[:16]

    spoiled = pro[:-1] + ("0" if pro[-1] != "0" else "1")
    return [
        # addresses
        Caller({"X-Forwarded-For": "198.51.100.1"}, ("ip#198.51.100.1",)),
        Caller({"X-Forwarded-For": "198.51.100.2"}, ("ip#198.51.100.2",)),
        Caller({"X-Forwarded-For": "::ffff:198.51.100.2"}, ("ip#198.51.100.2",)),
        Caller({"X-Forwarded-For": "2001:db8:77:1::1"}, ("ip#2001:db8:77:1::/64",)),
        Caller({"X-Forwarded-For": "2001:DB8:77:1:ffff:0:0:2"}, ("ip#2001:db8:77:1::/64",)),
        Caller({"X-Forwarded-For": "2001:db8:77:2::1"}, ("ip#2001:db8:77:2::/64",)),
        Caller({"X-Forwarded-For": "203.0.113.99, 198.51.100.3"}, ("ip#198.51.100.3",)),
        # referring hosts
        Caller(
            {"X-Forwarded-For": "198.51.100.4", "Referer": "https://Shop.Counts.Example:8443/basket?item=7#top"},
            ("ip#198.51.100.4", "ref#shop.counts.example"),
        ),
        Caller(
            {"X-Forwarded-For": "198.51.100.4", "Origin": "https://shop.counts.example."},
            ("ip#198.51.100.4", "ref#shop.counts.example"),
        ),
        Caller(
            {"X-Forwarded-For": "198.51.100.5", "Origin": "https://a.counts.example", "Referer":
            "https://b.counts.example/"}, ("ip#198.51.100.5", "ref#a.counts.example"),
        ),
        Caller(
            {"X-Forwarded-For": "198.51.100.5", "Origin": "null", "Referer": "https://b.counts.example/"},
            ("ip#198.51.100.5", "ref#b.counts.example"),
        ),
        Caller({"X-Forwarded-For": "198.51.100.6", "Referer": "https://counts.example/" + "x" * 4096},
               ("ip#198.51.100.6", "ref#counts.example")),
        Caller({"X-Forwarded-For": "198.51.100.6", "Referer": "https://" + "x" * 4096 + ".example/"},
        ("ip#198.51.100.6",)), Caller(
            {"X-Forwarded-For": "198.51.100.7", "Referer": "https://bücher.counts.example/ä".encode()},
            ("ip#198.51.100.7", "ref#xn--bcher-kva.counts.example"),
        ),
        Caller({"X-Forwarded-For": "198.51.100.7", "Referer": "https://💥\u202e/".encode()}, ("ip#198.51.100.7",),
        (200,)), Caller({"X-Forwarded-For": "198.51.100.8", "Referer": b"\xff\xfe\x80 nonsense"}, ("ip#198.51.100.8",)),
        Caller({"X-Forwarded-For": "198.51.100.8", "Referer": "javascript:alert(1)"}, ("ip#198.51.100.8",)),
        # keys
        Caller({"X-Forwarded-For": "198.51.100.9", "x-api-key": pro}, ("ip#198.51.100.9", key(pro))),
        Caller(
            {"X-Forwarded-For": "2001:db8:77:3::9", "Authorization": f"Bearer {starter}", "Referer":
            "https://c.counts.example"}, ("ip#2001:db8:77:3::/64", "ref#c.counts.example", key(starter)),
        ),
        Caller({"X-Forwarded-For": "198.51.100.10", "Authorization": "Bearer eyJhbGciOiJub25lIn0"},
        ("ip#198.51.100.10",)), Caller({"X-Forwarded-For": "198.51.100.11", "x-api-key": spoiled},
        ("ip#198.51.100.11", "key#invalid"), (401,)), Caller({"X-Forwarded-For": "198.51.100.11", "x-api-key":
        unknown}, ("ip#198.51.100.11", "key#invalid"), (401,)), Caller({"X-Forwarded-For": "198.51.100.11",
        "x-api-key": "'; drop table"}, ("ip#198.51.100.11", "key#invalid"), (401,)),
        # one that spends its quota on the way: what is refused is counted as refused
        *[Caller({"X-Forwarded-For": "198.51.100.12"}, ("ip#198.51.100.12",), (200, 429))] * 8,
    ]  # fmt: skip


def _tally(world: World) -> dict[str, tuple[int, int]]:
    """(admitted units, refused calls) of everything counted this session, by identifier."""
    counted: dict[str, list[int]] = {}
    for home in world.config.service.homes:
        pages = world.aws.client("dynamodb", home).get_paginator("scan").paginate(TableName=world.names.tally_table)
        for item in (item for page in pages for item in page["Items"]):
            if item["sk"]["S"].startswith("month#"):
                total = counted.setdefault(item["pk"]["S"], [0, 0])
                total[0] += int(item.get("n", {"N": "0"})["N"])
                total[1] += int(item.get("x", {"N": "0"})["N"])
    return {pk: (units, denied) for pk, (units, denied) in counted.items()}


@pytest.mark.timeout(240)
def test_every_call_counts_once_for_each_of_its_identifiers(world: World, new_key: Callable[[str], str]) -> None:
    callers = _callers(new_key("pro"), new_key("starter"), mint(world.names.stage, secrets.choice))
    world.wait_until_caught_up()
    before = _tally(world)
    sent = [(callers[number % len(callers)], REGIONS[number % 3]) for number in range(CALLS)]
    statuses = ask_all(world, [Asked(region, caller.headers) for caller, region in sent])
    world.wait_until_caught_up()

    admitted: Counter[str] = Counter()
    denied: Counter[str] = Counter()
    for (caller, _), status in zip(sent, statuses, strict=True):
        assert status in caller.statuses, (caller.headers, status)
        (admitted if status == 200 else denied).update(caller.identifiers)
    spent = "ip#198.51.100.12"
    assert admitted[spent] > 100, "an estimate may refuse above half of the quota, and not below"
    assert denied[spent] > 0, "the quota was not met: the test shows less than it says"

    after = _tally(world)
    counted = {
        pk: (units - before.get(pk, (0, 0))[0], refused - before.get(pk, (0, 0))[1])
        for pk, (units, refused) in after.items()
        if (units, refused) != before.get(pk)
    }
    assert counted == {pk: (admitted[pk], denied[pk]) for pk in admitted | denied}


def test_what_cannot_be_counted_is_kept_and_the_rest_is_counted(world: World) -> None:
    """A line that the function never prints, put into its log group as anything that logs could."""
    names, home = world.names, world.config.service.administrative_region
    logs = world.aws.client("logs", home)
    group = names.log_group(names.api)
    logs.create_log_stream(logGroupName=group, logStreamName="stranger")
    good = (
        '{"type":"usage","level":"INFO","timestamp":"%s","id":"stranger-1","home":"us-east-1","region":"us-east-1",'
        '"ip":"198.51.100.77","units":1,"status":200}'
    )
    bad = '{"type":"usage","home":"us-east-1","ip":7}'
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    logs.put_log_events(
        logGroupName=group,
        logStreamName="stranger",
        logEvents=[{"timestamp": time.time_ns() // 1_000_000, "message": message} for message in (bad, good % now)],
    )
    world.wait_until_caught_up()
    assert _tally(world)["ip#198.51.100.77"] == (1, 0)
    sqs = world.aws.client("sqs", home)
    queue = sqs.get_queue_url(QueueName=names.rejects_queue)["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
    assert [bad in message["Body"].replace('\\"', '"') for message in messages] == [True]
