"""A service whose calls were counted by the real core, in the tables that moto has."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tallygate.aws.gate_table import GateTable
from tallygate.aws.plan_store import PlanStore
from tallygate.aws.tally_table import TallyTable
from tallygate.core.counting import Counting, CountingSettings, Flush
from tallygate.core.fold import Fold
from tallygate.core.lines import UsageLine
from tallygate.core.names import Kind
from tallygate.core.plans import Limit, Plan
from tallygate.core.retention import Retention
from tallygate.operations.operations import Operations
from tallygate.operations.service import Service
from tests.stage_tables import HOMES, NAMES, Clients

NOW = 1_795_176_000_123  # 2026-11-20T12:00:00.123Z
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")
PLANS = (
    Plan("free", (Limit("ip", 100, "day"), Limit("ref", 1_000, "day")), anonymous=True),
    Plan("pro", (Limit("key", 10, "hour", rolling=True), Limit("key", 50, "day"), Limit("key", 40, "day", soft=True))),
    Plan("team", (Limit("owner", 30, "day"), Limit("key", 20, "day"), Limit("key", 5, "minute"))),
)


class Counted:
    """Counts lines as the consumers of the homes do, and answers questions of them."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.lines: list[tuple[str, UsageLine]] = []
        self.gate = clients[HOMES[0]]
        self.operations = Operations(clients, self.gate, {}, {}, Service(NAMES, REGIONS, Retention(24, 400)))
        self._sequence = 0

    def apply(self, plans: Sequence[Plan] = PLANS) -> None:
        """Put plans in force."""
        PlanStore(self.gate, NAMES.gate_table).apply(plans)

    def count(self, home: str, *lines: UsageLine) -> None:
        """Count a batch, which arrived half a second after its last call."""
        self.lines += [(home, line) for line in lines]
        self._sequence += 1
        arrived_ms = max(line.timestamp_ms for line in lines) + 500
        fold = Fold()
        fold.add(self._sequence, arrived_ms, lines, 9 * 86_400)
        settings = CountingSettings(home, len(HOMES), "marks", 9 * 86_400)
        tally, gate = TallyTable(self.clients[home], NAMES.tally_table), GateTable(self.gate, NAMES.gate_table)
        counting = Counting(settings, tally, gate, lambda: ["0.1"])
        counting.count(fold, Flush("0.1", self._sequence, arrived_ms, 5_000, 500))


def call(
    at_ms: int = NOW - 1_000,
    *,
    ip: str = "203.0.113.7",
    ref: str | None = None,
    key: str | None = None,
    owner: str | None = None,
    units: int = 1,
    region: str = "us-east-1",
    denied: bool = False,
    caps: Mapping[Kind, Mapping[Any, int]] | None = None,
) -> UsageLine:
    """A call that is charged to its key and owner, or else to its address and site."""
    charge: tuple[Kind, ...] = ("key",) if key else ("ip",)
    charge += (("owner",) if owner else ()) if key else (("ref",) if ref else ())
    return UsageLine(
        f"q{at_ms}",
        at_ms,
        "us-east-1",
        region,
        ip,
        ref,
        key,
        0 if denied else units,
        429 if denied else 200,
        charge,
        caps or {},  # type: ignore[arg-type]
        verdict="quota" if denied else None,
        owner=owner,
    )


@pytest.fixture
def counted(clients: Clients) -> Counted:
    return Counted(clients)
