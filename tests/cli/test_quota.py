"""What operators do about quotas of a stage deployed to AWS (as moto has it)."""

from pathlib import Path

import pytest
from test_operators import CONFIG, Operator

from tallygate.aws.key_admin import key_admin
from tallygate.aws.quota_store import QuotaStore
from tallygate.aws.tally_table import TallyTable
from tallygate.aws.usage_reader import UsageReader
from tallygate.core import names
from tallygate.core.adjustments import MAX_TOP_UPS, Baseline, TopUp
from tallygate.core.keys import mint, secret_hash
from tallygate.core.names import Kind, pk_of
from tallygate.core.tally import Delta, ItemKey, Update
from tests.stage_tables import NAMES, Clients

TWO_LIMITS = """
[plans.pro]
limits = [{ per = "key", quota = 1000, window = "day" }, { per = "key", quota = 5000, window = "month" }]
"""
ADDRESS = "203.0.113.7"
NOW = 1_795_176_000_000  # 2026-11-20T12:00:00Z
MONTH = "2026-11"


@pytest.fixture
def operator(tmp_path: Path, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Operator:
    monkeypatch.setattr("time.time_ns", lambda: NOW * 1_000_000)
    path = tmp_path / "tallygate.toml"
    path.write_text(CONFIG + TWO_LIMITS)
    operator = Operator(path)
    operator.json("plans", "apply")
    return operator


@pytest.fixture
def key(operator: Operator, clients: Clients) -> str:
    secret = mint("prod", lambda alphabet: alphabet[7])
    admin = key_admin(clients["us-east-1"], NAMES.gate_table, "prod")
    admin.take(secret_hash(secret), {"owner": "acme", "plan": "pro"}, 0)
    return secret


def charge(clients: Clients, home: str, kind: Kind, value: str, units: int, *, sequence: int = 1) -> None:
    """As the consumer of a home counts calls that arrived two seconds ago."""
    key = ItemKey(pk_of(kind, value), names.MONTH_SK + MONTH)
    delta = Delta(units, units, 0, {20: units})
    TallyTable(clients[home], NAMES.tally_table).add(Update(key, "w", sequence, sequence, delta, NOW - 2_000, 2**40))


def test_a_reset_forgives_what_all_homes_counted_and_the_counts_stay(operator: Operator, clients: Clients) -> None:
    charge(clients, "us-east-1", "ip", ADDRESS, 150)
    charge(clients, "eu-west-1", "ip", ADDRESS, 50)
    counted = UsageReader(clients, NAMES.tally_table).show("ip", ADDRESS, MONTH)
    (before,) = operator.json("quota", "show", "ip", f"::ffff:{ADDRESS}")["limits"]
    assert (before["window"], before["used"], before["limit"], before["remaining"]) == ("day", 200, 200, 0)

    (after,) = operator.json("quota", "reset", "ip", ADDRESS)["limits"]
    assert (after["used"], after["limit"], after["remaining"]) == (0, 200, 200)
    assert after["homes"] == {
        "us-east-1": {"counted": 150, "baseline": 150, "used": 0},
        "eu-west-1": {"counted": 50, "baseline": 50, "used": 0},
    }
    assert UsageReader(clients, NAMES.tally_table).show("ip", ADDRESS, MONTH) == counted

    charge(clients, "eu-west-1", "ip", ADDRESS, 7, sequence=2)
    (later,) = operator.json("quota", "show", "ip", ADDRESS)["limits"]
    assert (later["used"], later["remaining"]) == (7, 193)


def test_a_reset_reads_every_home_whatever_region_is_named(operator: Operator, clients: Clients) -> None:
    charge(clients, "eu-west-1", "ip", ADDRESS, 50)
    (limit,) = operator.json("quota", "reset", "ip", ADDRESS, "--region", "us-east-1")["limits"]
    assert limit["homes"]["eu-west-1"]["baseline"] == 50


def test_what_was_counted_when_is_kept_with_the_baseline(operator: Operator, clients: Clients) -> None:
    charge(clients, "us-east-1", "ip", ADDRESS, 50)
    operator.json("quota", "reset", "ip", ADDRESS)
    found = QuotaStore(clients["us-east-1"], NAMES.gate_table).find("ip", ADDRESS)
    assert found.bases == {"day#2026-11-20": {"us-east-1": Baseline(50, NOW - 2_000)}}


def test_all_limits_begin_again_or_the_one_that_is_named(operator: Operator, clients: Clients, key: str) -> None:
    id = operator.json("usage", "show", "key", key)["value"]
    charge(clients, "us-east-1", "key", id, 800)
    day, month = operator.json("quota", "reset", "key", id, "--window", "day")["limits"]
    assert (day["used"], month["used"]) == (0, 800)
    day, month = operator.json("quota", "reset", "key", key)["limits"]
    assert (day["used"], month["used"]) == (0, 0)


def test_a_top_up_extends_the_period_and_its_id_is_used_once(operator: Operator, clients: Clients) -> None:
    charge(clients, "us-east-1", "ip", ADDRESS, 200)
    first = operator.json("quota", "top-up", "ip", ADDRESS, "50", "--id", "order-1")
    assert (first["id"], first["added"]) == ("order-1", 50)
    again = operator.json("quota", "top-up", "ip", ADDRESS, "50", "--id", "order-1")
    assert again == first | {"added": 0}
    (limit,) = operator.json("quota", "top-up", "ip", ADDRESS, "7")["limits"]
    assert (limit["quota"], limit["limit"], limit["used"], limit["remaining"]) == (200, 257, 200, 57)
    assert sorted(limit["top_ups"].values()) == [7, 50]

    taken = operator.run("quota", "top-up", "ip", ADDRESS, "60", "--id", "order-1")
    assert (taken.exit_code, taken.stderr) == (
        1, "Error: --id: order-1 is another top-up, of 50 in day#2026-11-20; give this one an id of its own\n",
    )  # fmt: skip


def test_people_are_told_what_was_done(operator: Operator, clients: Clients, key: str) -> None:
    charge(clients, "us-east-1", "ip", ADDRESS, 1_200)
    reset = operator.run("quota", "reset", "ip", ADDRESS).stdout.splitlines()
    assert reset[0].strip() == f"ip {ADDRESS} on plan anonymous"
    assert reset[2].split() == ["day", "0", "200", "200", "1,200", "1,200", "0", "2026-11-21T00:00Z"]
    assert reset[-1] == "Begun again, by day. Every region knows within seconds."
    assert operator.run("quota", "reset", "key", key).stdout.endswith(
        "Begun again, by day and by month. Every region knows within seconds.\n"
    )
    added = operator.run("quota", "top-up", "ip", ADDRESS, "1000", "--id", "a").stdout.splitlines()
    assert added[2].split() == ["day", "0", "1,200", "1,200", "1,200", "1,200", "1,000", "2026-11-21T00:00Z"]
    assert added[-1] == "Added 1,000 by day as a. Every region knows within seconds."
    assert operator.run("quota", "top-up", "ip", ADDRESS, "1000", "--id", "a").stdout.endswith(
        "Nothing added: a is in already.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "key", "0123456789abcdef"), "there is no key 0123456789abcdef: `tallygate keys list` shows those"),
        (("reset", "key", "invalid"), "there is no quota"),
        (("reset", "ip", "300.1.1.1"), "'300.1.1.1' is no IP address"),
        (("top-up", "ref", "http://localhost:3000/", "5"), "localhost is shared by strangers"),
        (("show", "ref", "shop.example"), "plan anonymous does not limit any ref: `tallygate plans show`"),
        (("reset", "ip", ADDRESS, "--window", "month"), "plan anonymous has no limit by month, but by day"),
        (("reset", "ip", ADDRESS, "--region", "eu-west-1"), "quotas are written only in us-east-1"),
        (("top-up", "ip", ADDRESS, "5", "--region", "eu-west-1"), "quotas are written only in us-east-1"),
    ],
)
def test_what_has_no_quota_is_said_so(operator: Operator, arguments: tuple[str, ...], message: str) -> None:
    result = operator.run("quota", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_top_up_of_two_limits_says_which(operator: Operator, key: str) -> None:
    result = operator.run("quota", "top-up", "key", key, "500")
    assert result.stderr == "Error: which limit? Plan pro has one by day and one by month: --window\n"
    day, month = operator.json("quota", "top-up", "key", key, "500", "--window", "month")["limits"]
    assert (day["limit"], month["limit"]) == (1000, 5500)


def test_without_plans_the_error_says_how_to_apply_them(tmp_path: Path, clients: Clients) -> None:
    path = tmp_path / "tallygate.toml"
    path.write_text(CONFIG)
    result = Operator(path).run("quota", "show", "ip", ADDRESS)
    assert result.exit_code == 1
    assert "`tallygate plans apply`" in result.stderr


@pytest.mark.parametrize("units", ["0", "-5", "many", "1000000001"])
def test_a_top_up_is_a_positive_number(operator: Operator, units: str) -> None:
    assert operator.run("quota", "top-up", "ip", ADDRESS, "--", units).exit_code == 2


def test_an_id_that_is_none_is_a_usage_error(operator: Operator) -> None:
    result = operator.run("quota", "top-up", "ip", ADDRESS, "5", "--id", "order 1138")
    assert result.exit_code == 2
    assert "an id is up to 40 letters, digits" in result.stderr


def test_there_is_an_end_to_top_ups(operator: Operator, clients: Clients) -> None:
    store = QuotaStore(clients["us-east-1"], NAMES.gate_table)
    for number in range(MAX_TOP_UPS):
        store.top_up("ip", ADDRESS, "day", TopUp(f"top-up-{number}", 1), NOW)
    result = operator.run("quota", "top-up", "ip", ADDRESS, "5")
    assert result.exit_code == 1
    assert "has 100 top-ups, and there can be no more" in result.stderr


EVERY_WINDOW = """
[plans.pro]
burst = 20
limits = [
    { per = "key", quota = 30, window = "minute" },
    { per = "key", quota = 100, window = "hour" },
    { per = "key", quota = 1000, window = "day", rolling = true },
    { per = "key", quota = 500, window = "day", soft = true },
]
"""


@pytest.fixture
def on_every_window(tmp_path: Path, operator: Operator) -> Operator:
    path = tmp_path / "tallygate.toml"
    path.write_text(CONFIG + EVERY_WINDOW)
    operator.json("plans", "apply")
    return operator


def charge_hour(clients: Clients, home: str, value: str, units: int) -> None:
    key = ItemKey(pk_of("key", value), "hour#2026-11-20T12")
    TallyTable(clients[home], NAMES.tally_table).add(Update(key, "w", 1, 1, Delta(units, units), NOW - 1_000, 2**40))


def test_hours_have_their_own_counts_and_a_minute_has_none(
    on_every_window: Operator, clients: Clients, key: str
) -> None:
    id = on_every_window.json("usage", "show", "key", key)["value"]
    charge(clients, "us-east-1", "key", id, 800)
    charge_hour(clients, "us-east-1", id, 90)
    charge_hour(clients, "eu-west-1", id, 4)
    minute, hour, day, soft = on_every_window.json("quota", "show", "key", key)["limits"]
    assert minute == {
        "window": "minute", "rolling": False, "soft": False, "quota": 30, "limit": 30, "used": None, "remaining": None,
    }  # fmt: skip
    assert (hour["period"], hour["used"], hour["remaining"]) == ("hour#2026-11-20T12", 94, 6)
    assert hour["reset"] == "2026-11-20T13:00:00.000Z"
    assert (day["rolling"], day["used"], day["of_the_one_before"]) == (True, 800, 0)
    assert (soft["soft"], soft["used"], soft["remaining"]) == (True, 800, 0)

    (_, hour, day, _) = on_every_window.json("quota", "reset", "key", key, "--window", "hour")["limits"]
    assert (hour["used"], day["used"]) == (0, 800)
    (_, hour, _, _) = on_every_window.json("quota", "top-up", "key", key, "7", "--window", "hour")["limits"]
    assert (hour["limit"], hour["remaining"]) == (107, 107)
    shown = on_every_window.run("quota", "show", "key", key).stdout
    assert "rolling day" in shown
    assert "soft day" in shown
    assert "not counted" in shown


def test_a_reset_of_a_rolling_limit_forgives_what_the_window_before_weighs(
    on_every_window: Operator, clients: Clients, key: str
) -> None:
    id = on_every_window.json("usage", "show", "key", key)["value"]
    item = ItemKey(pk_of("key", id), f"month#{MONTH}")
    delta = Delta(1_200, 1_200, 0, {19: 900, 20: 300})
    TallyTable(clients["us-east-1"], NAMES.tally_table).add(Update(item, "w", 1, 1, delta, NOW - 1_000, 2**40))
    (_, _, day, _) = on_every_window.json("quota", "show", "key", key)["limits"]
    assert (day["used"], day["of_the_one_before"], day["remaining"]) == (750, 450, 250)
    (_, _, day, soft) = on_every_window.json("quota", "reset", "key", key)["limits"]
    assert (day["used"], day["of_the_one_before"], day["remaining"], soft["used"]) == (0, 0, 1000, 0)
    found = QuotaStore(clients["us-east-1"], NAMES.gate_table).find("key", id)
    assert {period: bases["us-east-1"].units for period, bases in found.bases.items()} == {
        "day#2026-11-19": 900,
        "day#2026-11-20": 300,
    }


def test_a_quota_by_the_minute_has_nothing_to_reset(tmp_path: Path, operator: Operator, key: str) -> None:
    (tmp_path / "tallygate.toml").write_text(
        CONFIG + '[plans.pro]\nlimits = [{ per = "key", quota = 30, window = "minute" }]\n'
    )
    operator.json("plans", "apply")
    result = operator.run("quota", "top-up", "key", key, "5")
    assert result.stderr == "Error: plan pro limits by the minute only: nobody counts it, and it is soon over\n"
    assert operator.run("quota", "reset", "key", key).stderr == result.stderr
