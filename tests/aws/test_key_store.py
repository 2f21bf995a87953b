"""Keys in the gate: written once, changed as one, listed page by page, and without the secret."""

import base64
import json
import random
from dataclasses import replace
from typing import Any

import pytest

from tallygate.aws.audit_log import AuditLog
from tallygate.aws.audit_trail import AuditTrail
from tallygate.aws.key_reader import InvalidCursorError
from tallygate.aws.key_store import KeyStore
from tallygate.core.audit import Change
from tallygate.core.key_admin import (
    ATTEMPTS,
    BusyError,
    Edit,
    KeyAdmin,
    KeyExistsError,
    KeyStateError,
    StaleError,
    TokenUsedError,
    UnknownKeyError,
    UnknownPlanError,
)
from tallygate.core.key_profile import KeyProfile
from tallygate.core.keys import key_id, secret_hash, stage_of
from tests.stage_tables import NAMES, Clients

NOW = 1_795_000_000_123  # 2026-11-18T11:06:40.123Z
HOUR = 3_600_000
FIELDS = {"owner": "acme", "plan": "starter"}
WHO = "arn:aws:iam::123456789012:user/ada"


@pytest.fixture
def trail(clients: Clients) -> AuditTrail:
    return AuditTrail(clients["us-east-1"], NAMES.tally_table)


@pytest.fixture
def store(clients: Clients) -> KeyStore:
    return KeyStore(clients["us-east-1"], NAMES.gate_table, AuditLog(NAMES.tally_table, WHO))


@pytest.fixture
def admin(store: KeyStore) -> KeyAdmin:
    return admin_of(store)


def admin_of(keys: Any, seed: int = 1) -> KeyAdmin:
    return KeyAdmin(keys, lambda: ["pro", "starter"], "prod", random.Random(seed).choice)


def recorded(trail: AuditTrail, subject: str | None = None) -> list[tuple[str, Any, Any]]:
    entries = trail.entries(["2026-11"], subject=subject)
    assert {entry.who for entry in entries} <= {WHO}
    changes = (entry.change for entry in trail.entries(["2026-11"], subject=subject))
    return [(change.action, change.before, change.after) for change in changes]


def test_a_key_is_stored_by_id_and_hash_and_without_its_secret(admin: KeyAdmin, clients: Clients) -> None:
    fields = {
        **FIELDS,
        "expires_ms": NOW + HOUR,
        "note": "first",
        "referers": ("*.shop.example", "shop.example"),
        "addresses": ("203.0.113.0/24",),
    }
    secret, profile = admin.create(fields, NOW)
    assert stage_of(secret) == "prod"
    (row,) = clients["us-east-1"].scan(TableName=NAMES.gate_table)["Items"]
    assert row == {
        "pk": {"S": f"key#{key_id(secret)}"},
        "sk": {"S": "profile"},
        "hash": {"S": secret_hash(secret)},
        "plan": {"S": "starter"},
        "owner": {"S": "acme"},
        "status": {"S": "active"},
        "created": {"S": "2026-11-18T11:06:40.123Z"},
        "expires": {"N": str(NOW + HOUR)},
        "note": {"S": "first"},
        "refs": {"SS": ["*.shop.example", "shop.example"]},
        "nets": {"SS": ["203.0.113.0/24"]},
    }
    everything = [
        clients["us-east-1"].scan(TableName=table)["Items"] for table in (NAMES.gate_table, NAMES.tally_table)
    ]
    assert secret[-36:] not in json.dumps(everything)
    assert secret_hash(secret) not in json.dumps(everything[1])
    assert admin.keys.find(profile.id) == (profile, secret_hash(secret))


def test_a_key_that_is_there_is_not_overwritten(admin: KeyAdmin, store: KeyStore) -> None:
    secret, profile = admin.create(FIELDS, NOW)
    twin = admin_of(store)  # draws the same secret
    with pytest.raises(KeyExistsError, match=profile.id):
        twin.create({"owner": "mallory", "plan": "pro"}, NOW)
    assert store.find(profile.id) == (profile, secret_hash(secret))


def test_every_change_is_recorded_with_who_made_it_and_what_was_before(admin: KeyAdmin, trail: AuditTrail) -> None:
    id = admin.create(FIELDS, NOW).profile.id
    admin.change(id, {"plan": "pro", "note": "vip"}, NOW + 1)
    admin.change(id, {"plan": "pro"}, NOW + 2)  # changes nothing
    admin.revoke(id, NOW + 3)
    admin.revoke(id, NOW + 4)  # nor does this
    created, changed, revoked = recorded(trail)
    assert created[:2] == ("key.create", None)
    assert (created[2]["owner"], created[2]["plan"], created[2]["status"]) == ("acme", "starter", "active")
    assert changed == ("key.change", {"plan": "starter", "note": None}, {"plan": "pro", "note": "vip"})
    assert revoked == ("key.revoke", {"status": "active"}, {"status": "revoked"})
    assert recorded(trail, "key#0000000000000000") == []


def test_a_change_and_its_record_are_both_there_or_neither(clients: Clients, admin: KeyAdmin) -> None:
    id = admin.create(FIELDS, NOW).profile.id
    clients["us-east-1"].delete_table(TableName=NAMES.tally_table)
    with pytest.raises(Exception, match="ResourceNotFound"):
        admin.revoke(id, NOW)
    stored = admin.keys.find(id)
    assert stored is not None
    assert stored.profile.status == "active"


def test_a_request_with_a_token_is_carried_out_once_a_day(admin: KeyAdmin, clients: Clients) -> None:
    made = admin.create(FIELDS, NOW, "order-1").profile
    with pytest.raises(TokenUsedError) as again:
        admin.create({**FIELDS, "owner": "another"}, NOW + 1000, "order-1")
    assert again.value.id == made.id
    assert admin.create(FIELDS, NOW + 25 * HOUR, "order-1").profile.id != made.id
    other = AuditLog(NAMES.tally_table, "arn:aws:iam::123456789012:user/bob")
    admin_of(KeyStore(clients["us-east-1"], NAMES.gate_table, other), seed=2).create(FIELDS, NOW, "order-1")


def test_a_rotated_key_hands_over_all_but_its_secret(admin: KeyAdmin, trail: AuditTrail) -> None:
    first = admin.create({**FIELDS, "note": "n", "referers": ("shop.example",), "expires_ms": NOW + 99 * HOUR}, NOW)
    secret, second, ended = admin.rotate(first.profile.id, 24 * HOUR, NOW + HOUR)
    assert secret != first.secret
    assert second == replace(
        first.profile,
        id=key_id(secret),
        created="2026-11-18T12:06:40.123Z",
        rotated_from=first.profile.id,
        counted_as=first.profile.id,
    )
    assert (ended.expires_ms, ended.rotated_to, ended.status) == (NOW + 25 * HOUR, second.id, "active")
    assert admin.keys.find(first.profile.id) == (ended, secret_hash(first.secret))
    third = admin.rotate(second.id, 0, NOW + 2 * HOUR)
    assert third.profile.counted_as == first.profile.id, "a line of rotations is counted as its first"
    assert third.predecessor.state(NOW + 2 * HOUR) == "expired"
    assert [action for action, _, _ in recorded(trail, f"key#{second.id}")] == ["key.create", "key.rotate"]


def test_an_overlap_makes_no_key_good_for_longer(admin: KeyAdmin) -> None:
    id = admin.create({**FIELDS, "expires_ms": NOW + HOUR}, NOW).profile.id
    assert admin.rotate(id, 24 * HOUR, NOW).predecessor.expires_ms == NOW + HOUR


def test_a_line_of_rotations_does_not_branch(admin: KeyAdmin) -> None:
    id = admin.create(FIELDS, NOW).profile.id
    successor = admin.rotate(id, HOUR, NOW).profile.id
    with pytest.raises(KeyStateError, match=f"rotated to {successor}"):
        admin.rotate(id, HOUR, NOW)


def test_what_is_not_good_any_more_is_not_rotated_and_what_is_revoked_not_changed(admin: KeyAdmin) -> None:
    expired = admin.create({**FIELDS, "expires_ms": NOW + HOUR}, NOW).profile.id
    revoked = admin.revoke(admin.create(FIELDS, NOW).profile.id, NOW).id
    for id in (expired, revoked):
        with pytest.raises(KeyStateError):
            admin.rotate(id, HOUR, NOW + HOUR)
    with pytest.raises(KeyStateError):
        admin.change(revoked, {"plan": "pro"}, NOW)
    assert admin.change(expired, {"expires_ms": None}, NOW + HOUR).state(NOW + HOUR) == "active"


def test_what_is_not_there_is_named_and_not_made(admin: KeyAdmin, store: KeyStore) -> None:
    for attempt in (
        lambda: admin.revoke("0123456789abcdef", NOW),
        lambda: admin.rotate("0123456789abcdef", 0, NOW),
        lambda: admin.change("0123456789abcdef", {"plan": "pro"}, NOW),
    ):
        with pytest.raises(UnknownKeyError, match="0123456789abcdef"):
            attempt()
    with pytest.raises(UnknownPlanError, match="plans for keys are pro, starter"):
        admin.create({**FIELDS, "plan": "gold"}, NOW)
    assert list(store.profiles()) == []


class Meanwhile:
    """Keys between whose reads and writes somebody else changes them."""

    def __init__(self, keys: KeyStore, change: Any, times: int) -> None:
        self._keys, self._change, self.times = keys, change, times

    def find(self, id: str) -> Any:
        found = self._keys.find(id)
        if self.times:
            self.times -= 1
            self._change()
        return found

    def write(self, edit: Edit, now_ms: int) -> None:
        self._keys.write(edit, now_ms)


def test_of_two_changes_at_the_same_time_none_is_lost(admin: KeyAdmin, store: KeyStore) -> None:
    id = admin.create(FIELDS, NOW).profile.id
    others: Any = Meanwhile(store, lambda: admin.change(id, {"note": "theirs"}, NOW), 1)
    assert (admin_of(others).change(id, {"plan": "pro"}, NOW).plan, others.times) == ("pro", 0)
    stored = store.find(id)
    assert stored is not None
    assert (stored.profile.plan, stored.profile.note, stored.profile.revision) == ("pro", "theirs", 2)


def test_a_key_revoked_at_the_same_time_is_not_rotated(admin: KeyAdmin, store: KeyStore) -> None:
    id = admin.create(FIELDS, NOW).profile.id
    others: Any = Meanwhile(store, lambda: admin.revoke(id, NOW), 1)
    with pytest.raises(KeyStateError, match="revoked"):
        admin_of(others, seed=3).rotate(id, HOUR, NOW)
    assert [profile.id for profile in store.profiles()] == [id]


def test_who_is_never_alone_gives_up(admin: KeyAdmin, store: KeyStore) -> None:
    id = admin.create(FIELDS, NOW).profile.id
    numbers = iter(range(99))
    others: Any = Meanwhile(store, lambda: admin.change(id, {"note": f"{next(numbers)}"}, NOW), 99)
    with pytest.raises(BusyError):
        admin_of(others).change(id, {"plan": "pro"}, NOW)
    assert others.times == 99 - ATTEMPTS


def test_a_profile_that_was_read_before_a_change_is_not_written(admin: KeyAdmin, store: KeyStore) -> None:
    profile = admin.create(FIELDS, NOW).profile
    admin.change(profile.id, {"note": "x"}, NOW)
    with pytest.raises(StaleError):
        store.write(
            Edit((Change("key.change", "key#", None, None),), changed=(profile, replace(profile, plan="pro"))), NOW
        )


def test_keys_taken_over_twice_are_kept_as_they_are(admin: KeyAdmin, trail: AuditTrail) -> None:
    secret = admin_of(admin.keys, seed=5).create(FIELDS, NOW).secret
    hash = secret_hash(admin_of(None, seed=6).choice("x") + secret)
    assert admin.take(hash, {**FIELDS, "note": "old"}, NOW, dry_run=True) == "taken"
    assert admin.keys.find(hash[:16]) is None
    assert [admin.take(hash, {**FIELDS, "note": note}, NOW) for note in ("old", "new")] == ["taken", "kept"]
    stored = admin.keys.find(hash[:16])
    assert stored is not None
    assert (stored.hash, stored.profile.note) == (hash, "old")
    with pytest.raises(KeyExistsError):
        admin.take(hash[:16] + "0" * 48, FIELDS, NOW)
    assert [action for action, _, _ in recorded(trail, f"key#{hash[:16]}")] == ["key.import"]


def listed(store: KeyStore, most: int, **asked: Any) -> list[list[str]]:
    """Ids page by page."""
    pages, cursor = [], None
    while True:
        page = store.page(most, cursor, **asked)
        pages.append([profile.id for profile in page.profiles])
        cursor = page.cursor
        if cursor is None:
            return pages


def test_pages_together_are_all_keys_and_nothing_else(admin: KeyAdmin, store: KeyStore, clients: Clients) -> None:
    made: list[KeyProfile] = [
        admin.create({"owner": f"owner-{number % 3}", "plan": "pro" if number % 2 else "starter"}, NOW).profile
        for number in range(10)
    ]
    clients["us-east-1"].put_item(TableName=NAMES.gate_table, Item={"pk": {"S": "plans"}, "sk": {"S": "pro"}})
    for most in (1, 3, 5, 10, 11):
        pages = listed(store, most)
        assert [len(page) for page in pages[:-1]] == [most] * (len(pages) - 1)
        assert sorted(id for page in pages for id in page) == sorted(profile.id for profile in made)
    of_owner = [profile.id for profile in made if profile.owner == "owner-1" and profile.plan == "pro"]
    pages = listed(store, 1, owner="owner-1", wanted=lambda profile: profile.plan == "pro")
    assert sorted(id for page in pages for id in page) == sorted(of_owner)


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "e30",
        "WyJwbGFucyIsInBybyIsImEiXQ",
        "\u00e9",
        "W10",
        _cursor("[" * 5_000),
        _cursor('["0123456789abcdef","profile","acme"]'),
        _cursor('["key#","profile","acme"]'),
        _cursor(f'["key#{"a" * 3_000}","profile","acme"]'),
        _cursor(f'["key#0123456789abcdef","profile","{"a" * 3_000}"]'),
        _cursor(r'["key#0123456789abcdef","profile","\ud800"]'),
        _cursor('["key#0123456789abcdef","profile",["acme"]]'),
        _cursor('["key#0123456789abcdef","month#2026-11","acme"]'),
    ],
)
def test_a_cursor_that_is_none_is_refused(store: KeyStore, cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        store.page(1, cursor)


def test_a_cursor_of_another_owner_is_refused(admin: KeyAdmin, store: KeyStore) -> None:
    for _ in range(2):
        admin.create(FIELDS, NOW)
    cursor = store.page(1, owner="acme").cursor
    assert cursor is not None
    with pytest.raises(InvalidCursorError, match="another owner"):
        store.page(1, cursor, owner="beta")
