"""`tallygate notices` on a stage as moto has it."""

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from tallygate.aws.told_table import ToldTable
from tallygate.cli import main
from tallygate.core.notices import Notice, Subject
from tallygate.core.periods import DAY_MS, start_ms_of
from tallygate.core.plans import Limit
from tallygate.core.webhooks import signing_key
from tests.stage_tables import HOMES, NAMES, Clients

KEY = "0123456789abcdef"
CONFIG = """
[service]
name = "tallygate"
homes = ["us-east-1", "eu-west-1"]
regions = ["us-east-1"]

[plans.anonymous]
anonymous = true
limits = []
"""
WEBHOOK = '[notices]\nsns = true\nwebhook = "https://example.com/hook?token=t0p"\n'


@pytest.fixture
def config(tmp_path: Path, clients: Clients) -> Path:
    path = tmp_path / "tallygate.toml"
    path.write_text(CONFIG + WEBHOOK)
    return path


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["notices", *arguments, "--stage", "prod", "--config", str(config)])


def document(config: Path, *arguments: str) -> Any:
    result = run(config, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def tell(clients: Clients, value: str, period: str, at_ms: int, level: int = 80) -> None:
    limit = Limit("key", 100, "day" if period.startswith("day#") else "month")
    notice = Notice(Subject("key", value, "acme"), "p", limit, level, period, level, at_ms)
    ToldTable(clients[HOMES[0]], NAMES.tally_table, "tallygate", "prod").remember(notice, at_ms)


def test_what_was_told_is_listed_by_time_and_of_one_identifier(config: Path, clients: Clients) -> None:
    november = start_ms_of("month#2026-11")
    tell(clients, KEY, "day#2026-11-20", november + 19 * DAY_MS + 5)
    tell(clients, "fedcba9876543210", "month#2026-11", november + 18 * DAY_MS)
    tell(clients, KEY, "day#2026-10-31", november + 7)
    tell(clients, KEY, "month#2026-10", november - DAY_MS)
    found = document(config, "list", "--since", "2026-11-01")
    assert [(each["told"], each["value"], each["period"]["name"]) for each in found] == [
        ("2026-11-01T00:00:00.007Z", KEY, "2026-10-31"),
        ("2026-11-19T00:00:00.000Z", "fedcba9876543210", "2026-11"),
        ("2026-11-20T00:00:00.005Z", KEY, "2026-11-20"),
    ]
    of_key = document(config, "list", "key", KEY, "--since", "2026-10-01")
    assert [each["period"]["name"] for each in of_key] == ["2026-10", "2026-10-31", "2026-11-20"]
    assert "key-day" in run(config, "list", "--since", "2026-11-01").stdout


def test_an_empty_list_says_so_and_a_kind_wants_a_value(config: Path) -> None:
    assert run(config, "list").stdout == "Nothing was told.\n"
    assert document(config, "list") == []
    missing = run(config, "list", "key")
    assert missing.exit_code == 2
    assert "which key? VALUE is missing." in missing.output


def test_a_test_notice_goes_the_way_of_all_and_says_what_it_is(config: Path) -> None:
    boto3.client("events", region_name=HOMES[0]).create_event_bus(Name=NAMES.notices)
    told = document(config, "test")
    assert (told["bus"], told["region"], told["targets"]) == (
        "tallygate-prod-notices", "us-east-1", ["the topic", "the webhook"],
    )  # fmt: skip
    assert (told["notice"]["test"], told["notice"]["value"]) == (True, "0" * 16)
    assert document(config, "test")["notice"]["id"] != told["notice"]["id"]
    said = run(config, "test").stdout
    assert re.search(r"ntc_[0-9a-f]{32} is on the bus tallygate-prod-notices in us-east-1\.", said)
    assert "t0p" not in said + json.dumps(told)


def test_without_targets_a_test_says_so(config: Path) -> None:
    boto3.client("events", region_name=HOMES[0]).create_event_bus(Name=NAMES.notices)
    config.write_text(CONFIG)
    assert "No target is configured" in run(config, "test").stdout


def test_the_secret_is_shown_and_replaced(config: Path) -> None:
    vault = boto3.client("secretsmanager", region_name=HOMES[0])
    vault.create_secret(Name=NAMES.webhook, SecretString="A" * 40)
    assert run(config, "secret", "show").stdout == f"whsec_{'A' * 40}\n"
    rotated = document(config, "secret", "rotate")
    assert rotated["old_signs_for_seconds"] == 86_400
    assert len(signing_key(rotated["secret"])) == 32
    assert document(config, "secret", "show") == {"secret": rotated["secret"]}
    previous = vault.get_secret_value(SecretId=NAMES.webhook, VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "A" * 40


def test_without_a_webhook_there_is_no_secret(config: Path) -> None:
    config.write_text(CONFIG)
    result = run(config, "secret", "show")
    assert (result.exit_code, result.stderr.split(":")[1]) == (1, " there is no webhook")
