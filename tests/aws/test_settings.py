"""Settings: complete, or one error that names everything that is wrong."""

from ipaddress import ip_network
from typing import get_args

import pytest

from tallygate.aws.settings import (
    PUBLISH_MODES,
    ApiSettings,
    AuthorizerSettings,
    LogConsumerSettings,
    SettingsError,
)
from tallygate.core.publish import PublishMode

ENV = {
    "TALLYGATE_SERVICE": "tallygate",
    "TALLYGATE_STAGE": "prod",
    "AWS_REGION": "eu-west-1",
    "TALLYGATE_GATE_TABLE": "tallygate-prod-gate",
    "TALLYGATE_TALLY_TABLE": "tallygate-prod-tally",
    "TALLYGATE_REJECTS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/tallygate-prod-rejects",
    "TALLYGATE_HOME": "us-east-1",
    "TALLYGATE_HOMES": "us-east-1, eu-central-1",
    "TALLYGATE_TRUSTED_PROXIES": "10.0.0.0/8,2001:db8::/32",
    "TALLYGATE_IPV6_PREFIX": "56",
    "TALLYGATE_ANONYMOUS_ON_UNAVAILABLE": "allow",
    "TALLYGATE_KEYED_ON_UNAVAILABLE": "deny",
    "TALLYGATE_PUBLISH": "marks",
    "TALLYGATE_DEDUPE_WINDOW_SECONDS": "3600",
    "TALLYGATE_STREAM_RETENTION_HOURS": "24",
    "TALLYGATE_HISTORY_DAYS": "400",
    "TALLYGATE_DOCS_URL": "/v1/problems",
}


def test_the_authorizer_is_told_everything() -> None:
    assert AuthorizerSettings.from_env(ENV) == AuthorizerSettings(
        stage="prod",
        region="eu-west-1",
        gate_table="tallygate-prod-gate",
        home="us-east-1",
        homes=("us-east-1", "eu-central-1"),
        trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")),
        ipv6_prefix=56,
        read_deadline_ms=150,
        anonymous_on_unavailable="allow",
        keyed_on_unavailable="deny",
    )


def test_no_proxy_is_trusted_unless_named() -> None:
    assert AuthorizerSettings.from_env({**ENV, "TALLYGATE_TRUSTED_PROXIES": ""}).trusted_proxies == ()


def test_the_read_deadline_can_be_set() -> None:
    assert AuthorizerSettings.from_env({**ENV, "TALLYGATE_READ_DEADLINE_MS": "400"}).read_deadline_ms == 400


def test_the_api_and_the_consumer_are_told_everything() -> None:
    api = ApiSettings.from_env(ENV)
    assert (api.tally_table, api.docs_url) == ("tallygate-prod-tally", "/v1/problems")
    assert (api.stream_retention_hours, api.history_days) == (24, 400)
    consumer = LogConsumerSettings.from_env(ENV)
    assert (consumer.publish, consumer.dedupe_window_seconds, consumer.stream_retention_hours) == ("marks", 3600, 24)
    assert consumer.history_days == 400


def test_the_publish_modes_are_those_of_the_core() -> None:
    assert get_args(PublishMode) == PUBLISH_MODES


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        AuthorizerSettings.from_env({"TALLYGATE_HOME": " "})
    for name in (
        "TALLYGATE_STAGE",
        "AWS_REGION",
        "TALLYGATE_GATE_TABLE",
        "TALLYGATE_HOME ",
        "TALLYGATE_IPV6_PREFIX",
        "TALLYGATE_ANONYMOUS_ON_UNAVAILABLE",
        "TALLYGATE_KEYED_ON_UNAVAILABLE",
    ):
        assert name in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TALLYGATE_PUBLISH", "sometimes"),
        ("TALLYGATE_DEDUPE_WINDOW_SECONDS", "-1"),
        ("TALLYGATE_STREAM_RETENTION_HOURS", "1.5"),
    ],
)
def test_what_makes_no_sense_is_quoted(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} .*{text}"):
        LogConsumerSettings.from_env({**ENV, name: text})
