"""The caller's client: what it sends, what it makes of answers, and what it never tells."""

import subprocess
import sys
import traceback
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
import urllib3
from fake_pool import SECRET, URL, Answer, FakePool, client_of, transport_of
from hypothesis import given
from hypothesis import strategies as st

import tallygate.client
from tallygate.client import (
    InvalidRequestError,
    NoAnswerError,
    NotAuthorizedError,
    NotFoundError,
    ProblemError,
    QuotaExceededError,
    Retries,
    TallygateClient,
    UnavailableError,
)
from tallygate.client import Limit as ClientLimit
from tallygate.client.limits import limits_of
from tallygate.client.values import text_of
from tallygate.core.decide import Checked, Decision
from tallygate.core.headers import MAX_INTEGER, rate_limit_headers
from tallygate.core.plans import WINDOWS, Limit, Window

LIMITS = {
    "RateLimit-Policy": '"key-day";q=50;w=86400, "key-burst";q=5;w=1',
    "RateLimit": '"key-day";r=7;t=3600, "key-burst";r=5;t=1',
}
SPENT = {
    "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
    "title": "Quota exceeded",
    "status": 429,
    "detail": "key-day allows 50 a day.",
    "instance": "call-1",
    "violated-policies": ["key-day"],
    "limits": [{"policy": "key-day", "estimated": False}],
}
WHOAMI = {
    "ip": "203.0.113.7",
    "ref": None,
    "key": "9f2c",
    "plan": "trial",
    "region": "eu-west-1",
    "home": "us-east-1",
    "limits": [
        {
            "kind": "key",
            "window": "day",
            "rolling": False,
            "soft": False,
            "limit": 50,
            "used": 43,
            "remaining": 7,
            "reset": "2026-11-22T00:00:00.000Z",
            "something": "newer",
        }
    ],
}


def test_an_answer_is_a_value_and_tells_its_limits() -> None:
    pool = FakePool(Answer(200, WHOAMI, LIMITS))
    client = client_of(pool)
    assert client.limits == ()
    whoami = client.whoami()
    assert (whoami.key, whoami.limits[0].reset) == ("9f2c", datetime(2026, 11, 22, tzinfo=UTC))
    assert client.limits == (ClientLimit("key-day", 50, 86_400, 7, 3_600), ClientLimit("key-burst", 5, 1, 5, 1))
    (sent,) = pool.sent
    assert (sent.method, sent.url, sent.headers["x-api-key"]) == ("GET", f"{URL}/v1/whoami", SECRET)
    assert sent.options["redirect"] is False, "the key goes nowhere else"


def test_without_a_key_none_is_sent() -> None:
    pool = FakePool(Answer(200, WHOAMI))
    client_of(pool, key=None).whoami()
    assert "x-api-key" not in pool.sent[0].headers


def test_the_past_is_read_page_by_page_and_only_as_far_as_somebody_looks() -> None:
    def page(days: range, following: str | None) -> Answer:
        rows = [{"start": f"2026-11-{day:02d}T00:00:00.000Z", "charged": day} for day in days]
        return Answer(200, {"usage": rows, "next": following})

    pool = FakePool(page(range(1, 3), "/v1/usage?cursor=abc&from=x"), page(range(3, 5), None))
    periods = client_of(pool).history(date(2026, 11, 1), datetime(2026, 11, 5), "day")
    assert pool.sent == []
    assert next(periods).start == datetime(2026, 11, 1, tzinfo=UTC)
    assert len(pool.sent) == 1
    assert [period.charged for period in periods] == [2, 3, 4]
    assert [sent.url.removeprefix(URL) for sent in pool.sent] == [
        "/v1/usage?from=2026-11-01&granularity=day&to=2026-11-05T00%3A00%3A00%2B00%3A00",
        "/v1/usage?cursor=abc&from=x",
    ]


def test_times_are_told_in_utc_and_text_and_numbers_as_they_stand() -> None:
    berlin = timezone(timedelta(hours=1))
    assert text_of(datetime(2026, 11, 20, 12, tzinfo=berlin)) == "2026-11-20T11:00:00+00:00"
    assert (text_of(1_795_176_000), text_of("yesterday")) == ("1795176000", "yesterday")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidRequestError),
        (401, NotAuthorizedError),
        (403, NotAuthorizedError),
        (404, NotFoundError),
        (409, InvalidRequestError),
        (429, QuotaExceededError),
        (500, UnavailableError),
        (503, UnavailableError),
        (302, ProblemError),
    ],
)
@pytest.mark.parametrize("body", [b'{"type":"/v1/problems#x","detail":"why","parameter":"p"}', b"<html>", b"[1]", b""])
def test_each_status_has_its_error_whatever_the_body(status: int, error: type[ProblemError], body: bytes) -> None:
    pool = FakePool(Answer(status, raw=body))
    with pytest.raises(error) as raised:
        client_of(pool).whoami()
    assert raised.value.status == status
    assert raised.value.detail == ("why" if body.startswith(b"{") else "")


def test_a_spent_quota_says_which_and_when_to_come_back() -> None:
    client = client_of(FakePool(Answer(429, SPENT, {"Retry-After": "3600", **LIMITS})))
    with pytest.raises(QuotaExceededError, match=r"429: key-day allows 50 a day\.") as raised:
        client.whoami()
    error = raised.value
    assert (error.policies, error.retry_after_seconds, error.is_estimated) == (("key-day",), 3_600, False)
    assert (error.name, error.instance) == ("quota-exceeded", "call-1")
    assert client.limits[0].remaining == 7, "a refusal tells limits, too"


def test_the_secret_is_nowhere_to_be_read() -> None:
    client = client_of(FakePool(Answer(401, {"detail": "no"}), urllib3.exceptions.ProtocolError("gone")))
    told = [repr(client), repr(client.counters), str(vars(client).keys())]
    for kind in (NotAuthorizedError, NoAnswerError):
        with pytest.raises(kind) as raised:
            client.whoami()
        told += ["".join(traceback.format_exception(raised.value)), repr(raised.value), repr(vars(raised.value))]
    assert not any(SECRET in text for text in told)
    assert repr(client) == f"TallygateClient({URL!r}, key id {tallygate.core.keys.key_id(SECRET)})"


@pytest.mark.parametrize("told", [None, 5, "key-day", {"key-day": 1}, [5], [None], [["key-day"]]])
def test_a_refusal_of_somebody_in_between_is_read_as_far_as_it_makes_sense(told: object) -> None:
    with pytest.raises(QuotaExceededError) as raised:
        client_of(FakePool(Answer(429, {"violated-policies": told, "limits": told}))).whoami()
    assert not raised.value.is_estimated
    assert all(isinstance(policy, str) for policy in raised.value.policies)
    assert len(raised.value.policies) == (len(told) if isinstance(told, list) else 0)


@pytest.mark.parametrize("key", [f"{SECRET}\n", f"{SECRET}\0", f" {SECRET}", f"{SECRET}é", f"{SECRET}€"])
def test_a_key_that_no_header_takes_is_refused_without_being_quoted(key: str) -> None:
    with pytest.raises(ValueError, match="characters that none has") as raised:
        TallygateClient(URL, key)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("text", ["api.example.com", "ftp://x", "", "//x"])
def test_a_url_is_one_of_http(text: str) -> None:
    with pytest.raises(ValueError, match="begins with https"):
        TallygateClient(text)


def test_nothing_is_tried_again_unless_asked_for() -> None:
    pool = FakePool(Answer(503, {}, {"Retry-After": "1"}))
    with pytest.raises(UnavailableError):
        client_of(pool).whoami()
    assert len(pool.sent) == 1


def test_a_refusal_is_waited_out_as_long_as_it_says() -> None:
    slept: list[float] = []
    pool = FakePool(Answer(429, SPENT, {"Retry-After": "7"}), Answer(503, {}, {"Retry-After": "2"}), Answer(200))
    assert transport_of(pool, Retries(5, 10), slept.append).send("POST", "/x") == {}
    assert slept == [7.0, 2.0]


@pytest.mark.parametrize(
    ("answers", "slept"),
    [
        ([Answer(429, SPENT, {"Retry-After": "11"})], []),
        ([Answer(429, SPENT, {"Retry-After": "6"})] * 2, [6.0]),
        ([Answer(429, SPENT, {"Retry-After": "1"})] * 3, [1.0, 1.0]),
        ([Answer(429, SPENT)], []),
        ([Answer(429, SPENT, {"Retry-After": "soon"})], []),
        ([Answer(500, {}, {"Retry-After": "1"})], []),
        ([Answer(400, {}, {"Retry-After": "1"})], []),
    ],
)
def test_waiting_is_bounded_in_number_and_time(answers: list[Answer], slept: list[float]) -> None:
    paused: list[float] = []
    pool = FakePool(*answers)
    with pytest.raises(ProblemError):
        transport_of(pool, Retries(2, 10), paused.append).send("GET", "/x")
    assert (paused, pool.answers) == (slept, [])


@pytest.mark.parametrize(("method", "may_repeat", "again"), [("GET", False, 1), ("POST", False, 0), ("POST", True, 1)])
def test_a_call_without_an_answer_is_repeated_only_where_that_changes_nothing(
    method: str, may_repeat: bool, again: int
) -> None:
    lost = urllib3.exceptions.ReadTimeoutError(None, "/x", "no answer")  # type: ignore[arg-type]
    pool = FakePool(lost, Answer(200, {"found": 1}))
    transport = transport_of(pool, Retries(1), lambda _: None)
    if again:
        assert transport.send(method, "/x", may_repeat=may_repeat) == {"found": 1}
    else:
        with pytest.raises(NoAnswerError, match="ReadTimeoutError"):
            transport.send(method, "/x", may_repeat=may_repeat)
    assert len(pool.sent) == 1 + again


def test_success_without_a_document_is_no_answer() -> None:
    for raw in (b"", b"ok", b"[]", b"[" * 100_000):
        with pytest.raises(NoAnswerError):
            client_of(FakePool(Answer(200, raw=raw))).whoami()


@pytest.mark.parametrize("document", [{"error": "sign in"}, {"usage": [5], "next": None}, {"limits": 5, "name": None}])
def test_a_document_of_somebody_else_is_no_answer(document: dict[str, object]) -> None:
    client = client_of(FakePool(*[Answer(200, document)] * 7))
    for ask in (
        client.whoami,
        client.usage,
        lambda: list(client.history("2026-11-01")),
        lambda: list(client.counters.list()),
        lambda: client.counters.get("orders"),
        lambda: client.counters.reset("orders"),
        lambda: client.counters.next("orders"),
    ):
        with pytest.raises(NoAnswerError, match="not by this API"):
            ask()


@pytest.mark.parametrize(
    ("url", "address", "host"),
    [
        ("http://a1.execute-api.localhost:4566", "http://127.0.0.1:4566/v1/whoami", "a1.execute-api.localhost:4566"),
        ("http://A1.LocalHost/", "http://127.0.0.1/v1/whoami", "A1.LocalHost"),
        ("http://localhost:1", "http://localhost:1/v1/whoami", None),
        ("https://a1.localhost", "https://a1.localhost/v1/whoami", None),
        ("http://a1.localhost.example.com", "http://a1.localhost.example.com/v1/whoami", None),
    ],
)
def test_names_below_localhost_are_this_machine_whatever_the_resolver_knows(
    url: str, address: str, host: str | None
) -> None:
    pool = FakePool(Answer(200, WHOAMI))
    TallygateClient(url, SECRET, pool=pool).whoami()
    assert (pool.sent[0].url, pool.sent[0].headers.get("Host")) == (address, host)


@pytest.mark.parametrize(
    ("state", "limits"),
    [
        ('"a";r=1;t=2', [("a", 1, 2)]),
        ('"a" ;r=1 ;t=2 , "b";t=3', [("a", 1, 2), ("b", None, 3)]),
        ('"a,b;c";r=0;x="t=9,";t=2', [("a,b;c", 0, 2)]),
        ('"a";r=1.5;t=2', [("a", None, 2)]),
        ("nonsense", []),
        ("", []),
        ('"a";r=1, oops, "b";r=2', [("a", 1, None)]),
        ('"a";a=1;w=2', [("a", 1, 2)]),
    ],
)
def test_limits_are_read_as_far_as_they_make_sense(
    state: str, limits: list[tuple[str, int | None, int | None]]
) -> None:
    found = limits_of({"RateLimit": state})
    assert [(limit.policy, limit.remaining, limit.resets_in_seconds) for limit in found] == limits


@given(st.text('";=,rtqw 0123456789abc\\-'))
def test_whatever_a_header_says_reading_it_ends_and_never_fails(text: str) -> None:
    assert isinstance(limits_of({"RateLimit": text, "RateLimit-Policy": text}), tuple)


@given(
    st.lists(
        st.tuples(st.sampled_from(WINDOWS), st.integers(0, 10**16), st.integers(0, 10**16)), unique_by=lambda x: x[0]
    )
)
def test_what_the_service_says_of_limits_is_read_as_it_was_meant(limits: list[tuple[Window, int, int]]) -> None:
    checked = [Checked(Limit("key", quota, window), used, 7_000, 9_000) for window, quota, used in limits]
    found = limits_of(rate_limit_headers(Decision(tuple(checked)), 5_000))
    assert found == tuple(
        ClientLimit(each.limit.name, min(each.limit.quota, MAX_INTEGER), 7, min(each.remaining, MAX_INTEGER), 4)
        for each in checked
    )


def test_importing_the_client_imports_nothing_heavy() -> None:
    program = "import sys, tallygate.client; print('\\n'.join(sys.modules))"
    root = Path(tallygate.client.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "tallygate.client.operator" in imported
    heavy = {
        "boto3",
        "botocore",
        "plotly",
        "matplotlib",
        "click",
        "rich",
        "orjson",
        "pydantic",
        "aws_lambda_powertools",
    }
    assert not imported & (heavy | {"aws_cdk", "ministack", "typing_extensions", "tallygate.aws"})
