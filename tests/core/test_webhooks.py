"""Signatures of webhooks, held to the specification's own example and to what breaks them."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.webhooks import InvalidSecretError, headers, payload, signature, signing_key

# Standard Webhooks, "Verifying webhooks manually": secret, id, time and body of its example.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'


def test_the_signature_is_that_of_the_specification() -> None:
    assert signature(signing_key(SECRET), ID, AT, BODY) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_may_come_without_its_prefix() -> None:
    assert signing_key(SECRET.removeprefix("whsec_")) == signing_key(SECRET)


@pytest.mark.parametrize("length", [23, 65])
def test_a_secret_of_another_length_does_not_sign_and_is_not_told(length: int) -> None:
    secret = base64.b64encode(b"s" * length).decode()
    with pytest.raises(InvalidSecretError, match=f"has {length} bytes") as caught:
        signing_key(secret)
    assert secret not in str(caught.value)


def test_what_is_not_base64_does_not_sign_and_is_not_told() -> None:
    with pytest.raises(InvalidSecretError, match="is not base64") as caught:
        signing_key("whsec_häkelbüdel")
    assert "del" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(st.binary(min_size=24, max_size=64), st.binary(min_size=24, max_size=64), st.binary(), st.integers(0, 2**40))
def test_each_key_signs_and_nothing_of_a_message_can_be_changed(
    one: bytes, other: bytes, body: bytes, at_seconds: int
) -> None:
    sent = headers([one, other], "ntc_1", at_seconds, body)
    assert sent["webhook-signature"].split(" ") == [
        signature(one, "ntc_1", at_seconds, body), signature(other, "ntc_1", at_seconds, body),
    ]  # fmt: skip
    assert (sent["webhook-id"], sent["webhook-timestamp"]) == ("ntc_1", str(at_seconds))
    signed = signature(one, "ntc_1", at_seconds, body)
    assert signature(one, "ntc_2", at_seconds, body) != signed
    assert signature(one, "ntc_1", at_seconds + 1, body) != signed
    assert signature(one, "ntc_1", at_seconds, body + b" ") != signed


def test_the_body_is_the_notice_with_its_type_and_time() -> None:
    body = payload({"id": "ntc_1", "as_of": "2026-11-20T12:00:00.000Z", "owner": "Müller"})
    assert json.loads(body) == {
        "type": "quota.level_reached",
        "timestamp": "2026-11-20T12:00:00.000Z",
        "data": {"id": "ntc_1", "as_of": "2026-11-20T12:00:00.000Z", "owner": "Müller"},
    }
