"""One identifier at this moment: exact counts, what regions know of them, and the decision that a call would meet."""

import json
from typing import Any

import pytest

from tallygate.aws.address_store import AddressStore
from tallygate.aws.key_admin import key_admin
from tallygate.aws.quota_store import QuotaStore
from tallygate.core.addresses import AddressRule
from tallygate.core.adjustments import Baseline, TopUp
from tallygate.core.history import InvalidParameterError
from tallygate.core.identity import parse_networks
from tests.operations.counted import DAY_MS, NOW, Counted, call
from tests.stage_tables import HOMES, NAMES

VIRGINIA, IRELAND = HOMES
ADDRESS = "203.0.113.7"
CAPS: Any = {"ip": {"day": 100}}


def standing(counted: Counted, kind: str, value: str) -> dict[str, Any]:
    document = counted.operations.standing({"kind": kind, "value": value}, NOW)
    return json.loads(json.dumps(document))  # type: ignore[no-any-return]


def test_an_address_is_told_with_what_is_published_of_it(counted: Counted) -> None:
    counted.apply()
    counted.count(VIRGINIA, *(call(NOW - 1_000, units=5, caps=CAPS) for _ in range(8)))
    counted.count(VIRGINIA, call(NOW - 500))
    counted.count(IRELAND, call(NOW - 2_000, caps=CAPS), call(NOW - 2_000, denied=True))
    document = standing(counted, "ip", f"::ffff:{ADDRESS}")
    assert (document["value"], document["plan"], document["state"]) == (ADDRESS, "free", None)
    assert document["limits"] == [
        {
            "policy": "ip-day",
            "window": "day",
            "limit": 100,
            "used": 42,
            "resets": "2026-11-21T00:00:00.000Z",
            "published": 40,
            "remaining": 58,
            "rolling": False,
            "soft": False,
        }
    ]
    assert document["decision"] == {"allowed": True, "refused_by": []}
    virginia, ireland = document["homes"]
    assert virginia == {
        "home": VIRGINIA,
        "admitted": 41,
        "charged": 41,
        "denied": 0,
        "counted_at": "2026-11-20T12:00:00.123Z",
        "published_at": "2026-11-20T11:59:59.123Z",
        "rate": 8.0,
    }
    assert (ireland["charged"], ireland["denied"], ireland["published_at"], ireland["rate"]) == (1, 1, None, 0.0)


def test_a_spent_quota_refuses_until_it_is_topped_up(counted: Counted) -> None:
    counted.apply()
    counted.count(VIRGINIA, call(units=100, caps=CAPS))
    assert standing(counted, "ip", ADDRESS)["decision"] == {"allowed": False, "refused_by": ["ip-day"]}
    store = QuotaStore(counted.gate, NAMES.gate_table)
    store.top_up("ip", ADDRESS, "day", TopUp("goodwill", 500), NOW)
    store.reset("ip", ADDRESS, {"day#2026-11-20": {VIRGINIA: Baseline(90, NOW)}}, NOW)
    document = standing(counted, "ip", ADDRESS)
    assert (document["limits"][0]["used"], document["limits"][0]["limit"]) == (10, 600)
    assert document["decision"]["allowed"]
    assert document["adjustments"] == {
        "baselines": {"day#2026-11-20": {VIRGINIA: 90}},
        "top_ups": {"day#2026-11-20": {"goodwill": 500}},
    }


def test_rules_on_addresses_hold_before_any_quota(counted: Counted) -> None:
    counted.apply()
    rules = AddressStore(counted.gate, NAMES.gate_table)
    (network,) = parse_networks("203.0.113.0/24")
    rules.put(AddressRule(network, "block", None, None), NOW)
    document = standing(counted, "ip", ADDRESS)
    assert (document["state"], document["decision"]) == ("block", {"allowed": False, "refused_by": ["address"]})
    rules.put(AddressRule(network, "allow", None, None), NOW)
    counted.count(VIRGINIA, call(units=100, caps=CAPS))
    document = standing(counted, "ip", ADDRESS)
    assert (document["state"], document["limits"], document["decision"]["allowed"]) == ("allow", [], True)


def test_a_key_is_told_with_its_line_of_rotations_and_its_owner(counted: Counted) -> None:
    counted.apply()
    admin = key_admin(counted.gate, NAMES.gate_table, "prod")
    _, first = admin.create({"owner": "acme", "plan": "team"}, NOW - DAY_MS)
    _, second, _ = admin.rotate(first.id, DAY_MS, NOW - DAY_MS // 2)
    caps: Any = {"key": {"day": 20}, "owner": {"day": 30}}
    counted.count(VIRGINIA, call(key=first.id, owner="acme", units=30, caps=caps))
    document = standing(counted, "key", second.id)
    assert (document["value"], document["owner"], document["plan"], document["state"]) == (
        first.id, "acme", "team", "active",
    )  # fmt: skip
    assert [(limit["policy"], limit["used"], limit["remaining"]) for limit in document["limits"]] == [
        ("key-day", 30, 0)
    ]
    assert document["decision"] == {"allowed": False, "refused_by": ["owner-day", "key-day"]}
    owner = standing(counted, "owner", "acme")
    assert (owner["plan"], [(limit["policy"], limit["used"]) for limit in owner["limits"]]) == (
        "team",
        [("owner-day", 30)],
    )
    assert (document["taken_over_by"], owner["taken_over_by"]) == (None, None)
    _, third, _ = admin.rotate(second.id, DAY_MS, NOW)
    assert [standing(counted, "key", key.id)["taken_over_by"] for key in (first, second, third)] == [
        third.id,
        third.id,
        None,
    ]
    admin.revoke(second.id, NOW)
    revoked = standing(counted, "key", second.id)
    assert (revoked["state"], revoked["decision"]) == ("revoked", {"allowed": False, "refused_by": ["key"]})


@pytest.mark.parametrize("value", ["0123456789abcdef", "invalid"])
def test_a_key_that_nobody_has_is_unknown(counted: Counted, value: str) -> None:
    counted.apply()
    document = standing(counted, "key", value)
    assert (document["state"], document["plan"], document["limits"]) == ("unknown", None, [])
    assert document["decision"] == {"allowed": False, "refused_by": ["key"]}


def test_what_strangers_share_has_no_limit(counted: Counted) -> None:
    counted.apply()
    document = standing(counted, "ref", "http://localhost:3000/")
    assert (document["value"], document["plan"], document["limits"]) == ("localhost", None, [])
    assert standing(counted, "ref", "shop.example")["limits"][0]["policy"] == "ref-day"


def test_before_any_plan_is_in_force_everybody_is_answered_as_the_gate_says(counted: Counted) -> None:
    document = standing(counted, "ip", ADDRESS)
    assert (document["plan"], document["limits"]) == (None, [])
    assert document["decision"] == {"allowed": True, "refused_by": []}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [({"kind": "ip"}, "value"), ({"value": "x"}, "kind"), ({"kind": "all", "value": "eu-west-1"}, "kind"),
     ({"kind": "key", "value": "tg_prod_mistyped"}, "value"), ({"kind": "owner", "value": "\n"}, "value")],
)  # fmt: skip
def test_what_is_no_question_is_refused(counted: Counted, query: dict[str, str], parameter: str) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        counted.operations.standing(query, NOW)
    assert (refused.value.parameter, "tg_prod_mistyped" in str(refused.value)) == (parameter, False)
