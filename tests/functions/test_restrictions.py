"""Who is refused for where they call from: blocked addresses, and keys that may not be used from there."""

import random
from dataclasses import replace
from ipaddress import ip_network

import pytest
from gateway import ANONYMOUS, HOME, NOW, FakeGate, authorizer_event, published
from judging import GOOD, KEY, MINUTE, OTHER, PK, SECRET, SETTINGS, Caller, judge_of, keyed

from functions.authorizer.call import call_of
from functions.authorizer.judge import Judge
from tallygate.core import keys
from tallygate.core.addresses import AddressAction, AddressRule, AddressRules, Ranges
from tallygate.core.credentials import StoredKey
from tallygate.core.gate_view import GateView
from tallygate.core.lines import format_line
from tallygate.core.problems import problem_of
from tallygate.core.snapshots import Snapshots
from tallygate.core.verdict import STATUS, verdict_of


def rules(**ranges: AddressAction) -> AddressRules:
    return AddressRules(AddressRule(ip_network(text.replace("_", "/")), action) for text, action in ranges.items())


BLOCKED = rules(**{"203.0.113.0_24": "block"})


def restricted(addresses: str = "", *referers: str) -> StoredKey:
    ranges = Ranges([(ip_network(addresses), True)]) if addresses else None
    return replace(GOOD, referers=frozenset(referers), addresses=ranges)


def test_a_blocked_address_is_refused_before_any_key_is_looked_at() -> None:
    gate = FakeGate(keys={PK: GOOD}, rules=BLOCKED)
    caller = Caller(gate)
    caller({}, source_ip="192.0.2.1")
    gate.asked.clear()
    for headers in ({}, keyed(), keyed("tg_prod_mistyped"), {"x-api-key": ""}):
        verdict = caller(headers)
        assert (verdict.decision.refusal, verdict.ban, verdict.key) == ("forbidden", "address", None)
        assert verdict.line("id", NOW, 403).units == 0
    assert gate.asked == [], "and nothing is read for it"


def test_a_container_that_knows_nothing_yet_reads_before_it_answers_a_blocked_address() -> None:
    for headers in ({}, keyed()):
        verdict = Caller(FakeGate(keys={PK: GOOD}, rules=BLOCKED))(headers)
        assert (verdict.decision.refusal, verdict.ban) == ("forbidden", "address")


def test_a_rule_holds_within_thirty_seconds_and_is_taken_back_within_them_though_only_the_blocked_call() -> None:
    gate = FakeGate()
    caller = Caller(gate)
    assert caller({}).decision.allowed
    gate.rules = BLOCKED
    assert caller({}, at_ms=NOW + MINUTE // 2).decision.refusal == "forbidden"
    gate.rules = AddressRules()
    assert caller({}, at_ms=NOW + MINUTE - 1).decision.refusal == "forbidden"
    assert caller({}, at_ms=NOW + MINUTE).decision.allowed


def test_rules_that_cannot_be_read_again_hold_on() -> None:
    gate = FakeGate(rules=BLOCKED)
    caller = Caller(gate)
    caller({})
    gate.is_down = True
    assert caller({}, at_ms=NOW + MINUTE).decision.refusal == "forbidden"


def test_an_allowed_address_has_no_quota_of_its_own_and_its_site_has() -> None:
    address, site = "ip#203.0.113.7", "ref#shop.example"
    gate = FakeGate(
        rows={address: (published(500),)}, rules=rules(**{"203.0.113.7_32": "allow", "203.0.113.0_24": "block"})
    )
    caller = Caller(gate)
    for _ in range(2):  # not knowing the rules, and knowing them
        verdict = caller({})
        assert (verdict.decision.allowed, verdict.charge, verdict.ip) == (True, (), "203.0.113.7")
        assert '"ip":"203.0.113.7"' in format_line(verdict.line("id", NOW, 200)), "it is counted"
    gate.rows[site] = (published(2000),)
    verdict = caller({"referer": "https://shop.example/"})
    assert (verdict.decision.refusal, verdict.charge) == ("quota", ("ref",))
    assert gate.asked[1:] == [(site,)]


def test_an_allowed_address_is_not_excused_from_the_limits_of_a_key() -> None:
    gate = FakeGate(rows={PK: (published(1000),)}, keys={PK: GOOD}, rules=rules(**{"203.0.113.7_32": "allow"}))
    assert Caller(gate)(keyed()).decision.refusal == "quota"


@pytest.mark.parametrize(
    ("source_ip", "blocked"),
    [("2001:db8::7", True), ("2001:db8::8", False), ("::ffff:203.0.113.9", True), ("nobody", False)],
)
def test_a_rule_is_on_the_whole_address_not_on_the_network_that_is_counted(source_ip: str, blocked: bool) -> None:
    gate = FakeGate(rules=rules(**{"2001:db8::7_128": "block", "203.0.113.0_24": "block"}))
    assert (Caller(gate)({}, source_ip=source_ip).decision.refusal == "forbidden") == blocked


@pytest.mark.parametrize(
    ("stored", "headers", "source_ip", "ban"),
    [
        (restricted("203.0.113.0/24"), {}, "203.0.113.7", None),
        (restricted("203.0.113.0/24"), {}, "203.0.114.7", "key-address"),
        (restricted("203.0.113.0/24"), {}, "::ffff:203.0.113.7", None),
        (restricted("203.0.113.0/24"), {}, "2001:db8::1", "key-address"),
        (restricted("203.0.113.0/24"), {}, "nobody", "key-address"),
        (restricted("", "shop.example"), {"referer": "https://shop.example/basket"}, "203.0.113.7", None),
        (restricted("", "shop.example"), {"origin": "https://shop.example"}, "203.0.113.7", None),
        (restricted("", "shop.example"), {}, "203.0.113.7", "key-referer"),
        (restricted("", "*.shop.example"), {"referer": "https://a.shop.example/"}, "203.0.113.7", None),
        (restricted("", "*.shop.example"), {"referer": "https://shop.example/"}, "203.0.113.7", "key-referer"),
        (restricted("203.0.113.0/24", "shop.example"), {}, "192.0.2.1", "key-address"),
    ],
)
def test_a_key_is_good_from_where_it_may_be_used(
    stored: StoredKey, headers: dict[str, str], source_ip: str, ban: str | None
) -> None:
    verdict = Caller(FakeGate(keys={PK: stored}))({**keyed(), **headers}, source_ip=source_ip)
    assert (verdict.decision.allowed, verdict.ban) == (ban is None, ban)
    assert verdict.key == KEY
    assert verdict_of(verdict.to_json()) == verdict
    if ban is not None:
        problem = problem_of(verdict)
        assert problem is not None
        assert (problem.status, problem.more) == (403, {"restriction": ban})
        line = verdict.line("id", NOW, STATUS["forbidden"])
        assert (line.units, line.verdict, line.key) == (0, "forbidden", KEY)


def test_who_does_not_have_the_whole_secret_is_told_of_no_restriction() -> None:
    stored = replace(restricted("203.0.113.0/24"), hash=GOOD.hash[:16] + "0" * 48)
    verdict = Caller(FakeGate(keys={PK: stored}))(keyed(), source_ip="192.0.2.1")
    assert (verdict.key_fault, verdict.ban) == ("unknown", None)


FIRST_PK, FIRST = f"key#{keys.key_id(OTHER)}", keys.key_id(OTHER)
SUCCESSOR = replace(GOOD, counted_as=FIRST)


def test_a_key_that_took_over_is_counted_and_limited_as_the_first_of_them() -> None:
    gate = FakeGate(rows={FIRST_PK: (published(990),)}, keys={PK: SUCCESSOR})
    caller = Caller(gate)
    verdict = caller(keyed())
    assert (verdict.key, verdict.charge, verdict.decision.limits[0].used) == (FIRST, ("key",), 991)
    gate.asked.clear()
    assert caller(keyed(), at_ms=NOW + 2_000, id="2").key == FIRST
    assert gate.asked == [(PK, FIRST_PK)], "in one round, once it is known"
    gate.rows[FIRST_PK] = (published(1000),)
    assert caller(keyed(), at_ms=NOW + 4_000, id="3").decision.refusal == "quota"
    assert gate.asked[-1] == (PK, FIRST_PK)


def test_old_and_new_secret_share_what_this_container_admitted() -> None:
    first = StoredKey(keys.secret_hash(OTHER), "starter", "active", NOW + MINUTE)
    caller = Caller(FakeGate(rows={FIRST_PK: (published(998),)}, keys={PK: SUCCESSOR, FIRST_PK: first}))
    allowed = [
        caller(keyed(secret), id=f"{number}").decision.allowed for number, secret in enumerate([SECRET, OTHER] * 2)
    ]
    assert allowed == [True, True, False, False]


def test_a_revoked_successor_is_refused_as_soon_as_any_key_is() -> None:
    gate = FakeGate(keys={PK: SUCCESSOR})
    caller = Caller(gate)
    assert caller(keyed()).decision.allowed
    gate.keys[PK] = replace(SUCCESSOR, status="revoked")
    assert caller(keyed(), at_ms=NOW + 1_000).key_fault == "revoked"


def test_an_expiry_holds_though_nothing_is_read_again() -> None:
    gate = FakeGate(keys={PK: replace(GOOD, expires_ms=NOW + 500)})
    caller = Caller(gate)
    assert caller(keyed(), at_ms=NOW + 499).decision.allowed
    gate.is_down = True
    assert caller(keyed(), at_ms=NOW + 500).key_fault == "expired"


def test_of_a_flood_of_unknown_keys_each_is_read_once_in_five_seconds() -> None:
    gate = FakeGate(plans={"anonymous": ANONYMOUS})
    judge = judge_of(gate)
    secrets = [keys.mint("prod", random.Random(number).choice) for number in range(50)]
    for at_ms in (NOW, NOW + 1_000, NOW + 4_999):
        for secret in secrets:
            event = authorizer_event(keyed(secret), at_ms=at_ms)
            verdict = judge.judge(call_of(event, at_ms)).verdict
            assert (verdict.key_fault, verdict.key) == ("unknown", "invalid")
    assert len(gate.asked) == len(secrets)


def test_a_flood_of_unknown_keys_takes_no_more_memory_than_there_is_for_callers() -> None:
    snapshots = Snapshots(most=10)
    judge = Judge(SETTINGS, GateView(FakeGate(), HOME, snapshots))
    for number in range(100):
        judge.judge(call_of(authorizer_event(keyed(keys.mint("prod", random.Random(number).choice))), NOW))
    assert len(snapshots) == 10
