"""Key profiles: written once, never overwritten, and without the secret."""

import json
import random

import pytest

from tallygate.aws.key_store import ACTIVE, REVOKED, KeyExistsError, KeyProfile, KeyStore, UnknownKeyError
from tallygate.core.keys import key_id, mint, secret_hash
from tests.stage_tables import NAMES, Clients

SECRET = mint("prod", random.Random(1).choice)
NOW_MS = 1_795_000_000_123


@pytest.fixture
def store(clients: Clients) -> KeyStore:
    return KeyStore(clients["us-east-1"], NAMES.gate_table)


def test_a_key_is_stored_by_id_and_hash_and_without_its_secret(store: KeyStore, clients: Clients) -> None:
    profile = store.create(SECRET, owner="acme", plan="starter", now_ms=NOW_MS, expires_ms=NOW_MS + 1, note="first")
    assert profile == KeyProfile(
        key_id(SECRET), "acme", "starter", ACTIVE, "2026-11-18T11:06:40.123Z", NOW_MS + 1, "first"
    )
    (row,) = clients["us-east-1"].scan(TableName=NAMES.gate_table)["Items"]
    assert row == {
        "pk": {"S": f"key#{key_id(SECRET)}"},
        "sk": {"S": "profile"},
        "hash": {"S": secret_hash(SECRET)},
        "plan": {"S": "starter"},
        "owner": {"S": "acme"},
        "status": {"S": "active"},
        "created": {"S": "2026-11-18T11:06:40.123Z"},
        "expires": {"N": str(NOW_MS + 1)},
        "note": {"S": "first"},
    }
    assert SECRET[-36:] not in json.dumps(row)


def test_a_profile_that_is_there_is_not_overwritten(store: KeyStore) -> None:
    store.create(SECRET, owner="acme", plan="starter", now_ms=NOW_MS)
    store.revoke(key_id(SECRET))
    with pytest.raises(KeyExistsError, match=key_id(SECRET)):
        store.create(SECRET, owner="mallory", plan="pro", now_ms=NOW_MS)
    found = store.find(key_id(SECRET))
    assert found is not None
    assert (found.owner, found.plan, found.status) == ("acme", "starter", REVOKED)


def test_keys_are_listed_by_owner_or_all_and_nothing_else_is(store: KeyStore, clients: Clients) -> None:
    made = {
        owner: store.create(mint("prod", random.Random(seed).choice), owner=owner, plan="pro", now_ms=NOW_MS)
        for seed, owner in enumerate(("acme", "beta"))
    }
    clients["us-east-1"].put_item(TableName=NAMES.gate_table, Item={"pk": {"S": "plans"}, "sk": {"S": "pro"}})
    assert list(store.profiles("acme")) == [made["acme"]]
    assert sorted(store.profiles(), key=lambda profile: profile.owner) == [made["acme"], made["beta"]]
    assert list(store.profiles("nobody")) == []


def test_a_revoked_key_keeps_the_rest_of_its_profile(store: KeyStore) -> None:
    made = store.create(SECRET, owner="acme", plan="starter", now_ms=NOW_MS, note="first")
    revoked = store.revoke(made.id)
    assert revoked.status == REVOKED
    assert store.find(made.id) == revoked
    assert (revoked.owner, revoked.plan, revoked.created, revoked.note) == (
        made.owner, made.plan, made.created, made.note,
    )  # fmt: skip


def test_revoking_what_is_not_there_makes_nothing(store: KeyStore) -> None:
    with pytest.raises(UnknownKeyError):
        store.revoke("0123456789abcdef")
    assert store.find("0123456789abcdef") is None
