"""The operator's client: signed calls, questions with no more parameters than were given, and answers page by page."""

from typing import Any

import pytest
from botocore.credentials import Credentials
from fake_pool import Answer, FakePool

from tallygate.client import OperatorClient, Retries, TallygateError
from tallygate.client.operator import UNCHANGED

URL = "https://ops.example.com"


class Session:
    def __init__(self, credentials: Credentials | None) -> None:
        self.credentials = credentials

    def get_credentials(self) -> Any:
        return self.credentials


def operator_of(pool: FakePool) -> OperatorClient:
    return OperatorClient(URL, "us-east-1", Session(Credentials("AKID", "secret", "token")), pool=pool)


def test_a_call_is_signed_for_the_region_and_the_secret_is_not_sent() -> None:
    pool = FakePool(Answer(200, {"id": "9f2c"}), Answer(200, {"id": "9f2c"}))
    operator = operator_of(pool)
    assert operator.keys.show("9f2c") == {"id": "9f2c"}
    operator.keys.edit("9f2c", note=None)
    headers = pool.sent[0].headers
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "/us-east-1/execute-api/aws4_request" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "token"
    assert "secret" not in str(headers)
    assert pool.sent[1].headers["Authorization"] != headers["Authorization"], "the body is signed, too"


def test_without_credentials_nothing_is_sent() -> None:
    pool = FakePool()
    with pytest.raises(TallygateError, match="no AWS credentials"):
        OperatorClient(URL, "us-east-1", Session(None), pool=pool).keys.show("9f2c")
    assert pool.sent == []


def test_a_repeated_call_is_signed_anew() -> None:
    pool = FakePool(Answer(503, {}, {"Retry-After": "0"}), Answer(200, {"id": "9f2c"}))
    operator = OperatorClient(URL, "us-east-1", Session(Credentials("AKID", "secret")), retries=Retries(1), pool=pool)
    operator.keys.show("9f2c")
    assert all("Authorization" in sent.headers for sent in pool.sent)
    assert len(pool.sent) == 2


def test_a_new_key_does_not_show_its_secret() -> None:
    made = {"secret": "tg_prod_x", "id": "9f2c", "owner": "acme"}
    pool = FakePool(Answer(201, made), Answer(201, {**made, "predecessor": {"id": "0001"}}))
    operator = operator_of(pool)
    first = operator.keys.create("acme", "pro", idempotency_key="sign-up-1")
    assert (first.secret, first.key, first.predecessor) == ("tg_prod_x", {"id": "9f2c", "owner": "acme"}, None)
    assert "tg_prod_x" not in repr(first)
    assert pool.sent[0].document == {"owner": "acme", "plan": "pro", "referers": [], "addresses": []}
    assert pool.sent[0].headers["Idempotency-Key"] == "sign-up-1"
    assert operator.keys.rotate("9f2c").predecessor == {"id": "0001"}
    assert pool.sent[1].document == {}


def test_what_is_not_given_stays_as_it_is() -> None:
    pool = FakePool(Answer(200, {}), Answer(200, {}))
    keys = operator_of(pool).keys
    keys.edit("9f2c", plan="pro", note=None, addresses=("10.0.0.0/8",))
    keys.edit("9f2c", expires=None)
    assert [sent.document for sent in pool.sent] == [
        {"plan": "pro", "note": None, "addresses": ["10.0.0.0/8"]},
        {"expires": None},
    ]
    assert repr(UNCHANGED) == "UNCHANGED"


def test_pages_follow_their_cursors_and_ask_for_nothing_that_was_not_said() -> None:
    pool = FakePool(
        Answer(200, {"rows": [1, 2], "cursor": "a+b"}),
        Answer(200, {"rows": [3], "cursor": None}),
        Answer(200, {"owners": [], "cursor": None}),
        Answer(200, {"keys": [], "cursor": None}),
    )
    operator = operator_of(pool)
    rows = operator.usage("ip", "203.0.113.7", start="2026-11-01", granularity="day", fill=False)
    assert list(rows) == [1, 2, 3]
    assert (list(operator.owners("ac me")), list(operator.keys.list(owner="acme"))) == ([], [])
    query = "?kind=ip&value=203.0.113.7&granularity=day&from=2026-11-01&fill=false"
    assert [sent.url.removeprefix(URL) for sent in pool.sent] == [
        f"/ops/usage{query}",
        f"/ops/usage{query}&cursor=a%2Bb",
        "/ops/owners?q=ac%20me",
        "/ops/keys?owner=acme",
    ]


def test_other_questions_are_one_answer() -> None:
    pool = FakePool(*[Answer(200, {"found": number}) for number in range(4)])
    operator = operator_of(pool)
    answers: list[Any] = [
        operator.top("ip", "2026-11", 5),
        operator.standing("key", "9f2c"),
        operator.owner("Bücher & Söhne/1"),
        operator.pipeline(),
    ]
    assert answers == [{"found": number} for number in range(4)]
    assert [sent.url.removeprefix(URL) for sent in pool.sent] == [
        "/ops/top?kind=ip&period=2026-11&limit=5",
        "/ops/standing?kind=key&value=9f2c",
        "/ops/owners/B%C3%BCcher%20%26%20S%C3%B6hne/1",
        "/ops/pipeline",
    ]
