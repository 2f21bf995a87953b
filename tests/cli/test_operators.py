"""What operators ask and change in a stage deployed to AWS (as moto has it)."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tallygate.aws.key_store import KeyStore
from tallygate.aws.tally_table import TallyTable
from tallygate.cli import main
from tallygate.cli.identifiers import key_id_of, normal_value
from tallygate.core import names
from tallygate.core.keys import key_id, stage_of
from tallygate.core.names import Kind, pk_of
from tallygate.core.periods import day_of
from tallygate.core.ranks import rank_of, rank_partition
from tallygate.core.tally import Delta, ItemKey, Update
from tests.stage_tables import NAMES, Clients

CONFIG = """
[service]
name = "tallygate"
stages = ["local", "prod"]
homes = ["us-east-1", "eu-west-1"]
regions = ["us-east-1", "eu-west-1", "ap-southeast-2"]

[plans.anonymous]
anonymous = true
limits = [{ per = "ip", quota = 200, window = "day" }]

[plans.starter]
limits = [{ per = "key", quota = 1000, window = "day" }]
"""
MONTH = day_of(time.time_ns() // 1_000_000).month
"""What was counted this month is kept."""


class Operator:
    """Runs commands on the stage `prod`."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--stage", "prod", "--config", str(self._config)])

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def operator(tmp_path: Path, clients: Clients) -> Operator:
    path = tmp_path / "tallygate.toml"
    path.write_text(CONFIG)
    return Operator(path)


def count(clients: Clients, home: str, kind: Kind, value: str, units: int, denied: int = 0) -> None:
    key = ItemKey(pk_of(kind, value), names.MONTH_SK + MONTH)
    table = TallyTable(clients[home], NAMES.tally_table)
    table.add(Update(key, "writer", 1, 1, Delta(units, units, denied, {20: units}), 1_000, 2_000))
    table.set_rank(key, rank_partition(kind, MONTH, key.pk), rank_of(units + denied))


def test_usage_of_an_ipv6_address_is_that_of_its_network(operator: Operator, clients: Clients) -> None:
    count(clients, "us-east-1", "ip", "2001:db8::/64", 10)
    count(clients, "eu-west-1", "ip", "2001:db8::/64", 50, denied=2)
    shown = operator.json("usage", "show", "ip", "2001:DB8::1", "--month", MONTH)
    assert shown == {
        "kind": "ip",
        "value": "2001:db8::/64",
        "month": MONTH,
        "admitted": 60,
        "charged": 60,
        "denied": 2,
        "charged_by_day": {f"{MONTH}-20": 60},
        "homes": {
            "us-east-1": {"admitted": 10, "charged": 10, "denied": 0},
            "eu-west-1": {"admitted": 50, "charged": 50, "denied": 2},
        },
    }


def test_usage_for_people_has_homes_and_their_sum(operator: Operator, clients: Clients) -> None:
    count(clients, "us-east-1", "ref", "shop.example", 1_000)
    count(clients, "eu-west-1", "ref", "shop.example", 500)
    result = operator.run("usage", "show", "ref", "https://Shop.Example:8443/basket", "--month", MONTH)
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["us-east-1", "1,000", "1,000", "0"] in rows
    assert ["all", "1,500", "1,500", "0"] in rows
    assert f"charged by day  {MONTH}-20: 1,500" in result.stdout


def test_one_home_is_asked_when_it_is_named(operator: Operator, clients: Clients) -> None:
    count(clients, "us-east-1", "ip", "192.0.2.1", 10)
    count(clients, "eu-west-1", "ip", "192.0.2.1", 50)
    shown = operator.json("usage", "show", "ip", "192.0.2.1", "--month", MONTH, "--region", "eu-west-1")
    assert shown["admitted"] == 50
    refused = operator.run("usage", "show", "ip", "192.0.2.1", "--region", "ap-southeast-2")
    assert refused.exit_code == 1
    assert refused.stderr == ("Error: --region: ap-southeast-2 is no home; calls are counted in us-east-1, eu-west-1\n")


def test_a_month_that_is_no_longer_kept_is_not_shown_as_one_without_calls(operator: Operator, clients: Clients) -> None:
    for kind, value in (("ip", "192.0.2.1"), ("key", "0123456789abcdef")):
        refused = operator.run("usage", "show", kind, value, "--month", "2020-02")
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert f"or later; what was counted of each {kind} is kept from then" in " ".join(refused.stderr.split())


def test_the_busiest_are_shown_in_order(operator: Operator, clients: Clients) -> None:
    for number in range(5):
        count(clients, "us-east-1", "ip", f"192.0.2.{number}", 100 + number, denied=number)
    count(clients, "eu-west-1", "ip", "192.0.2.0", 100)
    top = operator.json("usage", "top", "ip", "--limit", "2", "--month", MONTH)
    assert [(row["value"], row["admitted"], row["denied"]) for row in top["top"]] == [
        ("192.0.2.0", 200, 0),
        ("192.0.2.4", 104, 4),
    ]
    table = operator.run("usage", "top", "ip", "--month", MONTH).stdout
    assert [line.split()[0] for line in table.splitlines()[2:4]] == ["192.0.2.0", "192.0.2.4"]


def test_nothing_busy_is_said_so(operator: Operator) -> None:
    assert operator.run("usage", "top", "key", "--month", MONTH).stdout == (
        f"No key was counted more than 7 times for each home in {MONTH}.\n"
    )


def test_a_key_is_given_out_listed_found_and_revoked(operator: Operator, clients: Clients) -> None:
    operator.json("plans", "apply")
    made = operator.json("keys", "create", "--owner", "acme", "--plan", "starter", "--expires", "2999-01-01")
    secret, id = made["secret"], made["id"]
    assert stage_of(secret) == "prod"
    assert key_id(secret) == id
    assert made["expires"] == "2999-01-01T00:00:00.000Z"

    (listed,) = operator.json("keys", "list", "--owner", "acme")["keys"]
    assert listed == {name: value for name, value in made.items() if name != "secret"}
    assert operator.json("keys", "list", "--owner", "nobody") == {"keys": [], "cursor": None}

    count(clients, "us-east-1", "key", id, 12)
    for given in (id, secret):
        result = operator.run("usage", "show", "key", given, "--month", MONTH)
        assert id in result.stdout
        assert secret not in result.output

    assert operator.json("keys", "revoke", secret)["status"] == "revoked"
    rows = operator.run("keys", "list").stdout
    assert [id, "acme", "starter", "revoked"] == rows.splitlines()[1].split()[:4]
    assert secret not in rows


def test_the_secret_alone_is_on_standard_output(operator: Operator, clients: Clients) -> None:
    operator.json("plans", "apply")
    result = operator.run("keys", "create", "--owner", "acme", "--plan", "starter", "--note", "[red]first[/red]")
    secret = result.stdout.strip()
    assert stage_of(secret) == "prod"
    assert key_id(secret) in result.stderr
    assert secret not in result.stderr
    assert "[red]first[/red]" in operator.run("keys", "list").stdout  # a note is text, not markup


@pytest.mark.parametrize("plan", ["anonymous", "nonsense"])
def test_a_key_needs_a_plan_that_is_there_and_for_keys(operator: Operator, clients: Clients, plan: str) -> None:
    before = operator.run("keys", "create", "--owner", "acme", "--plan", plan)
    assert "there are none yet: `tallygate plans apply`" in before.stderr
    operator.json("plans", "apply")
    after = operator.run("keys", "create", "--owner", "acme", "--plan", plan)
    assert after.exit_code == 1
    assert after.stderr == f"Error: --plan: '{plan}' is no plan for keys; plans for keys are starter\n"
    assert list(KeyStore(clients["us-east-1"], NAMES.gate_table).profiles()) == []


def test_revoking_a_key_that_is_not_there_fails(operator: Operator) -> None:
    result = operator.run("keys", "revoke", "0123456789abcdef")
    assert result.exit_code == 1
    assert "there is no key 0123456789abcdef" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "create", "--owner", "acme", "--plan", "starter"),
        ("keys", "revoke", "0123456789abcdef"),
        ("plans", "apply"),
    ],
)
def test_keys_and_plans_are_written_in_one_region_only(operator: Operator, arguments: tuple[str, ...]) -> None:
    result = operator.run(*arguments, "--region", "eu-west-1")
    assert result.exit_code == 1
    assert result.stderr == "Error: --region: keys, plans and quotas are written only in us-east-1\n"


@pytest.mark.parametrize(
    ("kind", "given", "normal"),
    [
        ("ip", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("ip", "2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ("ip", "::ffff:192.0.2.7", "192.0.2.7"),
        ("ref", "Shop.Example", "shop.example"),
        ("ref", "shop.example:8080", "shop.example"),
        ("ref", "https://bücher.example/suche", "xn--bcher-kva.example"),
        ("ref", "2001:db8::42", "2001:db8::42"),
        ("key", "0123456789abcdef", "0123456789abcdef"),
        ("key", "invalid", "invalid"),
    ],
)
def test_values_are_taken_as_callers_write_them(kind: Kind, given: str, normal: str) -> None:
    assert normal_value(kind, given, 64) == normal
    assert normal_value(kind, normal, 64) == normal


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ip", "300.1.1.1"), "'300.1.1.1' is no IP address"),
        (("ref", "a b"), "'a b' is neither a host nor an http or https URL with one"),
        (("key", "0123"), "a key is given as its id, 16 hex digits, or as its secret, tg_…"),
    ],
)
def test_a_value_that_is_none_is_refused_in_one_line(
    operator: Operator, arguments: tuple[str, ...], message: str
) -> None:
    result = operator.run("usage", "show", *arguments)
    assert (result.exit_code, result.stderr) == (1, f"Error: {message}\n")


def test_a_mistyped_secret_is_not_repeated(operator: Operator) -> None:
    result = operator.run("usage", "show", "key", "tg_prod_" + "a" * 36)
    assert result.exit_code == 1
    assert "mistyped" in result.stderr
    assert "aaaa" not in result.output


def test_an_id_is_its_own_and_a_secret_has_one() -> None:
    assert key_id_of(" 0123456789abcdef\n") == "0123456789abcdef"


@pytest.mark.parametrize("month", ["2026-13", "november", "2026-1", "2026-11-20"])
def test_a_month_that_is_none_is_a_usage_error(operator: Operator, month: str) -> None:
    result = operator.run("usage", "top", "ip", "--month", month)
    assert result.exit_code == 2
    assert "a month is written like 2026-11" in result.stderr


def test_a_stage_that_the_configuration_does_not_have_is_named(operator: Operator) -> None:
    result = CliRunner().invoke(main, ["usage", "top", "ip", "--stage", "staging"])
    assert result.exit_code == 1
    assert result.stderr == "Error: --stage: staging is none of service.stages: local, prod\n"


def test_a_stage_that_is_not_deployed_says_what_to_look_at(tmp_path: Path, clients: Clients) -> None:
    path = tmp_path / "tallygate.toml"
    path.write_text(CONFIG.replace('name = "tallygate"', 'name = "other"'))
    result = CliRunner().invoke(main, ["keys", "list", "--stage", "prod", "--config", str(path)])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: AWS refused (ResourceNotFoundException)")
    assert "is the stage deployed in this account and region?" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_a_world_on_this_machine_the_error_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("TALLYGATE_WORLD", str(tmp_path))
    for arguments in (["usage", "top", "ip"], ["endpoints"]):
        result = CliRunner().invoke(main, arguments)
        assert (result.exit_code, result.stderr) == (1, "Error: no local world is up: `tallygate up` starts one\n")
    down = CliRunner().invoke(main, ["down"])
    assert (down.exit_code, down.stdout) == (
        0, "Nothing to end: no local world is up: `tallygate up` starts one\n",
    )  # fmt: skip


def test_a_configuration_that_cannot_be_used_is_refused_with_every_problem(tmp_path: Path) -> None:
    path = tmp_path / "tallygate.toml"
    path.write_text(CONFIG.replace("200", '"many"').replace('"us-east-1", "eu-west-1"]', '"moon"]'))
    result = CliRunner().invoke(main, ["plans", "apply", "--stage", "prod", "--config", str(path)])
    assert result.exit_code == 1
    assert "plans.anonymous.limits[0].quota" in result.stderr
    assert "service.homes[0]" in result.stderr


def test_a_profile_that_is_not_there_is_named(operator: Operator) -> None:
    result = operator.run("keys", "list", "--profile", "nobody")
    assert result.exit_code == 1
    assert "nobody" in result.stderr
    assert "aws configure list-profiles" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--owner", "", "1 to 128 characters on one line"),
        ("--owner", " \t", "1 to 128 characters on one line"),
        ("--owner", "a" * 129, "1 to 128 characters on one line"),
        ("--owner", "acme\x1b[2J", "1 to 128 characters on one line"),
        ("--note", "a" * 257, "1 to 256 characters on one line"),
        ("--expires", "2020-01-01", "2020-01-01T00:00:00.000Z has passed"),
    ],
)
def test_a_key_that_nobody_can_mean_is_not_given_out(operator: Operator, option: str, value: str, said: str) -> None:
    assert operator.run("plans", "apply").exit_code == 0
    given = {"--owner": "acme", "--plan": "starter", option: value}
    result = operator.run("keys", "create", *(word for pair in given.items() for word in pair))
    assert result.exit_code == 2
    assert f"Invalid value for '{option}': " in result.stderr
    assert said in " ".join(result.stderr.split())
    assert operator.json("keys", "list")["keys"] == []
