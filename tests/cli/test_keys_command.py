"""What operators do about keys and addresses in a stage deployed to AWS (as moto has it), and the trail of it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from test_operators import CONFIG, Operator

from tallygate.aws.address_store import MAX_RULES, AddressStore
from tallygate.aws.gate_reader import GateReader
from tallygate.cli import main
from tallygate.core.addresses import AddressRule, normal_network
from tallygate.core.keys import key_id, mint, secret_hash, stage_of
from tests.stage_tables import NAMES, Clients

ALL_PLANS = CONFIG + '\n[plans.pro]\nlimits = [{ per = "key", quota = 5000, window = "month" }]\n'
OURS = mint("prod", lambda alphabet: alphabet[7])


@pytest.fixture
def operator(tmp_path: Path, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Operator:
    monkeypatch.setattr("tallygate.cli.key_import.WRITERS", 1)  # moto knows nothing of threads
    path = tmp_path / "tallygate.toml"
    path.write_text(ALL_PLANS)
    operator = Operator(path)
    operator.json("plans", "apply")
    return operator


@pytest.fixture
def made(operator: Operator) -> dict[str, Any]:
    document: dict[str, Any] = operator.json("keys", "create", "--owner", "acme", "--plan", "starter")
    return document


def test_a_rotation_prints_the_new_secret_alone_and_says_how_long_the_old_one_is_good(
    operator: Operator, made: dict[str, Any]
) -> None:
    result = operator.run("keys", "rotate", made["id"], "--overlap", "7d")
    secret = result.stdout.strip()
    assert stage_of(secret) == "prod"
    assert secret not in result.stderr
    new, old = operator.json("keys", "show", secret), operator.json("keys", "show", made["secret"])
    assert (new["rotated_from"], new["counted_as"], new["owner"]) == (made["id"], made["id"], "acme")
    assert (old["rotated_to"], old["status"]) == (new["id"], "active")
    assert f"{made['id']} is good until {old['expires']}" in " ".join(result.stderr.split())
    again = operator.run("keys", "rotate", made["id"])
    assert (again.exit_code, f"was rotated to {new['id']}" in again.stderr) == (1, True)


def test_a_leaked_key_ends_at_once_and_a_revoked_successor_reminds_of_the_old_one(
    operator: Operator, made: dict[str, Any]
) -> None:
    second = operator.json("keys", "rotate", made["id"], "--overlap", "0")
    assert operator.json("keys", "show", made["id"])["status"] == "expired"
    third = operator.json("keys", "rotate", second["id"])
    revoked = operator.run("keys", "revoke", third["id"])
    assert f"{second['id']}, which it took over from, is good until" in " ".join(revoked.stderr.split())
    assert third["counted_as"] == made["id"]


@pytest.mark.parametrize("overlap", ["soon", "1y", "-1h", "91d"])
def test_an_overlap_that_nobody_can_mean_is_a_usage_error(
    operator: Operator, made: dict[str, Any], overlap: str
) -> None:
    assert operator.run("keys", "rotate", made["id"], f"--overlap={overlap}").exit_code == 2


def test_a_plan_note_expiry_and_restrictions_are_changed_and_taken_away(
    operator: Operator, made: dict[str, Any]
) -> None:
    assert operator.json("keys", "set-plan", made["id"], "pro")["plan"] == "pro"
    edited = operator.json(
        "keys", "edit", made["id"], "--note", "vip", "--expires", "2999-01-01",
        "--referer", "https://Shop.example/", "--referer", "*.shop.example", "--address", "::ffff:203.0.113.0/120",
    )  # fmt: skip
    assert (edited["note"], edited["expires"]) == ("vip", "2999-01-01T00:00:00.000Z")
    assert (edited["referers"], edited["addresses"]) == (["*.shop.example", "shop.example"], ["203.0.113.0/24"])
    freed = operator.json("keys", "edit", made["id"], "--expires", "never", "--any-referer", "--any-address")
    assert (freed["expires"], freed["referers"], freed["addresses"], freed["note"]) == (None, [], [], "vip")
    assert operator.run("keys", "edit", made["id"]).exit_code == 2
    assert operator.run("keys", "edit", made["id"], "--any-referer", "--referer", "a.example").exit_code == 2
    gold = operator.run("keys", "set-plan", made["id"], "gold")
    assert gold.stderr == "Error: --plan: 'gold' is no plan for keys; plans for keys are pro, starter\n"


def test_keys_are_listed_by_owner_plan_and_status_page_by_page(operator: Operator, made: dict[str, Any]) -> None:
    for number in range(4):
        operator.json("keys", "create", "--owner", f"owner-{number % 2}", "--plan", "pro")
    operator.json("keys", "revoke", made["id"])
    assert [key["id"] for key in operator.json("keys", "list", "--status", "revoked")["keys"]] == [made["id"]]
    assert len(operator.json("keys", "list", "--plan", "pro", "--owner", "owner-1")["keys"]) == 2
    first = operator.json("keys", "list", "--limit", "3")
    rest = operator.json("keys", "list", "--limit", "3", "--cursor", first["cursor"])
    assert (len(first["keys"]), len(rest["keys"]), rest["cursor"]) == (3, 2, None)
    assert operator.run("keys", "list", "--cursor", "nonsense").exit_code == 2
    assert first["cursor"] in operator.run("keys", "list", "--limit", "3").stderr


def test_keys_of_a_file_are_taken_over_once_and_what_is_wrong_is_told(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "keys.csv"
    file.write_text(
        f"hash,owner,plan,note\n{secret_hash(OURS)},acme,starter,first\n{'0' * 64},acme,gold,\nnonsense,acme,pro,\n",
        encoding="utf-8-sig",
    )
    rehearsed = operator.run("keys", "import", str(file), "--dry-run", "--json")
    assert rehearsed.exit_code == 1
    assert json.loads(rehearsed.stdout) == {
        "taken": 1,
        "kept": 0,
        "failed": [
            {"line": 3, "reason": "'gold' is no plan for keys; plans for keys are pro, starter"},
            {"line": 4, "reason": "hash: is not a SHA-256 in 64 lower-case hex digits"},
        ],
        "dry_run": True,
    }
    assert operator.json("keys", "list")["keys"] == []
    said = operator.run("keys", "import", str(file)).stdout
    assert "1 keys taken over, 0 here already, 2 not taken\n  line 3: " in said
    (key,) = operator.json("keys", "list")["keys"]
    assert (key["id"], key["owner"], key["note"]) == (key_id(OURS), "acme", "first")
    again = json.loads(operator.run("keys", "import", str(file), "--json").stdout)
    assert (again["taken"], again["kept"]) == (0, 1)


def test_secrets_come_from_standard_input_and_are_never_repeated(operator: Operator, tmp_path: Path) -> None:
    row = json.dumps({"secret": OURS, "owner": "acme", "plan": "pro"})
    file = tmp_path / "keys.jsonl"
    file.write_text(row)
    refused = operator.run("keys", "import", str(file))
    assert (refused.exit_code, "standard input only" in refused.stdout) == (1, True)
    arguments = ["keys", "import", "-", "--json", "--stage", "prod", "--config", str(operator._config)]
    result = CliRunner().invoke(main, arguments, input=f"{row}\n{row}\n")
    assert json.loads(result.stdout) == {"taken": 1, "kept": 1, "failed": [], "dry_run": False}
    assert OURS not in result.output + refused.output


def test_a_large_file_is_taken_over_whole(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "keys.csv"
    hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(60)]
    file.write_text("hash,owner,plan\n" + "".join(f"{each},acme,pro\n" for each in hashes))
    assert operator.json("keys", "import", str(file))["taken"] == 60
    assert len(operator.json("keys", "list")["keys"]) == 60


def test_every_change_is_in_the_audit_trail(operator: Operator, made: dict[str, Any]) -> None:
    operator.json("keys", "set-plan", made["id"], "pro")
    operator.json("quota", "top-up", "key", made["id"], "500", "--id", "goodwill")
    operator.json("keys", "revoke", made["id"])
    operator.json("addresses", "block", "203.0.113.0/24", "--reason", "scraping")
    entries = operator.json("audit", "list", "--since", "1h")
    assert {entry["who"] for entry in entries} == {"arn:aws:sts::123456789012:user/moto"}
    # Plans were applied before, at the beginning.
    assert [entry["action"] for entry in entries if not entry["action"].startswith("plan.")] == [
        "key.create", "key.change", "quota.top-up", "key.revoke", "address.block",
    ]  # fmt: skip
    of_key = operator.json("audit", "list", "--key", made["secret"])
    assert [(entry["before"], entry["after"]) for entry in of_key[1:2]] == [({"plan": "starter"}, {"plan": "pro"})]
    assert len(of_key) == 4
    everything = json.dumps(entries)
    assert made["secret"] not in everything
    assert secret_hash(made["secret"]) not in everything
    shown = operator.run("audit", "list", "--key", made["id"]).stdout
    assert "key.revoke" in shown
    assert operator.json("audit", "list", "--since", "2999-01-01") == []
    assert operator.run("audit", "list", "--since", "yesterday").exit_code == 2


def test_ranges_are_blocked_let_through_listed_and_forgotten(operator: Operator, clients: Clients) -> None:
    operator.json("addresses", "block", "::ffff:203.0.113.0/120", "--reason", "scraping", "--expires", "2999-01-01")
    operator.json("addresses", "allow", "203.0.113.7")
    assert operator.json("addresses", "list") == [
        {"range": "203.0.113.0/24", "action": "block", "reason": "scraping", "expires": "2999-01-01T00:00:00.000Z"},
        {"range": "203.0.113.7/32", "action": "allow", "reason": None, "expires": None},
    ]
    assert [plan["name"] for plan in operator.json("plans", "show")["plans"]] == ["anonymous", "pro", "starter"]
    assert operator.json("addresses", "remove", "203.0.113.0/24")["action"] == "block"
    again = operator.run("addresses", "remove", "203.0.113.0/24")
    assert (again.exit_code, "nothing was decided on 203.0.113.0/24" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("range", "said"),
    [
        ("0.0.0.0/0", "wider than /8"),
        ("::/0", "wider than /16"),
        ("10.0.0.1/8", "10.0.0.0/8 is the range"),
        ("shop.example", "no address range"),
    ],
)
def test_a_range_that_nobody_can_mean_is_a_usage_error(operator: Operator, range: str, said: str) -> None:
    result = operator.run("addresses", "block", range)
    assert (result.exit_code, said in " ".join(result.stderr.split())) == (2, True)
    assert operator.json("addresses", "list") == []


def test_the_number_of_ranges_is_bounded_and_one_more_is_refused(
    operator: Operator, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallygate.aws.address_store.MAX_RULES", 2)
    store = AddressStore(clients["us-east-1"], NAMES.gate_table)
    for address in ("192.0.2.1", "192.0.2.2"):
        store.put(AddressRule(normal_network(address), "block"), 0)
    refused = operator.run("addresses", "block", "192.0.2.3")
    assert (refused.exit_code, "there are 2 rules on addresses already" in refused.stderr) == (1, True)
    assert operator.json("addresses", "allow", "192.0.2.2")["action"] == "allow", "one that is there may change"


def test_as_many_ranges_as_there_may_be_come_in_one_answer() -> None:
    longest = len(json.dumps({"pk": {"S": "plans"}, "sk": {"S": "#" + "f" * 43}, "why": {"S": "\u00fc" * 100}})) + 64
    assert MAX_RULES * longest < 1_000_000, "DynamoDB answers a Query with up to 1 MB"
    assert GateReader.read.__doc__
