"""Owners are found by a part of their name, each once whatever the pages, and told with what their keys used."""

import json
from typing import Any

import pytest

from tallygate.aws import owner_index
from tallygate.aws.key_admin import key_admin
from tallygate.core.history import InvalidParameterError
from tallygate.core.key_admin import KeyAdmin
from tallygate.operations.errors import UnknownOwnerError
from tests.operations.counted import DAY_MS, NOW, Counted, call
from tests.stage_tables import HOMES, NAMES

VIRGINIA, IRELAND = HOMES


@pytest.fixture
def admin(counted: Counted) -> KeyAdmin:
    counted.apply()
    return key_admin(counted.gate, NAMES.gate_table, "prod")


def create(admin: KeyAdmin, owner: str, count: int = 1) -> list[str]:
    return [admin.create({"owner": owner, "plan": "pro"}, NOW - DAY_MS)[1].id for _ in range(count)]


def search(counted: Counted, **query: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    cursor: dict[str, str] = {}
    for _ in range(40):
        page = counted.operations.owners({**query, **cursor}, NOW)
        assert len(page["owners"]) <= int(query.get("limit", 50))
        found += [(row["owner"], row["keys"]) for row in page["owners"]]
        if page["cursor"] is None:
            return sorted(found)
        cursor = {"cursor": page["cursor"]}
    raise AssertionError("the pages have no end")


@pytest.mark.parametrize("rows", [1, 2, 3, 500])
def test_each_owner_is_found_once_with_all_its_keys(
    counted: Counted, admin: KeyAdmin, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(owner_index, "ROWS", rows)
    for owner, count in (("Acme", 3), ("acme.example", 1), ("globex", 2), ("Bücher & Co", 1)):
        create(admin, owner, count)
    create(admin, "Acme")
    everybody = [("Acme", 4), ("Bücher & Co", 1), ("acme.example", 1), ("globex", 2)]
    for limit in ("1", "2", "200"):
        assert search(counted, limit=limit) == everybody
        assert search(counted, limit=limit, q="ACME") == [("Acme", 4), ("acme.example", 1)]
    assert search(counted, q="BÜCHER") == [("Bücher & Co", 1)]
    assert search(counted, q="initech") == []


def test_a_page_that_looked_at_enough_keys_leads_on(
    counted: Counted, admin: KeyAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner_index, "ROWS", 2)
    monkeypatch.setattr(owner_index, "MAX_LOOKED_AT", 2)
    for number in range(7):
        create(admin, f"owner-{number}")
    page = counted.operations.owners({"q": "owner-"}, NOW)
    assert (len(page["owners"]), page["cursor"] is None) == (2, False)
    assert [owner for owner, _ in search(counted, q="owner-6")] == ["owner-6"]


def test_an_owner_is_told_with_what_each_key_used(counted: Counted, admin: KeyAdmin) -> None:
    first, other = create(admin, "acme", 2)
    _, rotated, _ = admin.rotate(first, DAY_MS, NOW)
    create(admin, "globex")
    counted.count(VIRGINIA, call(key=first, owner="acme", units=5), call(key=first, owner="acme", denied=True))
    counted.count(IRELAND, call(key=other, owner="acme", units=2))
    document: dict[str, Any] = json.loads(json.dumps(counted.operations.owner("acme", {}, NOW)))
    assert (document["owner"], document["month"], document["cursor"]) == ("acme", "2026-11", None)
    used = {key["id"]: (key["admitted"], key["charged"], key["denied"]) for key in document["keys"]}
    assert used == {first: (5, 5, 1), rotated.id: (5, 5, 1), other: (2, 2, 0)}
    assert document["total"] == document["own"] == {"admitted": 7, "charged": 7, "denied": 1}
    assert {key["status"] for key in document["keys"]} == {"active"}
    assert "hash" not in json.dumps(document)


def test_keys_come_page_by_page(counted: Counted, admin: KeyAdmin) -> None:
    ids = set(create(admin, "acme", 5))
    first = counted.operations.owner("acme", {"limit": "3"}, NOW)
    assert first["cursor"] is not None
    rest = counted.operations.owner("acme", {"limit": "3", "cursor": first["cursor"]}, NOW)
    assert ({key["id"] for page in (first, rest) for key in page["keys"]}, rest["cursor"]) == (ids, None)
    assert rest["own"] is None


@pytest.mark.parametrize("name", ["initech", "", "x" * 3_000])
def test_nobody_is_nobody(counted: Counted, admin: KeyAdmin, name: str) -> None:
    with pytest.raises(UnknownOwnerError):
        counted.operations.owner(name, {}, NOW)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [({"limit": "201"}, "limit"), ({"cursor": "x"}, "cursor"), ({"q": "x" * 129}, "q"), ({"owner": "acme"}, "owner")],
)
def test_what_is_no_question_is_refused(counted: Counted, query: dict[str, str], parameter: str) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        counted.operations.owners(query, NOW)
    assert refused.value.parameter == parameter
