"""Operators' questions to the deployed service: what calls came to, asked by signed calls only, and answered as the
OpenAPI document says."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests
from botocore.credentials import Credentials
from openapi_schema_validator import OAS31Validator

from docs.openapi import PAGE
from tallygate.core.keys import key_id
from tallygate.core.periods import day_of
from tallygate.local.aws import ACCOUNT
from tallygate.local.world import World
from tests.pipeline.calls import Asked, ask
from tests.pipeline.signed import VIRGINIA, Ops

NOBODY = {"admitted": 0, "charged": 0, "denied": 0}
DOCUMENT = json.loads(PAGE.read_text())


def strictly(schema: Any) -> Any:
    """A schema by which nothing may be there that it does not name."""
    if isinstance(schema, dict):
        found = {name: strictly(each) for name, each in schema.items()}
        return found | ({"additionalProperties": False} if "properties" in found else {})
    return [strictly(each) for each in schema] if isinstance(schema, list) else schema


SCHEMAS = strictly(DOCUMENT["components"]["schemas"])


class Questions:
    """Asks, and holds each answer to what is written of it."""

    def __init__(self, ops: Ops) -> None:
        self.ops = ops

    def __call__(self, path: str, status: int = 200, written: str = "", **params: str) -> dict[str, Any]:
        answer = self.ops("GET", path, params=params)
        assert answer.status_code == status, answer.text
        response = DOCUMENT["paths"][written or path]["get"]["responses"][str(status)]
        content = response["content"][answer.headers["Content-Type"]]
        OAS31Validator({**content["schema"], "components": {"schemas": SCHEMAS}}).validate(answer.json())
        assert len(answer.content) < 1_000_000
        return answer.json()  # type: ignore[no-any-return]


@pytest.fixture
def questions(world: World) -> Questions:
    return Questions(Ops(world))


def today() -> str:
    day = day_of(time.time_ns() // 1_000_000)
    return f"{day.month}-{day.number:02d}"


def totals(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in NOBODY}


def test_an_address_is_told_in_every_way_that_it_can_be_asked_about(
    world: World, questions: Questions, fresh_ip: Callable[[], str]
) -> None:
    address, referer = fresh_ip(), {"Referer": "https://questions.example/"}
    regions = list(world.endpoints)
    for number in range(12):
        assert ask(world, Asked(regions[number % 3], {"X-Forwarded-For": address, **referer})).status_code == 200
    assert ask(world, Asked(regions[0], {"X-Forwarded-For": address, "x-api-key": "tg_local_none"})).status_code == 401
    world.wait_until_caught_up()

    document = questions("/ops/usage", kind="ip", value=address)
    assert totals(document["rows"][-1]) == {"admitted": 12, "charged": 12, "denied": 1}
    assert document["total"] == totals(document["rows"][-1])
    (only,) = questions("/ops/usage", kind="ip", value=address, granularity="month", fill="false")["rows"]
    assert only["by"] == {VIRGINIA: {"admitted": 12, "charged": 12, "denied": 1}}

    standing = questions("/ops/standing", kind="ip", value=address)
    assert [(limit["policy"], limit["used"]) for limit in standing["limits"]] == [("ip-day", 12)]
    assert standing["decision"] == {"allowed": True, "refused_by": []}
    (home,) = standing["homes"]
    assert (totals(home), home["counted_at"] is not None) == ({"admitted": 12, "charged": 12, "denied": 1}, True)

    for period in (today(), today()[:7]):
        top = questions("/ops/top", kind="ip", period=period, limit="100")
        (row,) = (row for row in top["top"] if row["value"] == address)
        assert (totals(row), [limit["used"] for limit in row["limits"]]) == (totals(home), [12])
    sites = questions("/ops/top", kind="ref", limit="100")["top"]
    assert any(row["value"] == "questions.example" for row in sites)


def test_a_day_and_its_hours_are_the_same_calls_by_region(world: World, questions: Questions) -> None:
    world.wait_until_caught_up()
    day = questions("/ops/usage", kind="all", **{"from": today()})["rows"][0]
    hours = questions("/ops/usage", kind="all", granularity="hour", limit="24", **{"from": today()})
    assert hours["total"] == totals(day)
    assert day["by"].keys() <= world.endpoints.keys()
    for region in day["by"]:
        (alone,) = questions("/ops/usage", kind="all", value=region, **{"from": today()})["rows"]
        assert totals(alone) == day["by"][region]


def test_keys_and_their_owners_are_found(world: World, questions: Questions, fresh_ip: Callable[[], str]) -> None:
    owner = f"Bücher & Söhne’s 100% (Köln/Bonn?) {time.time_ns()}"
    made = questions.ops("POST", "/ops/keys", {"owner": owner, "plan": "trial"}).json()
    for region in world.endpoints:
        called = ask(world, Asked(region, {"x-api-key": made["secret"], "X-Forwarded-For": fresh_ip()}))
        assert called.status_code == 200
    world.wait_until_caught_up()
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = questions("/ops/owners", q=owner.upper()[:18], limit="200", **cursor)
        found += page["owners"]
        if page["cursor"] is None:
            break
        cursor = {"cursor": page["cursor"]}
    assert {"owner": owner, "keys": 1} in found
    document = questions(f"/ops/owners/{quote(owner)}", written="/ops/owners/{owner}")
    (key,) = document["keys"]
    assert (key["id"], totals(key)) == (made["id"], {"admitted": 3, "charged": 3, "denied": 0})
    assert document["total"] == totals(key)
    standing = questions("/ops/standing", kind="key", value=made["id"])
    assert (standing["owner"], standing["plan"], standing["state"]) == (owner, "trial", "active")
    assert standing["limits"][0]["used"] == 3
    assert key_id(made["secret"]) == standing["value"]


def test_the_pipeline_tells_what_it_counted_and_shows_nothing_of_it(
    world: World, questions: Questions, fresh_ip: Callable[[], str]
) -> None:
    address = fresh_ip()
    assert ask(world, Asked(VIRGINIA, {"X-Forwarded-For": address})).status_code == 200
    world.wait_until_caught_up()
    document = questions("/ops/pipeline")
    (writer,) = document["writers"]
    assert (writer["home"], writer["counted_at"] is not None) == (VIRGINIA, True)
    assert sum(batch["lines"] for batch in writer["recent"]) > 0
    assert 0 <= writer["delay_ms"]["arrival"] <= writer["delay_ms"]["counted"]
    assert writer["behind_ms"] is not None
    assert [row["home"] for row in document["rejects"]] == [VIRGINIA]
    assert address not in json.dumps(document)


@pytest.mark.parametrize(
    ("path", "params", "parameter"),
    [
        ("/ops/usage", {"kind": "ip"}, "value"),
        ("/ops/usage", {"kind": "all", "from": "2020-01-01"}, "from"),
        ("/ops/usage", {"kind": "all", "cursor": "nonsense"}, "cursor"),
        ("/ops/top", {"kind": "ctr"}, "kind"),
        ("/ops/standing", {"kind": "ip", "value": "shop.example"}, "value"),
        ("/ops/owners", {"cursor": "nonsense"}, "cursor"),
        ("/ops/pipeline", {"home": VIRGINIA}, "home"),
    ],
)
def test_what_is_no_question_is_told_what_is_valid(
    questions: Questions, path: str, params: dict[str, str], parameter: str
) -> None:
    problem = questions(path, 400, **params)
    assert (problem["parameter"], problem["detail"].startswith(f"{parameter}: ")) == (parameter, True)


def test_nobody_is_nobody(questions: Questions) -> None:
    assert questions("/ops/owners/nobody", 404, "/ops/owners/{owner}")["type"].endswith(":unknown-owner")


def test_the_document_is_served_as_it_is_written(questions: Questions) -> None:
    assert questions("/ops/openapi.json") == DOCUMENT


@pytest.mark.parametrize("path", ["/ops/usage?kind=all", "/ops/top?kind=ip", "/ops/owners", "/ops/pipeline"])
def test_an_unsigned_question_is_refused(world: World, path: str) -> None:
    sent = {"Host": world.ops_endpoint.host}
    answer = requests.get(f"http://127.0.0.1:{world.port}{path}", headers=sent, timeout=60)
    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})


def test_who_may_ask_one_question_may_ask_no_other(world: World) -> None:
    iam = world.aws.client("iam", VIRGINIA)
    name = f"asks-{time.time_ns()}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    theirs = Ops(world, Credentials(key["AccessKeyId"], key["SecretAccessKey"]))
    assert theirs("GET", "/ops/pipeline").status_code == 403
    api = f"arn:aws:execute-api:{VIRGINIA}:{ACCOUNT}:{world.ops_endpoint.api_id}"
    allowed = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{api}/$default/GET/ops/pipeline"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName=name, PolicyName="asks", PolicyDocument=document)
    assert theirs("GET", "/ops/pipeline").status_code == 200
    assert [theirs("GET", path).status_code for path in ("/ops/owners", "/ops/keys")] == [403, 403]
