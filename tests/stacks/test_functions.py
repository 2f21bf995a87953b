"""What the functions are given: settings, logs and rights."""

import pytest
from synthesized import Synthesized, Where

from tallygate.aws.settings import (
    ApiSettings,
    AuthorizerSettings,
    CountersSettings,
    LogConsumerSettings,
    NotifierSettings,
    OpsReaderSettings,
    OpsSettings,
    WebhookSettings,
)

AUTHORIZER: Where = ("region", "eu-west-1")
PLACES = [
    (("region", "eu-west-1"), "authorizer"),
    (("region", "eu-west-1"), "api"),
    (("region", "eu-west-1"), "counters"),
    (("home", "us-east-1"), "log_consumer"),
    (("ops", "us-east-1"), "ops"),
    (("ops", "us-east-1"), "ops_reader"),
    (("notices", "us-east-1"), "notifier"),
]


@pytest.mark.parametrize(("where", "part"), PLACES)
def test_a_function_runs_on_python_3_13_for_arm64(prod: Synthesized, where: Where, part: str) -> None:
    function = prod.function(where, part)
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]


@pytest.mark.parametrize(("where", "part"), PLACES)
def test_its_log_lets_usage_lines_through_and_drops_what_lambda_says_of_each_call(
    prod: Synthesized, where: Where, part: str
) -> None:
    function = prod.function(where, part)
    group = f"/aws/lambda/{function['FunctionName']}"
    assert function["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "WARN",
        "LogGroup": group,
    }
    days = prod.one(where, "AWS::Logs::LogGroup", LogGroupName=group)["RetentionInDays"]
    assert days == (1 if where[0] == "region" else 14)


def test_settings_reach_the_functions(two_homes: Synthesized) -> None:
    def settings(where: Where, part: str) -> dict[str, str]:
        variables = two_homes.function(where, part)["Environment"]["Variables"]
        return {name: value for name, value in variables.items() if name.startswith("TALLYGATE_")}

    common = {
        "TALLYGATE_SERVICE": "tallygate",
        "TALLYGATE_STAGE": "acceptance",
        "TALLYGATE_GATE_TABLE": "tallygate-acceptance-gate",
        "TALLYGATE_HOMES": "us-east-1,eu-central-1",
    }
    tally = {"TALLYGATE_TALLY_TABLE": "tallygate-acceptance-tally"}
    assert settings(("region", "eu-west-1"), "authorizer") == {
        **common,
        "TALLYGATE_HOME": "eu-central-1",
        "TALLYGATE_TRUSTED_PROXIES": "10.0.0.0/8,2001:db8::/32",
        "TALLYGATE_IPV6_PREFIX": "56",
        "TALLYGATE_READ_DEADLINE_MS": "150",
        "TALLYGATE_ANONYMOUS_ON_UNAVAILABLE": "allow",
        "TALLYGATE_KEYED_ON_UNAVAILABLE": "deny",
    }
    assert settings(("region", "eu-west-1"), "api") == {
        **common,
        **tally,
        "TALLYGATE_HOME": "eu-central-1",
        "TALLYGATE_DOCS_URL": "https://docs.example/problems",
        "TALLYGATE_STREAM_RETENTION_HOURS": "48",
        "TALLYGATE_HISTORY_DAYS": "90",
    }
    assert settings(("region", "eu-west-1"), "counters") == {
        **common,
        **tally,
        "TALLYGATE_HOME": "eu-central-1",
        "TALLYGATE_DOCS_URL": "https://docs.example/problems",
    }
    assert settings(("home", "eu-central-1"), "log_consumer") == {
        **common,
        **tally,
        "TALLYGATE_HOME": "eu-central-1",
        "TALLYGATE_REJECTS_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/tallygate-acceptance-rejects",
        "TALLYGATE_PUBLISH": "every",
        "TALLYGATE_DEDUPE_WINDOW_SECONDS": "7200",
        "TALLYGATE_STREAM_RETENTION_HOURS": "48",
        "TALLYGATE_HISTORY_DAYS": "90",
    }


@pytest.mark.parametrize(
    ("where", "part", "settings"),
    [
        (("region", "eu-west-1"), "authorizer", AuthorizerSettings),
        (("region", "eu-west-1"), "api", ApiSettings),
        (("home", "us-east-1"), "log_consumer", LogConsumerSettings),
    ],
)
def test_each_function_can_read_the_settings_that_it_is_given(
    prod: Synthesized, where: Where, part: str, settings: type[AuthorizerSettings | ApiSettings | LogConsumerSettings]
) -> None:
    variables = prod.function(where, part)["Environment"]["Variables"]
    read = settings.from_env({**variables, "AWS_REGION": where[1]})
    assert (read.home, read.homes, read.gate_table) == ("us-east-1", ("us-east-1",), "tallygate-prod-gate")


def test_the_operators_function_is_told_its_tables_and_can_read_it(two_homes: Synthesized) -> None:
    variables = two_homes.function(("ops", "us-east-1"), "ops")["Environment"]["Variables"]
    read = OpsSettings.from_env({**variables, "AWS_REGION": "us-east-1"})
    assert read == OpsSettings("acceptance", "us-east-1", "tallygate-acceptance-gate", "tallygate-acceptance-tally")


def test_the_function_that_answers_questions_is_told_of_every_home_and_can_read_it(two_homes: Synthesized) -> None:
    variables = two_homes.function(("ops", "us-east-1"), "ops_reader")["Environment"]["Variables"]
    read = OpsReaderSettings.from_env({**variables, "AWS_REGION": "us-east-1"})
    service = two_homes.config.service
    assert read == OpsReaderSettings(
        "tallygate", "acceptance", "us-east-1", ("us-east-1", "eu-central-1"), service.regions, 48, 90, 56
    )


def test_the_counters_function_is_told_where_to_write_and_can_read_it(two_homes: Synthesized) -> None:
    variables = two_homes.function(("region", "eu-west-1"), "counters")["Environment"]["Variables"]
    gate, tally = "tallygate-acceptance-gate", "tallygate-acceptance-tally"
    homes = ("us-east-1", "eu-central-1")
    assert CountersSettings.from_env(variables) == CountersSettings(gate, tally, homes, "https://docs.example/problems")


def test_those_who_tell_notices_are_told_where_and_can_read_it(two_homes: Synthesized) -> None:
    where = ("notices", "us-east-1")
    variables = two_homes.function(where, "notifier")["Environment"]["Variables"]
    assert NotifierSettings.from_env({**variables, "AWS_REGION": "us-east-1"}) == NotifierSettings(
        service="tallygate",
        stage="acceptance",
        region="us-east-1",
        gate_table="tallygate-acceptance-gate",
        tally_table="tallygate-acceptance-tally",
        notices_bus="tallygate-acceptance-notices",
    )
    variables = two_homes.function(where, "webhook")["Environment"]["Variables"]
    assert WebhookSettings.from_env({**variables, "AWS_REGION": "us-east-1"}) == WebhookSettings(
        "https://hooks.example/tallygate?token=1",
        "us-east-1",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:tallygate-acceptance-webhook-abcdef",
    )


def test_powertools_knows_which_function_speaks(prod: Synthesized) -> None:
    variables = prod.function(("home", "us-east-1"), "log_consumer")["Environment"]["Variables"]
    assert variables["POWERTOOLS_SERVICE_NAME"] == "tallygate-prod-log-consumer"
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "Tallygate"
    assert variables["POWERTOOLS_LOG_LEVEL"] == "INFO"
