"""Rejects from the consumer's side and from the operator's: what is sent is what is found, whatever its size or
bytes."""

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from tallygate.aws.rejects_mailbox import KeptReject, RejectsMailbox, _reject, give_again, reject_id
from tallygate.aws.rejects_queue import MAX_BATCH_BYTES, RejectsQueue, messages_of
from tallygate.core.lines import UsageLine, format_line, parse_line
from tallygate.core.payload import Record, Reject, decode, lines_of
from tallygate.core.retry import retry_of
from tallygate.sim.logs import log_payload

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

NOW_MS = 1_795_996_800_000
LINE = UsageLine("q1", NOW_MS, "us-east-1", "eu-west-1", "192.0.2.1", None, None, 1, 200)


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> "Iterator[SQSClient]":
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("sqs", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
        client.create_queue(QueueName="rejects")
        yield client


@given(st.binary(max_size=500) | st.text(max_size=500).map(lambda text: text.encode(errors="surrogatepass")))
def test_any_body_comes_back_whole(body: bytes) -> None:
    reject = Reject("not JSON", 10**55 + 1, "stream", "e1", body)
    messages = {number: json.loads(message) for number, message in enumerate(messages_of("0.1", reject), 1)}
    assert _reject(messages) == reject


def test_a_large_body_is_cut_into_messages_that_fit_and_put_together_again() -> None:
    body = Random(1).randbytes(1_500_000)
    reject = Reject("not gzip", 7, None, None, body)
    messages = list(messages_of("0.1", reject))
    assert len(messages) > 1
    assert max(len(message.encode()) for message in messages) < MAX_BATCH_BYTES
    parts = {number: json.loads(message) for number, message in enumerate(messages, 1)}
    assert _reject(parts) == reject
    del parts[2]
    assert _reject(parts).reason == f"not gzip ({len(messages) - 1} of {len(messages)} parts found)"


def test_what_was_sent_is_found_and_stays_until_it_is_removed(sqs: "SQSClient") -> None:
    url = sqs.get_queue_url(QueueName="rejects")["QueueUrl"]
    rejects = [Reject("not JSON", number, "stream", f"e{number}", b"x" * 30_000) for number in range(25)]
    RejectsQueue(sqs, url).send("0.1", rejects)
    RejectsQueue(sqs, url).send("0.1", rejects[:3])  # a repeated batch
    mailbox = RejectsMailbox(sqs, "rejects")
    found = mailbox.look()
    assert sorted(kept.reject.sequence for kept in found) == list(range(25))
    assert mailbox.look() == []
    mailbox.put_back(found)
    again = mailbox.look()
    assert {kept.id for kept in again} == {reject_id("0.1", reject) for reject in rejects}
    mailbox.remove(kept for kept in again if kept.reject.sequence != 4)
    mailbox.put_back(kept for kept in again if kept.reject.sequence == 4)
    (left,) = mailbox.look()
    assert (left.reject, left.writer) == (rejects[4], "0.1")
    assert left.sent_ms > NOW_MS - 10**9


def test_many_rejects_are_sent_several_at_once_and_one_that_fails_fails_all(sqs: "SQSClient") -> None:
    url = sqs.get_queue_url(QueueName="rejects")["QueueUrl"]
    rejects = [Reject("not JSON", number, "stream", f"e{number}", b"x") for number in range(105)]
    with ThreadPoolExecutor(4) as pool:
        RejectsQueue(sqs, url, pool).send("0.1", rejects)
        assert len(RejectsMailbox(sqs, "rejects").look()) == 105
        sqs.delete_queue(QueueUrl=url)
        with pytest.raises(ClientError):
            RejectsQueue(sqs, url, pool).send("0.1", rejects)


def _line_reject(message: str, event_id: str | None = "e1") -> Reject:
    return Reject("home is x", 7, "stream", event_id, message.encode())


def test_a_line_is_given_again_with_its_fault_mended_and_a_key_that_makes_it_count_once() -> None:
    wrong = format_line(LINE).replace('"us-east-1"', '"us-west-9"')
    assert retry_of(_line_reject(wrong), "us-east-1", NOW_MS, {}).wrong == ("home is us-west-9, this is us-east-1",)
    ((event_id, message),) = retry_of(_line_reject(wrong), "us-east-1", NOW_MS, {"home": "us-east-1"}).events
    line = parse_line(json.loads(message))
    assert (event_id, line.home, line.ip, line.idem) == ("e1", "us-east-1", LINE.ip, "reject/e1")


def test_a_line_keeps_the_idempotency_key_that_it_had() -> None:
    message = format_line(LINE).replace('"units"', '"idem":"order-1","units"')
    ((_, given_again),) = retry_of(_line_reject(message), "us-east-1", NOW_MS, {}).events
    assert parse_line(json.loads(given_again)).idem == "order-1"


@pytest.mark.parametrize("message", ["{", "[]", "null", "[" * 50_000])
def test_what_is_still_no_line_says_so(message: str) -> None:
    retry = retry_of(_line_reject(message), "us-east-1", NOW_MS, {"home": "us-east-1"})
    assert (retry.events, len(retry.wrong)) == ((), 1)


def test_a_payload_that_can_be_read_now_gives_each_of_its_lines() -> None:
    payload = log_payload([("e1", format_line(LINE)), ("e2", "{"), ("e3", format_line(LINE))])
    retry = retry_of(Reject("not gzip", 7, None, None, payload), "us-east-1", NOW_MS, {})
    keys = [parse_line(json.loads(message)).idem for _, message in retry.events]
    assert (keys, retry.wrong) == (["reject/e1", "reject/e3"], ("not JSON",))
    assert retry_of(Reject("not gzip", 7, None, None, b"?"), "us-east-1", NOW_MS, {}).wrong == ("not gzip",)


def test_what_is_given_again_is_a_payload_like_any_other() -> None:
    put: list[bytes] = []

    class Stream:
        def put_record(self, StreamName: str, PartitionKey: str, Data: bytes) -> None:
            put.append(Data)

    events = [(f"e{number}", format_line(LINE) + " " * 300_000) for number in range(7)]
    give_again(Stream(), "usage", "retry", events)  # type: ignore[arg-type]
    payloads = [decode(Record(1, NOW_MS, data)) for data in put]
    assert [len(payload.events) for payload in payloads] == [2, 2, 2, 1]
    assert [lines_of(payload, "us-east-1") for payload in payloads[-1:]] == [([LINE], [])]
    assert len(gzip.decompress(put[0])) < 1_000_000


def test_a_rejects_id_is_where_it_was_rejected() -> None:
    one = Reject("not JSON", 7, "stream", "e1", b"a")
    kept = KeptReject(reject_id("0.1", one), "0.1", one, 0, ())
    assert kept.id == reject_id("0.1", Reject("other", 7, None, "e1", b"b"))
    assert len({kept.id, reject_id("1.1", one), reject_id("0.1", Reject("not JSON", 8, "stream", "e1", b"a"))}) == 3
