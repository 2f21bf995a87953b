"""The signer: what botocore's makes of the same request."""

from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from tallygate.aws.sigv4 import Credentials, Signer

HEADERS = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.Query"}


def of_botocore(credentials: Credentials, region: str, host: str, body: bytes, at: datetime) -> str:
    request = AWSRequest("POST", f"https://{host}/", headers=HEADERS, data=body)
    with patch("botocore.auth.get_current_datetime", return_value=at.replace(tzinfo=None)):
        SigV4Auth(
            BotoCredentials(credentials.access_key, credentials.secret_key, credentials.session_token),
            "dynamodb",
            region,
        ).add_auth(request)
    return str(request.headers["Authorization"])


@given(
    secret=st.text("abcXYZ0189/+", min_size=1, max_size=40),
    token=st.none() | st.text("abcXYZ0189/+=", min_size=1, max_size=80),
    body=st.binary(max_size=200),
    at=st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)),
    region=st.sampled_from(["us-east-1", "ap-southeast-2"]),
    host=st.sampled_from(["dynamodb.us-east-1.amazonaws.com", "127.0.0.1:4566"]),
)
def test_a_request_is_signed_as_botocore_signs_it(
    secret: str, token: str | None, body: bytes, at: datetime, region: str, host: str
) -> None:
    credentials = Credentials("AKIDEXAMPLE", secret, token)
    at = at.replace(tzinfo=UTC)
    signed = Signer(credentials, region, "dynamodb", host).headers(HEADERS, body, at.timestamp())
    assert signed["authorization"] == of_botocore(credentials, region, host, body, at)
    assert signed.get("x-amz-security-token") == token
    assert signed["host"] == host


def test_credentials_come_from_the_environment() -> None:
    env = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
    assert Credentials.from_env(env) == Credentials("AKIDEXAMPLE", "secret", "token")
    with pytest.raises(KeyError, match="AWS_SECRET_ACCESS_KEY"):
        Credentials.from_env({"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"})


def test_credentials_do_not_show_their_secrets() -> None:
    shown = repr(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", "FQoGZXIvYXdzE"))
    assert "wJalrXUtnFEMI" not in shown
    assert "FQoGZXIvYXdzE" not in shown
