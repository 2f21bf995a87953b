"""The largest of a month and of a day are the largest, with the limits that hold them now."""

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.aws.key_admin import key_admin
from tallygate.aws.quota_store import QuotaStore
from tallygate.aws.usage_reader import Top, Usage, UsageReader
from tallygate.core.adjustments import Baseline, TopUp
from tallygate.core.history import InvalidParameterError
from tallygate.core.ranks import LEAST_RANK
from tallygate.core.tally import TallyItem
from tallygate.operations.errors import UnreachableError
from tests.operations.counted import DAY_MS, HOUR_MS, NOW, Counted, call
from tests.stage_tables import HOMES, NAMES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

VIRGINIA, IRELAND = HOMES


def top(counted: Counted, **query: str) -> dict[str, Any]:
    return json.loads(json.dumps(counted.operations.top(query, NOW)))  # type: ignore[no-any-return]


def values(document: dict[str, Any]) -> list[str]:
    return [row["value"] for row in document["top"]]


def test_a_month_and_a_day_have_their_own_largest(counted: Counted) -> None:
    for number, (yesterday, today) in enumerate(((90, 10), (30, 20), (10, 25))):
        address = f"192.0.2.{number}"
        counted.count(VIRGINIA, call(NOW - DAY_MS, ip=address, units=yesterday), call(ip=address, units=today))
    counted.count(IRELAND, *(call(NOW - number, ip="192.0.2.2", denied=True) for number in range(9)))
    month = top(counted, kind="ip")
    assert (month["period"], month["complete"], values(month)) == (
        "2026-11",
        True,
        ["192.0.2.0", "192.0.2.1", "192.0.2.2"],
    )
    day = top(counted, kind="ip", period="2026-11-20")
    assert (day["period"], values(day)) == ("2026-11-20", ["192.0.2.2", "192.0.2.1"])
    assert day["top"][0]["by"] == {
        VIRGINIA: {"admitted": 25, "charged": 25, "denied": 0},
        IRELAND: {"admitted": 0, "charged": 0, "denied": 9},
    }
    assert (day["top"][0]["admitted"], day["top"][0]["denied"]) == (25, 9)
    assert values(top(counted, kind="ip", period="2026-11-19", limit="1")) == ["192.0.2.0"]
    assert values(top(counted, kind="ref")) == []


def test_who_is_not_certainly_among_the_largest_of_a_day_is_left_out(counted: Counted) -> None:
    """Ten calls today; nobody in no ranking can have made more than seven in each home."""
    counted.count(VIRGINIA, call(NOW - DAY_MS, units=90), call(units=10))
    assert top(counted, kind="ip", period="2026-11-20")["top"] == []
    counted.count(VIRGINIA, call(units=5))
    assert values(top(counted, kind="ip", period="2026-11-20")) == ["203.0.113.7"]


def test_limits_are_those_that_hold_now_with_what_is_used_of_them(counted: Counted) -> None:
    counted.apply()
    admin = key_admin(counted.gate, NAMES.gate_table, "prod")
    _, profile = admin.create({"owner": "acme", "plan": "pro"}, NOW - 3 * DAY_MS)
    store = QuotaStore(counted.gate, NAMES.gate_table)
    store.top_up("key", profile.id, "day", TopUp("goodwill", 5), NOW)
    caps: Any = {"key": {"hour": 10, "day": 50}}
    counted.count(VIRGINIA, call(NOW - HOUR_MS, key=profile.id, units=20, caps=caps))
    counted.count(IRELAND, call(NOW, key=profile.id, units=3, caps=caps))
    store.reset("key", profile.id, {"day#2026-11-20": {VIRGINIA: Baseline(6, 0)}}, NOW)
    (row,) = top(counted, kind="key")["top"]
    assert row["limits"] == [
        {"policy": "key-hour", "window": "hour", "limit": 10, "used": 22, "resets": "2026-11-20T14:00:00.000Z"},
        {"policy": "key-day", "window": "day", "limit": 55, "used": 17, "resets": "2026-11-21T00:00:00.000Z"},
        {"policy": "key-day-soft", "window": "day", "limit": 45, "used": 17, "resets": "2026-11-21T00:00:00.000Z"},
    ]
    assert top(counted, kind="key", period="2026-11-19")["top"] == []
    (_, rotated, _) = admin.rotate(profile.id, DAY_MS, NOW)
    admin.change(rotated.id, {"plan": "team"}, NOW)
    (row,) = top(counted, kind="key")["top"]
    assert [limit["policy"] for limit in row["limits"]] == ["key-day"], "the plan of the key that took over"


def test_what_is_over_has_no_limits_and_strangers_share_none(counted: Counted) -> None:
    counted.apply()
    key = "9f2c9f2c9f2c9f2c"
    counted.count(VIRGINIA, call(NOW - 20 * DAY_MS, key=key, units=40), call(ref="localhost", units=50))
    assert [(row["value"], len(row["limits"])) for row in top(counted, kind="ref")["top"]] == [("localhost", 0)]
    (row,) = top(counted, kind="key", period="2026-10")["top"]
    assert (row["value"], row["limits"]) == (key, [])


def test_a_month_that_is_not_kept_has_no_largest(counted: Counted) -> None:
    """Items are deleted within days of their expiry: some may be there yet."""
    counted.count(VIRGINIA, call(NOW - 20 * DAY_MS, units=40))
    for kind, period, kept in (
        ("ip", "2026-10", "2026-11"),
        ("ref", "2026-10-31", "2026-11"),
        ("key", "2025-09", "2025-10"),
    ):
        with pytest.raises(InvalidParameterError, match=f"{kept} or later") as refused:
            top(counted, kind=kind, period=period)
        assert refused.value.parameter == "period"
    assert top(counted, kind="key", period="2025-10")["top"] == []


def test_owners_have_the_limit_that_their_keys_share(counted: Counted) -> None:
    counted.apply()
    admin = key_admin(counted.gate, NAMES.gate_table, "prod")
    _, profile = admin.create({"owner": "acme", "plan": "team"}, 0)
    counted.count(VIRGINIA, call(key=profile.id, owner="acme", units=20))
    (row,) = top(counted, kind="owner")["top"]
    assert [(limit["policy"], limit["used"]) for limit in row["limits"]] == [("owner-day", 20)]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({}, "kind"),
        ({"kind": "all"}, "kind"),
        ({"kind": "ip", "limit": "101"}, "limit"),
        ({"kind": "ip", "period": "2026"}, "period"),
        ({"kind": "ip", "period": "2026-13"}, "period"),
        ({"kind": "ip", "period": "2026-11-31"}, "period"),
        ({"kind": "ip", "period": "2026-12"}, "period"),
        ({"kind": "ip", "from": "2026-11-01"}, "from"),
    ],
)
def test_what_is_no_question_is_refused(counted: Counted, query: dict[str, str], parameter: str) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        counted.operations.top(query, NOW)
    assert refused.value.parameter == parameter


class Fixed(UsageReader):
    """A ranking of fixed counts: of the month, and of one of its days."""

    def __init__(self, counts: dict[str, tuple[int, int]]) -> None:
        super().__init__({"home": cast("DynamoDBClient", None)}, "")
        self._counts = counts
        self.read = 0

    def _rankings(self, kind: str, month: str) -> list[Any]:
        return [_Fixed(sorted(((sum(days), value) for value, days in self._counts.items()), reverse=True))]

    def _exact(self, kind: Any, values: Any, month: str) -> list[Usage]:
        found = []
        for value in values:
            self.read += 1
            first, second = self._counts[value]
            item = TallyItem(first + second, first + second, 0, {1: first, 2: second})
            found.append(Usage(kind, value, month, {"home": item}))
        return found


class _Fixed:
    def __init__(self, rows: list[tuple[int, str]]) -> None:
        self._rows = [row for row in rows if row[0] >= LEAST_RANK]

    @property
    def is_read(self) -> bool:
        return not self._rows

    @property
    def most_unread(self) -> int:
        return self._rows[0][0] if self._rows else LEAST_RANK - 1

    def take(self, most: int) -> list[str]:
        taken, self._rows = self._rows[:most], self._rows[most:]
        return [value for _, value in taken]


counts = st.dictionaries(
    st.integers(0, 300).map(str), st.tuples(st.integers(0, 60), st.integers(0, 60) | st.integers(0, 5)), max_size=200
)


@given(counts, st.integers(1, 10), st.integers(0, 250))
def test_a_day_is_complete_or_says_that_it_may_not_be(
    counts: dict[str, tuple[int, int]], limit: int, most_read: int
) -> None:
    reader = Fixed(counts)
    found: Top = reader.top_of_day("ip", "2026-11", 2, limit, most_read)
    assert [usage.counted for usage in found.usages] == sorted((u.counted for u in found.usages), reverse=True)
    assert all(usage.counted == counts[usage.value][1] for usage in found.usages)
    assert reader.read <= most_read + 50 + limit
    largest = sorted((second for _, second in counts.values()), reverse=True)[:limit]
    certain = [second for second in largest if second >= LEAST_RANK]
    if found.complete:
        assert [usage.counted for usage in found.usages][: len(certain)] == certain
    if most_read == 250:
        assert found.complete


def test_a_home_that_cannot_be_read_is_named(counted: Counted) -> None:
    counted.clients[IRELAND].delete_table(TableName=NAMES.tally_table)
    with pytest.raises(UnreachableError, match="the tally in eu-west-1"):
        counted.operations.top({"kind": "ip"}, NOW)
