"""docs/billing.md: its SQL makes invoices of an export."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from test_operators import CONFIG, Operator

from tallygate.aws.key_admin import key_admin
from tallygate.aws.tally_table import TallyTable
from tallygate.core.tally import Delta, ItemKey, Update
from tallygate.core.times import time_ms
from tests.stage_tables import NAMES, Clients

PAGE = Path(__file__).parents[2] / "docs" / "billing.md"
STATEMENTS = [
    statement.strip()
    for block in re.findall(r"^```sql\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    for statement in block.split(";")
    if statement.strip()
]
MORE_PLANS = "".join(
    f'[plans.{plan}]\nlimits = [{{ per = "key", quota = {quota}, window = "month" }}]\n'
    for plan, quota in (("pro", 1_000_000), ("free", 10_000))
)
NOW = time_ms("2026-12-08T12:00:00Z")


class Stage:
    """A stage whose calls are counted, and exported for billing."""

    def __init__(self, operator: Operator, clients: Clients) -> None:
        self._operator, self._clients = operator, clients
        self._admin = key_admin(clients["us-east-1"], NAMES.gate_table, NAMES.stage)

    def key(self, owner: str, plan: str) -> str:
        return self._admin.create({"owner": owner, "plan": plan}, NOW).profile.id

    def move(self, key: str, plan: str) -> None:
        self._operator.json("keys", "set-plan", key, plan)

    def count(self, home: str, key: str, units: int, *, sequence: int = 1) -> None:
        """Calls with a key, from one address, in the region of the home."""
        table = TallyTable(self._clients[home], NAMES.tally_table)
        for pk, sk, charged in (
            (f"key#{key}", "month#2026-11", units),
            ("ip#192.0.2.1", "month#2026-11", 0),
            (f"all#{home}", "hour#2026-11-20T12", units),
        ):
            writer = f"{key}-{sequence}"
            table.add(Update(ItemKey(pk, sk), writer, 1, 1, Delta(units, charged), 1_000, 2**40))

    def export(self, path: str) -> None:
        told = self._operator.json(
            "usage", "export", "--from", "2026-11-01", "--to", "2026-12-01", "--format", "parquet", "--output", path
        )
        assert told["settled"]


@pytest.fixture
def stage(tmp_path: Path, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr("time.time_ns", lambda: NOW * 1_000_000)
    path = tmp_path / "tallygate.toml"
    path.write_text(CONFIG + MORE_PLANS)
    operator = Operator(path)
    operator.json("plans", "apply")
    return Stage(operator, clients)


def test_the_sql_of_the_page_bills_a_month(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second, other = stage.key("acme", "starter"), stage.key("acme", "starter"), stage.key("Zed, Inc.", "pro")
    small, moved, flat = stage.key("small", "starter"), stage.key("moved", "starter"), stage.key("flat", "free")
    stage.count("us-east-1", first, 15_000)
    stage.count("us-east-1", second, 900)
    stage.count("eu-west-1", first, 5_100)
    stage.count("eu-west-1", other, 1_200_000)
    stage.count("eu-west-1", small, 1_000)
    stage.count("eu-west-1", moved, 500)
    stage.count("eu-west-1", flat, 7_000)
    stage.export("billed.parquet")
    stage.move(moved, "pro")
    stage.count("us-east-1", moved, 3, sequence=2)
    stage.count("us-east-1", second, 100, sequence=2)
    stage.export("usage.parquet")

    answers: list[list[Any]] = []
    with duckdb.connect() as database:
        for statement in STATEMENTS:
            answer = database.execute(statement)
            if statement.startswith("INSERT INTO prices"):
                database.execute("INSERT INTO prices VALUES ('free', 5.00, 100)")  # and no tier beyond them
            if statement.startswith("SELECT"):
                answers.append(answer.fetchall())
    used, adds_up, invoices, unpriced, late = answers
    assert used == [
        ("Zed, Inc.", "pro", 1_200_000, 0, 1),
        ("acme", "starter", 21_100, 0, 2),
        ("flat", "free", 7_000, 0, 1),
        ("small", "starter", 1_000, 0, 1),
        ("moved", "pro", 503, 0, 1),
    ]
    assert adds_up == [(1_229_603, 1_229_603)]
    assert invoices == [
        # 1,000,000 at 0.001 and 100,000 at 0.0005
        ("Zed, Inc.", "pro", 1_200_000, 1_100_000, Decimal("49.00"), Decimal("1050.00"), Decimal("1099.00")),
        # 10,000 at 0.004 and 10,100 at 0.002
        ("acme", "starter", 21_100, 20_100, Decimal("10.00"), Decimal("60.20"), Decimal("70.20")),
        ("flat", "free", 7_000, 6_900, Decimal("5.00"), Decimal("0.00"), Decimal("5.00")),
        ("moved", "pro", 503, 0, Decimal("49.00"), Decimal("0.00"), Decimal("49.00")),
        ("small", "starter", 1_000, 0, Decimal("10.00"), Decimal("0.00"), Decimal("10.00")),
    ]
    assert unpriced == []
    assert late == [("acme", "starter", 100), ("moved", "pro", 503), ("moved", "starter", -500)]
