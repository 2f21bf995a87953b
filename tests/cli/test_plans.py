"""Plans of a stage deployed to AWS (as moto has it): what applying them changes, and what it refuses to."""

import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_operators import CONFIG, Operator

from tallygate.aws.audit_trail import AuditTrail
from tallygate.aws.plan_store import PlanStore
from tallygate.aws.tally_table import TallyTable
from tallygate.cli import main
from tallygate.core import names
from tallygate.core.names import Kind, pk_of
from tallygate.core.periods import day_of
from tallygate.core.plans import Plan
from tallygate.core.ranks import rank_of, rank_partition
from tallygate.core.tally import Delta, ItemKey, Update
from tests.stage_tables import NAMES, Clients


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tallygate.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def operator(file: Path, clients: Clients) -> Operator:
    return Operator(file)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def without_starter(file: Path) -> None:
    file.write_text(
        CONFIG.partition("[plans.starter]")[0] + '[plans.pro]\nlimits = [{per = "key", quota = 9, window = "day"}]'
    )


def test_applied_plans_are_shown(operator: Operator) -> None:
    assert operator.run("plans", "show").stdout.startswith("No plans: `tallygate plans apply`")
    applied = operator.json("plans", "apply")
    assert [(change["plan"], change["change"]) for change in applied["changes"]] == [
        ("anonymous", "added"), ("starter", "added"),
    ]  # fmt: skip
    assert operator.json("plans", "show") == {"plans": applied["plans"], "routes": {}}
    assert operator.json("plans", "show", "anonymous") == applied["plans"][0]
    assert applied["plans"][0] == {
        "name": "anonymous",
        "anonymous": True,
        "limits": [{"per": "ip", "quota": 200, "window": "day", "rolling": False, "soft": False}],
        "on_unavailable": "allow",
        "burst": None,
        "shadow": False,
        "notify_at": [],
    }
    assert "1,000 per key and day" in operator.run("plans", "show").stdout
    assert operator.run("plans", "show", "gone").stderr.startswith("Error: no plan gone is in force")


def test_a_check_shows_what_would_change_and_changes_nothing(operator: Operator, file: Path) -> None:
    operator.json("plans", "apply")
    assert operator.run("plans", "check").stdout == "Nothing changes: these plans are in force.\n"
    change(file, "quota = 1000", "quota = 500")
    before = operator.json("plans", "show")
    shown = operator.run("plans", "check")
    assert shown.exit_code == 0
    assert shown.stdout.split() == ["starter:", "changed", "key-day", "1,000", "→", "500"]
    (changed,) = operator.json("plans", "check")["changes"]
    assert (changed["plan"], changed["change"]) == ("starter", "changed")
    assert [changed[side]["limits"][0]["quota"] for side in ("before", "after")] == [1000, 500]
    assert operator.json("plans", "show") == before
    assert operator.run("plans", "apply").stdout.endswith("Applied. They hold in every region within 30 seconds.\n")
    assert operator.json("plans", "check") == {"changes": [], "routes": {}, "touched": {}}


def test_a_file_that_is_wrong_is_refused_with_all_that_is_wrong(operator: Operator, file: Path) -> None:
    change(file, "quota = 1000", "quota = 0")
    for command in (("check",), ("check", "--offline"), ("apply",)):
        result = operator.run("plans", *command)
        assert result.exit_code == 1
        assert "plans.starter.limits[0].quota: found 0" in result.stderr


def test_a_file_can_be_checked_with_nothing_to_reach(file: Path) -> None:
    result = CliRunner().invoke(main, ["plans", "check", "--offline", "--config", str(file)])
    assert (result.exit_code, result.stdout) == (0, "2 plans, nothing wrong with them.\n")


@pytest.mark.parametrize(("said", "applied"), [("y\n", True), ("n\n", False)])
def test_on_a_terminal_it_asks(
    operator: Operator, file: Path, monkeypatch: pytest.MonkeyPatch, said: str, applied: bool
) -> None:
    operator.json("plans", "apply")
    change(file, "quota = 1000", "quota = 500")
    runner = CliRunner()
    arguments = ["plans", "apply", "--stage", "prod", "--config", str(file)]
    with monkeypatch.context() as patch:
        patch.setattr("tallygate.cli.plans.is_somebody_there", lambda: True)
        result = runner.invoke(main, arguments, input=said)
    assert result.stdout.index("1,000") < result.output.index("Apply? [y/N]")
    assert (operator.json("plans", "show", "starter")["limits"][0]["quota"] == 500) == applied
    assert result.exit_code == (0 if applied else 1)


def test_a_plan_that_keys_are_on_does_not_go(operator: Operator, file: Path) -> None:
    operator.json("plans", "apply")
    kept = operator.json("keys", "create", "--owner", "acme", "--plan", "starter")["id"]
    revoked = operator.json("keys", "create", "--owner", "acme", "--plan", "starter")["id"]
    operator.json("keys", "revoke", revoked)
    without_starter(file)
    for command in ("check", "apply"):
        result = operator.run("plans", command)
        assert (result.exit_code, result.stdout.count("starter: removed, with 1 key on it")) == (1, 1)
        assert "--move-to, or let them have none with --force" in result.stderr
    assert [plan["name"] for plan in operator.json("plans", "show")["plans"]] == ["anonymous", "starter"]

    unknown = operator.run("plans", "apply", "--move-to", "anonymous")
    assert (unknown.exit_code, unknown.stderr) == (1, "Error: --move-to: anonymous is no plan for keys in pro\n")
    applied = operator.json("plans", "apply", "--move-to", "pro")
    assert applied["moved"] == [kept]
    assert [plan["name"] for plan in applied["plans"]] == ["anonymous", "pro"]
    assert operator.json("keys", "show", kept)["plan"] == "pro"


def test_force_lets_a_plan_go_whoever_is_on_it(operator: Operator, file: Path) -> None:
    operator.json("plans", "apply")
    id = operator.json("keys", "create", "--owner", "acme", "--plan", "starter")["id"]
    without_starter(file)
    assert operator.run("plans", "apply", "--move-to", "pro", "--force").exit_code == 2
    operator.json("plans", "apply", "--force")
    assert [plan["name"] for plan in operator.json("plans", "show")["plans"]] == ["anonymous", "pro"]
    assert operator.json("keys", "show", id)["plan"] == "starter"


def test_each_plan_that_changes_is_in_the_audit_trail(operator: Operator, file: Path, clients: Clients) -> None:
    operator.json("plans", "apply")
    change(file, "quota = 1000", "quota = 500")
    operator.json("plans", "apply")
    log = AuditTrail(clients["us-east-1"], NAMES.tally_table)
    recorded = [entry.change for entry in log.entries([day_of(time.time_ns() // 1_000_000).month])]
    assert sorted(change.subject for change in recorded) == ["plan#anonymous", "plan#starter", "plan#starter"]
    assert recorded[-1].after is not None
    assert recorded[-1].after["limits"][0]["quota"] == 500


def test_plans_that_somebody_applied_meanwhile_are_not_overwritten(
    operator: Operator, file: Path, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.json("plans", "apply")
    change(file, "quota = 1000", "quota = 500")
    other = PlanStore(clients["us-east-1"], NAMES.gate_table)

    def shown(*_: object) -> None:
        other.apply([Plan("anonymous", (), anonymous=True)])

    monkeypatch.setattr("tallygate.cli.intended_plans.print_changes", shown)
    result = operator.run("plans", "apply")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: somebody else applied plans at this moment")
    assert [plan["name"] for plan in operator.json("plans", "show")["plans"]] == ["anonymous"]


def spend(clients: Clients, home: str, kind: Kind, value: str, units: int) -> None:
    """As the consumer of a home counts, today, far from any mark of what was."""
    day = day_of(time.time_ns() // 1_000_000)
    key = ItemKey(pk_of(kind, value), names.MONTH_SK + day.month)
    tally = TallyTable(clients[home], NAMES.tally_table)
    tally.add(Update(key, "w", 1, 1, Delta(units, units, 0, {day.number: units}), 1, 2**40))
    tally.set_rank(key, rank_partition(kind, day.month, key.pk), rank_of(units))


def published(clients: Clients, home: str, kind: Kind, value: str) -> list[int]:
    rows = clients[home].query(
        TableName=NAMES.gate_table,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :month)",
        ExpressionAttributeValues={":pk": {"S": pk_of(kind, value)}, ":month": {"S": "month#"}},
    )["Items"]
    return [int(row["c"]["N"]) for row in rows]


def test_a_lowered_quota_takes_effect_on_what_was_used_in_every_home(
    operator: Operator, file: Path, clients: Clients
) -> None:
    operator.json("plans", "apply")
    over, under, other = (
        operator.json("keys", "create", "--owner", "acme", "--plan", plan)["id"]
        for plan in ("starter", "starter", "starter")
    )
    spend(clients, "us-east-1", "key", over, 40)
    spend(clients, "eu-west-1", "key", over, 70)
    spend(clients, "us-east-1", "key", under, 30)
    change(file, "quota = 1000", "quota = 100")
    touched = {"key": {"callers": 2, "were_over": 0, "are_over": 1, "behind": 2}}
    assert operator.json("plans", "check")["touched"] == touched
    assert published(clients, "us-east-1", "key", over) == []

    shown = operator.run("plans", "apply").stdout
    assert ["per", "key", "2", "0", "1", "2"] in [line.split() for line in shown.splitlines()]
    assert "Told " in shown
    assert published(clients, "us-east-1", "key", over) == [40]
    assert published(clients, "eu-west-1", "key", over) == [70]
    assert published(clients, "us-east-1", "key", under) == [30]
    assert published(clients, "us-east-1", "key", other) == []


def test_a_lowered_free_quota_is_told_of_addresses_and_a_raised_one_of_nobody(
    operator: Operator, file: Path, clients: Clients
) -> None:
    operator.json("plans", "apply")
    spend(clients, "us-east-1", "ip", "192.0.2.1", 60)
    spend(clients, "us-east-1", "ip", "192.0.2.2", 9)
    change(file, "quota = 200", "quota = 50")
    lowered = operator.json("plans", "apply")
    assert lowered["touched"] == {"ip": {"callers": 2, "were_over": 0, "are_over": 1, "behind": 2}}
    assert (published(clients, "us-east-1", "ip", "192.0.2.1"), lowered["published"]) == ([60], 2)
    change(file, "quota = 50", "quota = 100")
    raised = operator.json("plans", "apply")
    assert raised["touched"] == {"ip": {"callers": 2, "were_over": 1, "are_over": 0, "behind": 0}}
    assert raised["published"] == 0


def test_keys_that_are_moved_are_told_of_by_the_marks_of_their_new_plan(
    operator: Operator, file: Path, clients: Clients
) -> None:
    operator.json("plans", "apply")
    id = operator.json("keys", "create", "--owner", "acme", "--plan", "starter")["id"]
    spend(clients, "us-east-1", "key", id, 20)
    without_starter(file)
    applied = operator.json("plans", "apply", "--move-to", "pro")
    assert (applied["touched"]["key"]["are_over"], applied["published"]) == (1, 1)
    assert published(clients, "us-east-1", "key", id) == [20]


def test_applying_again_mends_what_was_not_told(operator: Operator, clients: Clients) -> None:
    operator.json("plans", "apply")
    spend(clients, "us-east-1", "ip", "192.0.2.1", 60)
    assert operator.json("plans", "apply")["published"] == 0
    assert operator.json("plans", "apply", "--republish")["published"] == 1
    assert published(clients, "us-east-1", "ip", "192.0.2.1") == [60]


def test_what_calls_weigh_is_checked_applied_and_shown(operator: Operator, file: Path) -> None:
    operator.json("plans", "apply")
    file.write_text(CONFIG + '\n[routes]\n"/v1/search" = 5\n"GET /v1/export/*" = 0\n')
    checked = operator.run("plans", "check").stdout
    assert [line.split() for line in checked.splitlines()] == [
        ["routes,", "in", "units", "for", "a", "call:"],
        ["/v1/search", "1", "→", "5"],
        ["GET", "/v1/export/*", "1", "→", "0"],
    ]
    applied = operator.json("plans", "apply")
    assert applied["routes"] == {
        "/v1/search": {"before": None, "after": 5},
        "GET /v1/export/*": {"before": None, "after": 0},
    }
    assert operator.json("plans", "show")["routes"] == {"/v1/search": 5, "GET /v1/export/*": 0}
    shown = [line.split() for line in operator.run("plans", "show").stdout.splitlines()]
    assert ["GET", "/v1/export/*", "free"] in shown
    assert operator.run("plans", "check").stdout.startswith("Nothing changes")


def test_a_key_has_quotas_of_its_own_and_is_told_of_by_their_marks(operator: Operator, clients: Clients) -> None:
    operator.json("plans", "apply")
    id = operator.json("keys", "create", "--owner", "acme", "--plan", "starter")["id"]
    spend(clients, "eu-west-1", "key", id, 45)
    made = operator.json("keys", "override", id, "--limit", "key=40/day")
    assert (made["overrides"], made["published"]) == (["key=40/day"], 1)
    assert made["touched"] == {"key": {"callers": 1, "were_over": 0, "are_over": 1, "behind": 1}}
    assert published(clients, "eu-west-1", "key", id) == [45]
    (limit,) = operator.json("quota", "show", "key", id)["limits"]
    assert (limit["quota"], limit["remaining"]) == (40, 0)

    more = operator.run("keys", "override", id, "--limit", "key=5000/month", "--limit", "key=80/day").stdout
    assert more == f"{id} is held to key=80/day, key=5000/month. Every region knows within seconds.\n"
    new = operator.json("keys", "rotate", id)
    assert new["overrides"] == ["key=80/day", "key=5000/month"]
    assert operator.json("keys", "list")["keys"][0]["overrides"] == ["key=80/day", "key=5000/month"]
    removed = operator.run("keys", "override", new["id"], "--remove").stdout
    assert removed.startswith(f"{new['id']} is held to the quotas of its plan.")
    assert operator.json("keys", "show", new["id"])["overrides"] == []
    trail = operator.json("audit", "list", "--since", "1h", "--key", new["id"])
    assert [entry["action"] for entry in trail] == ["key.create", "key.change"]


def test_a_quota_of_a_key_stays_when_its_plan_changes(operator: Operator, file: Path, clients: Clients) -> None:
    operator.json("plans", "apply")
    own, other = (operator.json("keys", "create", "--owner", "acme", "--plan", "starter")["id"] for _ in range(2))
    operator.json("keys", "override", own, "--limit", "key=5000/day")
    for id in (own, other):
        spend(clients, "us-east-1", "key", id, 20)
    change(file, "quota = 1000", "quota = 10")
    assert operator.json("plans", "apply")["touched"]["key"] == {
        "callers": 1, "were_over": 0, "are_over": 1, "behind": 1,
    }  # fmt: skip
    assert published(clients, "us-east-1", "key", own) == []


def test_a_key_that_is_put_on_a_smaller_plan_is_told_of(operator: Operator, file: Path, clients: Clients) -> None:
    file.write_text(CONFIG + '[plans.small]\nlimits = [{ per = "key", quota = 20, window = "day" }]\n')
    operator.json("plans", "apply")
    id = operator.json("keys", "create", "--owner", "acme", "--plan", "starter")["id"]
    spend(clients, "us-east-1", "key", id, 20)
    operator.json("keys", "set-plan", id, "small")
    assert published(clients, "us-east-1", "key", id) == [20]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("0123456789abcdef",), 2, "nothing to change: --limit or --remove"),
        (("0123456789abcdef", "--remove"), 1, "Error: there is no key 0123456789abcdef"),
        (("0123456789abcdef", "--limit", "key=many/day"), 2, "a quota like key=5000/day"),
    ],
)
def test_what_is_no_quota_of_a_key_is_refused(
    operator: Operator, arguments: tuple[str, ...], code: int, said: str
) -> None:
    result = operator.run("keys", "override", *arguments)
    assert result.exit_code == code
    assert said in " ".join(result.stderr.split())


SHARED = (
    CONFIG
    + """
[plans.shared]
limits = [{ per = "key", quota = 1000, window = "day" }, { per = "owner", quota = 5000, window = "day" }]

[plans.other]
limits = [{ per = "owner", quota = 7000, window = "day" }]
"""
)


def test_the_quota_of_an_owner_is_shown_reset_topped_up_and_told_of(
    operator: Operator, file: Path, clients: Clients
) -> None:
    file.write_text(SHARED)
    operator.json("plans", "apply")
    for _ in range(2):
        operator.json("keys", "create", "--owner", "acme #1", "--plan", "shared")
    spend(clients, "us-east-1", "owner", "acme #1", 30)
    spend(clients, "eu-west-1", "owner", "acme #1", 45)
    assert operator.json("usage", "show", "owner", "acme #1")["charged"] == 75
    assert [row["value"] for row in operator.json("usage", "top", "owner")["top"]] == ["acme #1"]
    (limit,) = operator.json("quota", "show", "owner", "acme #1")["limits"]
    assert (limit["quota"], limit["used"]) == (5000, 75)

    change(file, "quota = 5000", "quota = 60")
    lowered = operator.json("plans", "apply")
    assert lowered["touched"] == {"owner": {"callers": 1, "were_over": 0, "are_over": 1, "behind": 1}}
    assert published(clients, "eu-west-1", "owner", "acme #1") == [45]

    operator.json("quota", "reset", "owner", "acme #1")
    (limit,) = operator.json("quota", "top-up", "owner", "acme #1", "5")["limits"]
    assert (limit["used"], limit["limit"]) == (0, 65)


def test_which_quota_of_an_owner_is_asked_where_there_are_two(operator: Operator, file: Path) -> None:
    file.write_text(SHARED)
    operator.json("plans", "apply")
    nobody = operator.run("quota", "show", "owner", "acme")
    assert (nobody.exit_code, nobody.stderr) == (
        1,
        "Error: acme has no keys: `tallygate keys list` shows those there are\n",
    )
    operator.json("keys", "create", "--owner", "acme", "--plan", "starter")
    alone = operator.run("quota", "show", "owner", "acme")
    assert alone.stderr == "Error: the keys of acme share no quota on starter: `tallygate plans show`\n"
    for plan in ("shared", "other"):
        operator.json("keys", "create", "--owner", "acme", "--plan", plan)
    asked = operator.run("quota", "show", "owner", "acme")
    assert asked.stderr == "Error: which plan? The keys of acme are on other and shared: --plan\n"
    (limit,) = operator.json("quota", "show", "owner", "acme", "--plan", "other")["limits"]
    assert limit["quota"] == 7000
    assert operator.run("usage", "show", "owner", " \n").stderr.startswith("Error: an owner: allowed are 1 to 128")
