import pytest

from tallygate.local.aws import ACCOUNT, LocalAws
from tallygate.local.errors import WorldError


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://cloudformation.us-east-1.amazonaws.com",
        "http://192.0.2.1:4566",
        "http://0.0.0.0:4566",
        "http://127.0.0.1.example:4566",
        "http://user@example.com:4566",
        "https://127.0.0.1:4566",
        "127.0.0.1:4566",
        "",
    ],
)
def test_an_endpoint_that_another_machine_could_answer_is_refused(endpoint: str) -> None:
    with pytest.raises(WorldError, match="not an endpoint on this machine"):
        LocalAws(endpoint)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4566", "http://localhost:4566/", "http://[::1]:4566"])
def test_loopback_is_allowed(endpoint: str) -> None:
    assert LocalAws(endpoint).endpoint == endpoint.rstrip("/")


def test_clients_know_nothing_of_the_users_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREALREALREALREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://aws.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "https://dynamodb.example")
    client = LocalAws("http://127.0.0.1:4566").client("dynamodb", "eu-west-1")
    credentials = client._request_signer._credentials
    assert (credentials.access_key, credentials.secret_key, credentials.token) == (ACCOUNT, "local", None)
    assert (client.meta.endpoint_url, client.meta.region_name) == ("http://127.0.0.1:4566", "eu-west-1")
