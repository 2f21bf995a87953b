"""What may be said of a key, as the command, the API and files of keys take it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.credentials import StoredKey, restriction_of
from tallygate.core.key_fields import (
    EDITABLE,
    MAX_RESTRICTIONS,
    WRITABLE,
    FieldError,
    fields_of,
    overrides_of,
    referers_of,
)
from tallygate.core.key_import import rows_of
from tallygate.core.keys import mint, secret_hash
from tallygate.core.plans import Limit, Plan

NOW = 1_795_176_000_000  # 2026-11-20T12:00:00Z
SECRET = mint("prod", lambda alphabet: alphabet[7])
HASH = secret_hash(SECRET)


def test_fields_are_taken_in_their_normal_form() -> None:
    assert fields_of(
        {
            "owner": " acme ",
            "plan": "starter",
            "note": "Bücher",
            "expires": "2027-01-01",
            "referers": ["https://Shop.Example/basket", "*.shop.example", "shop.example:8080", "localhost"],
            "addresses": ["203.0.113.7", "::ffff:203.0.113.7", "2001:DB8::/32"],
        },
        WRITABLE,
        NOW,
    ) == {
        "owner": "acme",
        "plan": "starter",
        "note": "Bücher",
        "expires_ms": 1_798_761_600_000,
        "referers": ("*.shop.example", "localhost", "shop.example"),
        "addresses": ("2001:db8::/32", "203.0.113.7/32"),
    }


def test_null_takes_away_what_is_optional_and_an_empty_list_what_is_restricted() -> None:
    assert fields_of({"note": None, "expires": None, "referers": []}, EDITABLE, NOW) == {
        "note": None,
        "expires_ms": None,
        "referers": (),
    }


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"owner": ""}, "owner: allowed are 1 to 128"),
        ({"owner": None}, "owner: allowed"),
        ({"plan": 7}, "plan: allowed"),
        ({"note": "a\nb"}, "note: allowed"),
        ({"note": "a" * 257}, "note: allowed are 1 to 256"),
        ({"expires": "tomorrow"}, "expires: a day like"),
        ({"expires": 1}, "expires: a day like"),
        ({"expires": "2026-02-30"}, "expires: a day like"),
        ({"expires": "2026-11-20T12:00:00Z"}, "expires: 2026-11-20T12:00:00.000Z has passed"),
        ({"referers": "shop.example"}, "referers: a list"),
        ({"referers": ["a b"]}, "referers: hosts like"),
        ({"referers": ["*"]}, "referers: hosts like"),
        ({"referers": ["*.https://shop.example"]}, "referers: hosts like"),
        ({"referers": [7]}, "referers: hosts like"),
        ({"addresses": ["10.0.0.1/8"]}, "10.0.0.0/8 is the range"),
        ({"addresses": [None]}, "no address range"),
        ({"addresses": [f"10.0.0.{number}" for number in range(MAX_RESTRICTIONS + 1)]}, "at most 20"),
        ({"status": "active"}, "status: is not known here; allowed are owner"),
    ],
)
def test_what_cannot_be_taken_is_named(document: dict[str, Any], said: str) -> None:
    with pytest.raises(FieldError) as error:
        fields_of(document, WRITABLE, NOW)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("shop.example", True),
        ("www.shop.example", False),
        ("a.cdn.example", True),
        ("b.a.cdn.example", True),
        ("cdn.example", False),
        ("evilcdn.example", False),
        ("cdn.example.evil.test", False),
        ("xn--bcher-kva.example", True),
        (None, False),
    ],
)
def test_a_site_may_present_a_key_if_it_or_its_domain_is_named(host: str | None, allowed: bool) -> None:
    stored = StoredKey(
        HASH, "pro", "active", referers=frozenset(referers_of(["shop.example", "*.cdn.example", "bücher.example"]))
    )
    assert restriction_of(stored, None, host) == (None if allowed else "key-referer")


def lines(*documents: Any) -> list[str]:
    return [json.dumps(document) + "\n" for document in documents]


def wrong(given: list[str], *, secrets: bool = True) -> list[tuple[int, str | None]]:
    return [(row.line, row.wrong) for row in rows_of(given, "prod", NOW, secrets=secrets)]


def test_csv_and_json_lines_say_the_same() -> None:
    csv = [
        "hash, owner,plan,note,addresses\n",
        "\n",
        f'{HASH},acme,pro,"a, b",10.0.0.0/8 192.0.2.1\n',
    ]
    document = {"hash": HASH, "owner": "acme", "plan": "pro", "note": "a, b", "addresses": ["10.0.0.0/8", "192.0.2.1"]}
    (of_csv,) = rows_of(csv, "prod", NOW, secrets=False)
    (of_json,) = rows_of(lines(document), "prod", NOW, secrets=False)
    assert of_csv.key == of_json.key
    assert of_csv.key is not None
    assert (of_csv.line, of_csv.key.hash, of_csv.key.fields["addresses"]) == (3, HASH, ("10.0.0.0/8", "192.0.2.1/32"))


def test_a_secret_is_taken_by_its_hash_and_never_repeated() -> None:
    (row,) = rows_of(lines({"secret": SECRET, "owner": "acme", "plan": "pro"}), "prod", NOW, secrets=True)
    assert row.key is not None
    assert row.key.hash == HASH
    assert SECRET not in repr(row)
    assert HASH not in repr(row)


def test_what_cannot_be_taken_over_says_why_and_the_rest_goes_on() -> None:
    base = {"owner": "acme", "plan": "pro"}
    bad_json = ["{nonsense\n", json.dumps({**base, "hash": HASH})]
    foreign = "sk_live_4242424242424242"
    found = wrong(
        lines(
            {**base, "secret": foreign},
            {**base, "secret": mint("acceptance", lambda alphabet: alphabet[1])},
            {**base, "secret": SECRET[:-1] + "x"},
            {**base, "secret": SECRET, "hash": HASH},
            base,
            {**base, "hash": HASH.upper()},
            {"hash": HASH, "plan": "pro"},
            {**base, "hash": HASH, "colour": "red"},
            [1],
        )
        + bad_json
    )
    said = [reason for _, reason in found]
    assert said[0] == said[2] == "secret: is no key of Tallygate's, or mistyped: others cannot be told from garbage"
    assert said[1] == "secret: is for the stage acceptance; here, keys begin with tg_prod_"
    assert said[3] == said[4] == "hash: a row has either the hash of a secret, or the secret"
    assert said[5] == "hash: is not a SHA-256 in 64 lower-case hex digits"
    assert said[6] == "owner: is missing"
    assert said[7] is not None
    assert said[7].startswith("colour: is not known here")
    assert said[8:] == ["is not a JSON object", "is not JSON", None]
    assert foreign not in str(found)


def test_secrets_in_a_file_are_not_read() -> None:
    ((_, said),) = wrong(lines({"secret": SECRET, "owner": "acme", "plan": "pro"}), secrets=False)
    assert said == "secret: secrets are read from standard input only, so that no file need hold them"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["key,owner\n"], "the header names columns"),
        (["hash,hash\n"], "the header names columns"),
        (["hash,owner,plan\n", "a,b\n"], "has 2 columns, the header 3"),
    ],
)
def test_a_table_that_makes_no_sense_is_said_so(given: list[str], said: str) -> None:
    ((_, found),) = wrong(given)
    assert found is not None
    assert found.startswith(said)


def test_an_empty_file_is_no_keys() -> None:
    assert wrong([]) == wrong(["\n", "  \n"]) == []


@given(st.lists(st.text(max_size=40), max_size=5))
def test_whatever_a_file_holds_comes_to_rows(given: list[str]) -> None:
    for row in rows_of(given, "prod", NOW, secrets=True):
        assert (row.key is None) != (row.wrong is None)


def test_quotas_of_its_own_are_written_like_policies() -> None:
    found = overrides_of(["key=5000/month", " key=400/day-soft", "key=40/day"])
    assert found == (Limit("key", 40, "day"), Limit("key", 400, "day", soft=True), Limit("key", 5000, "month"))
    plan = Plan("pro", (Limit("key", 1000, "day", rolling=True), Limit("key", 100, "hour")), burst=5)
    assert plan.overridden(found).limits == (
        Limit("key", 40, "day", rolling=True),
        Limit("key", 100, "hour"),
        Limit("key", 400, "day", soft=True),
        Limit("key", 5000, "month"),
    )
    assert plan.overridden(()) is plan


@pytest.mark.parametrize(
    "texts",
    [
        *(["5000/day"], ["ip=5/day"], ["key=0/day"], ["key=-1/day"], ["key=5/week"], ["key=5"], [7]),
        *(["key=5/day", "key=6/day"], ["key=" + "9" * 17 + "/day"]),
    ],
)
def test_quotas_that_are_none_are_refused(texts: list[object]) -> None:
    with pytest.raises(FieldError, match="overrides: "):
        overrides_of(texts)
