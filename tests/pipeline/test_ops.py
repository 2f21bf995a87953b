"""Keys through `/ops/keys` in the deployed service: signed calls only, the same as the command, and good at once in
another region."""

import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tallygate.aws.audit_trail import AuditTrail
from tallygate.core.keys import mint, secret_hash
from tallygate.core.periods import day_of
from tallygate.local.aws import ACCOUNT, SECRET
from tallygate.local.world import World
from tests.pipeline.calls import Asked, ask
from tests.pipeline.signed import ROOT, VIRGINIA, Ops

WITHIN_SECONDS = 40
"""What is promised within 30 s, on a busy machine."""
NEW = {"owner": "acme", "plan": "starter"}


@pytest.fixture
def ops(world: World) -> Ops:
    return Ops(world)


def create(ops: Ops, **fields: Any) -> dict[str, Any]:
    answer = ops("POST", "/ops/keys", {**NEW, **fields})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def status(world: World, region: str, secret: str, **headers: str) -> int:
    return ask(world, Asked(region, {"x-api-key": secret, **headers})).status_code


def until(condition: Callable[[], bool]) -> float:
    """Seconds until a condition holds; fails when it does not within what is promised."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < WITHIN_SECONDS
    return time.monotonic() - began


def test_a_sign_up_is_good_at_once_in_every_region(world: World, ops: Ops) -> None:
    for region in world.endpoints:
        made = create(ops, owner=f"signed-up-for-{region}")
        assert status(world, region, made["secret"]) == 200
        seen = ask(world, Asked(region, {"x-api-key": made["secret"]})).json()
        assert (seen["key"], seen["plan"]) == (made["id"], "starter")


def test_a_key_is_read_changed_rotated_and_revoked(world: World, ops: Ops) -> None:
    answer = ops("POST", "/ops/keys", {**NEW, "note": "Bücher", "referers": ["Shop.example"], "expires": "2999-01-01"})
    made = answer.json()
    assert (answer.headers["Cache-Control"], answer.headers["Location"]) == ("no-store", f"/ops/keys/{made['id']}")
    secret = made.pop("secret")
    assert ops("GET", f"/ops/keys/{made['id']}").json() == made
    changed = ops("PATCH", f"/ops/keys/{made['id']}", {"plan": "pro", "note": None, "referers": []}).json()
    assert (changed["plan"], changed["note"], changed["referers"], changed["expires"]) == (
        "pro",
        None,
        [],
        made["expires"],
    )
    rotated = ops("POST", f"/ops/keys/{made['id']}/rotate", {"overlap_seconds": 3600}).json()
    assert (rotated["plan"], rotated["rotated_from"], rotated["counted_as"]) == ("pro", made["id"], made["id"])
    assert rotated["predecessor"]["rotated_to"] == rotated["id"]
    for region in world.endpoints:
        assert [status(world, region, each) for each in (secret, rotated["secret"])] == [200, 200]
    assert ops("DELETE", f"/ops/keys/{rotated['id']}").json()["status"] == "revoked"
    assert ops("DELETE", f"/ops/keys/{rotated['id']}").status_code == 200
    for region in world.endpoints:
        until(lambda region=region: status(world, region, rotated["secret"]) == 401)  # type: ignore[misc]
        assert status(world, region, secret) == 200, "the old one is good until its overlap ends"


def test_a_key_from_elsewhere_is_taken_over_by_its_hash_and_once(world: World, ops: Ops) -> None:
    secret = mint("local", random.Random(20261121).choice)
    given = {**NEW, "hash": secret_hash(secret), "note": "from another installation"}
    first, again = (ops("POST", "/ops/keys/import", given) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert "secret" not in first.json()
    for region in world.endpoints:
        assert status(world, region, secret) == 200
    refused = ops("POST", "/ops/keys/import", {**given, "hash": secret})
    assert (refused.status_code, refused.json()["field"]) == (400, "hash")
    assert secret not in refused.text


def test_old_and_new_secret_use_up_one_quota(world: World, ops: Ops) -> None:
    first = create(ops, plan="trial")
    second = ops("POST", f"/ops/keys/{first['id']}/rotate").json()
    for secret, region in ((first["secret"], "eu-west-1"), (second["secret"], "ap-southeast-2")):
        assert status(world, region, secret) == 200
    world.wait_until_caught_up()
    for region in world.endpoints:
        (limit,) = ask(world, Asked(region, {"x-api-key": second["secret"]}, "/v1/usage")).json()["usage"]
        assert (limit["value"], limit["used"], limit["remaining"]) == (first["id"], 2, 48), region


def test_a_restricted_key_is_refused_elsewhere_and_told_why(
    world: World, ops: Ops, fresh_ip: Callable[[], str]
) -> None:
    address = fresh_ip()
    secret = create(ops, addresses=[f"{address}/32"], referers=["*.shop.example"])["secret"]
    good = {"X-Forwarded-For": address, "Referer": "https://www.shop.example/"}
    for region in world.endpoints:
        assert status(world, region, secret, **good) == 200
        for headers, restriction in (
            ({**good, "X-Forwarded-For": fresh_ip()}, "key-address"),
            ({**good, "Referer": "https://shop.example/"}, "key-referer"),
        ):
            answer = ask(world, Asked(region, {"x-api-key": secret, **headers}))
            assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
            assert answer.json()["restriction"] == restriction


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"owner": "acme"}, "plan"),
        ({"plan": "starter"}, "owner"),
        ({**NEW, "plan": "gold"}, "plan"),
        ({**NEW, "plan": "anonymous"}, "plan"),
        ({**NEW, "addresses": ["10.0.0.1/8"]}, "addresses"),
        ({**NEW, "status": "active"}, "status"),
        ([1], "body"),
    ],
)
def test_what_cannot_be_taken_names_the_field(ops: Ops, document: object, field: str) -> None:
    answer = ops("POST", "/ops/keys", document)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["field"] == field


def test_what_is_not_there_or_not_possible_is_a_problem(ops: Ops) -> None:
    assert ops("GET", "/ops/keys/0123456789abcdef").status_code == 404
    assert ops("PATCH", "/ops/keys/0123456789abcdef", {"note": "x"}).status_code == 404
    made = create(ops)
    ops("DELETE", f"/ops/keys/{made['id']}")
    refused = ops("POST", f"/ops/keys/{made['id']}/rotate")
    assert (refused.status_code, "revoked" in refused.json()["detail"]) == (409, True)
    assert ops("POST", f"/ops/keys/{made['id']}/rotate", {"overlap_seconds": -1}).json()["field"] == "overlap_seconds"


def test_a_request_with_a_token_gives_out_one_key_however_often_it_is_sent(ops: Ops) -> None:
    token = {"Idempotency-Key": f"sign-up-{time.time_ns()}"}
    first = ops("POST", "/ops/keys", NEW, headers=token)
    again = ops("POST", "/ops/keys", NEW, headers=token)
    assert (first.status_code, again.status_code) == (201, 409)
    assert again.json()["key"] == first.json()["id"]
    assert first.json()["secret"] not in again.text


def test_pages_together_are_all_keys_of_an_owner(ops: Ops) -> None:
    owner = f"paged-{time.time_ns()}"
    made = {create(ops, owner=owner)["id"] for _ in range(5)}
    found: list[str] = []
    cursor: str | None = None
    while True:
        params = {"owner": owner, "limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = ops("GET", "/ops/keys", params=params).json()
        assert len(page["keys"]) <= 2
        found += [key["id"] for key in page["keys"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert (len(found), set(found)) == (5, made)
    assert ops("GET", "/ops/keys", params={"limit": "0"}).json()["field"] == "limit"
    assert ops("GET", "/ops/keys", params={"cursor": "nonsense"}).json()["field"] == "cursor"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unsigned_call_never_reaches_the_function(world: World, method: str) -> None:
    url = f"http://127.0.0.1:{world.port}/ops/keys" + ("/0123456789abcdef" if method == "DELETE" else "")
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}):
        sent = {"Host": world.ops_endpoint.host, **headers}
        answer = requests.request(method, url, headers=sent, timeout=60)
        assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize(
    ("credentials", "region"),
    [
        (Credentials(ACCOUNT, "wrong"), VIRGINIA),
        (Credentials("AKIDUNKNOWN", SECRET), VIRGINIA),
        (Credentials("", SECRET), VIRGINIA),
        (Credentials(ACCOUNT, SECRET, "a token that nobody gave"), VIRGINIA),
        (ROOT, "eu-west-1"),
    ],
)
def test_a_signature_that_is_not_good_is_refused(world: World, credentials: Credentials, region: str) -> None:
    assert Ops(world, credentials, region)("GET", "/ops/keys").status_code == 403


def test_a_signed_body_cannot_be_exchanged(world: World) -> None:
    request = AWSRequest("POST", f"http://{world.ops_endpoint.host}/ops/keys", data=json.dumps(NEW).encode())
    SigV4Auth(ROOT, "execute-api", VIRGINIA).add_auth(request)
    headers = dict(request.headers) | {"Host": world.ops_endpoint.host}
    other = json.dumps({**NEW, "plan": "pro"}).encode()
    answer = requests.post(f"http://127.0.0.1:{world.port}/ops/keys", data=other, headers=headers, timeout=60)
    assert answer.status_code == 403


def test_who_may_is_let_in_and_named_in_the_audit_trail(world: World) -> None:
    iam = world.aws.client("iam", VIRGINIA)
    name = f"sign-up-{time.time_ns()}"
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    key = iam.create_access_key(UserName=name)["AccessKey"]
    theirs = Ops(world, Credentials(key["AccessKeyId"], key["SecretAccessKey"]))
    assert theirs("POST", "/ops/keys", NEW).status_code == 403, "nobody may who was not given the right"
    api = f"arn:aws:execute-api:{VIRGINIA}:{ACCOUNT}:{world.ops_endpoint.api_id}"
    allowed = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{api}/$default/POST/ops/keys"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName=name, PolicyName="sign-up", PolicyDocument=document)
    made = create(theirs)
    assert theirs("GET", "/ops/keys").status_code == 403, "only what was given"
    trail = AuditTrail(world.aws.client("dynamodb", VIRGINIA), world.names.tally_table)
    month = day_of(time.time_ns() // 1_000_000).month
    (entry,) = trail.entries([month], subject=f"key#{made['id']}")
    assert (entry.who, entry.change.action) == (arn, "key.create")
    assert made["secret"] not in json.dumps(entry.change.after)
