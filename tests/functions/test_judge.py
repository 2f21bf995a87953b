"""Judging calls: who pays by which plan, what is refused, and as whom it is counted."""

import json
import random
from dataclasses import replace

import pytest
from gateway import HOME, NOW, STARTER, FakeGate, authorizer_event, published
from hypothesis import given
from hypothesis import strategies as st
from judging import GOOD, KEY, OTHER, PK, SECRET, Caller, judge_of, keyed

from functions.authorizer.call import call_of
from tallygate.core import keys
from tallygate.core.adjustments import Adjustments, Baseline, TopUp
from tallygate.core.credentials import StoredKey
from tallygate.core.lines import format_line, parse_line
from tallygate.core.plans import Limit, Plan
from tallygate.core.routes import Routes
from tallygate.core.verdict import verdict_of


def test_a_call_without_a_key_is_charged_to_its_address_and_its_site() -> None:
    gate = FakeGate(rows={"ip#203.0.113.7": (published(10),), "ref#shop.example": (published(50),)})
    verdict = Caller(gate)()
    assert gate.asked == [("ip#203.0.113.7", "ref#shop.example")]
    assert (verdict.ip, verdict.ref, verdict.key, verdict.plan) == ("203.0.113.7", "shop.example", None, "anonymous")
    assert verdict.charge == ("ip", "ref")
    assert verdict.caps == {"ip": {"day": 200}, "ref": {"day": 2000}}
    assert (verdict.home, verdict.region, verdict.units) == (HOME, "eu-west-1", 1)
    assert [(checked.limit.name, checked.used) for checked in verdict.decision.limits] == [
        ("ip-day", 11),
        ("ref-day", 51),
    ]


def test_a_call_with_a_key_is_charged_to_the_key_alone() -> None:
    gate = FakeGate(rows={PK: (published(10),)}, keys={PK: GOOD})
    verdict = Caller(gate)({**keyed(), "referer": "https://shop.example/"})
    assert gate.asked == [(PK,)]
    assert (verdict.ip, verdict.ref, verdict.key, verdict.plan) == ("203.0.113.7", "shop.example", KEY, "starter")
    assert verdict.charge == ("key",)
    assert verdict.caps == {"key": {"day": 1000, "month": 5000}}
    assert [checked.used for checked in verdict.decision.limits] == [11, 11]


def test_a_site_that_strangers_share_is_counted_and_does_not_pay() -> None:
    gate = FakeGate(rows={"ref#localhost": (published(5_000),)})
    verdict = Caller(gate)({"origin": "http://localhost:3000"})
    assert (verdict.ref, verdict.charge, verdict.decision.allowed) == ("localhost", ("ip",), True)


def test_a_spent_quota_refuses_until_the_day_is_over() -> None:
    gate = FakeGate(rows={"ip#203.0.113.7": (published(150), published(50, home="eu-west-1"))})
    verdict = Caller(gate)()
    assert verdict.decision.refusal == "quota"
    assert verdict.decision.retry_after_seconds == 12 * 3600
    assert verdict.charge == ("ip", "ref")


def test_a_reset_and_a_top_up_hold_from_the_next_read_and_are_told_to_whoever_counts() -> None:
    gate = FakeGate(rows={PK: (published(1000), published(30, home="eu-west-1"))}, keys={PK: GOOD})
    caller = Caller(gate)
    assert caller(keyed()).decision.refusal == "quota"
    counted = {HOME: Baseline(1005, NOW), "eu-west-1": Baseline(30, NOW)}
    gate.adjusted[PK] = Adjustments().reset({"day#2026-11-20": counted}, NOW).topped_up("month", TopUp("a", 500), NOW)
    verdict = caller(keyed())
    assert [(each.limit.name, each.limit.quota, each.used) for each in verdict.decision.limits] == [
        ("key-day", 1000, 1),
        ("key-month", 5500, 1031),
    ]
    assert verdict.caps == {"key": {"day": 1000, "month": 5500}}
    assert verdict.bases == {"key": {"day": {HOME: 1005, "eu-west-1": 30}}}
    assert verdict.line("request-1", NOW, 200).caps == {"key": {"day": 2005, "month": 5500}}


def test_the_lines_of_refused_calls_tell_adjusted_limits_too() -> None:
    address = "ip#203.0.113.7"
    gate = FakeGate(rows={address: (published(350),)})
    gate.adjusted[address] = Adjustments().reset({"day#2026-11-20": {HOME: Baseline(150, NOW)}}, NOW)
    verdict = Caller(gate)({})
    assert verdict.decision.refusal == "quota"
    assert verdict.line("request-1", NOW, 429).caps == {"ip": {"day": 350}}


def test_another_key_goes_through_in_the_same_moment() -> None:
    other = StoredKey(keys.secret_hash(OTHER), "starter", "active")
    gate = FakeGate(rows={PK: (published(1000),)}, keys={PK: GOOD, f"key#{keys.key_id(OTHER)}": other})
    caller = Caller(gate)
    assert caller(keyed()).decision.refusal == "quota"
    assert caller(keyed(OTHER)).decision.allowed


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "   ",
        "tg_prod_",
        SECRET[:-1] + ("0" if SECRET[-1] != "0" else "1"),
        SECRET + "x",
        SECRET + "," + SECRET,
        "K" * 4096,
        "tg_prod_" + "\u0663" * 36,
        "\ud800",
        keys.mint("local", random.Random(1).choice),
    ],
)
def test_a_key_that_is_none_of_ours_is_refused_without_a_read(secret: str) -> None:
    gate = FakeGate()
    verdict = Caller(gate)(keyed(secret))
    assert gate.asked == []
    assert (verdict.decision.refusal, verdict.key_fault, verdict.key) == ("key", "malformed", "invalid")
    assert (verdict.charge, verdict.caps) == ((), {})


@pytest.mark.parametrize(
    ("stored", "fault", "counted_as"),
    [
        (None, "unknown", "invalid"),
        (replace(GOOD, hash=GOOD.hash[:16] + "0" * 48), "unknown", "invalid"),
        (replace(GOOD, status="revoked"), "revoked", KEY),
        (replace(GOOD, expires_ms=NOW), "expired", KEY),
    ],
)
def test_a_key_that_is_not_good_gets_no_free_tier(stored: StoredKey | None, fault: str, counted_as: str) -> None:
    verdict = Caller(FakeGate(keys={PK: stored} if stored else {}))(keyed())
    assert (verdict.decision.refusal, verdict.key_fault, verdict.key) == ("key", fault, counted_as)


@pytest.mark.parametrize(
    ("headers", "query"),
    [({"authorization": f"Bearer {SECRET}"}, {}), ({}, {"api-key": SECRET}), ({"X-API-Key": SECRET}, {})],
)
def test_a_key_is_taken_from_each_of_its_places(headers: dict[str, str], query: dict[str, str]) -> None:
    event = authorizer_event(headers, query=query)
    verdict = judge_of(FakeGate(keys={PK: GOOD})).judge(call_of(event, NOW)).verdict
    assert (verdict.key, verdict.decision.allowed) == (KEY, True)


def test_the_bearer_token_of_another_api_is_none_of_our_business() -> None:
    verdict = Caller(FakeGate())({"authorization": "Bearer eyJhbGciOiJIUzI1NiJ9"})
    assert (verdict.key, verdict.plan) == (None, "anonymous")


def test_asking_for_usage_is_free_and_never_refused_for_a_quota() -> None:
    gate = FakeGate(rows={"ip#203.0.113.7": (published(200),)})
    for method in ("GET", "HEAD"):
        verdict = Caller(gate)(path="/v1/usage", method=method)
        assert (verdict.units, verdict.decision.allowed) == (0, True)
    assert Caller(gate)(path="/v1/usage", method="POST").decision.refusal == "quota"
    assert Caller(gate)(keyed("tg_prod_"), path="/v1/usage").decision.refusal == "key"


@pytest.mark.parametrize(
    ("source_ip", "forwarded_for", "expected"),
    [
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1, 10.0.0.1", "203.0.113.7"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, garbage", "10.0.0.1"),
        ("2001:db8:1:2::3", "198.51.100.1", "2001:db8:1:2::/64"),
        ("10.0.0.1", "2001:db8:1:2::3", "2001:db8:1:2::/64"),
    ],
)
def test_forwarding_headers_are_believed_from_trusted_proxies_only(
    source_ip: str, forwarded_for: str, expected: str
) -> None:
    gate = FakeGate()
    assert Caller(gate)({"x-forwarded-for": forwarded_for}, source_ip=source_ip).ip == expected
    assert gate.asked == [(f"ip#{expected}",)]


@pytest.mark.parametrize(
    "referer", ["https://shop.example/" + "a" * 4096, "https://SHOP.example:443", "https://u:p@shop.example/\udcff\x00"]
)
def test_odd_referers_name_their_host(referer: str) -> None:
    assert Caller(FakeGate())({"referer": referer}).ref == "shop.example"


@given(
    st.dictionaries(
        st.sampled_from(["x-api-key", "authorization", "origin", "referer", "x-forwarded-for", "Cookie", ""]),
        st.text(max_size=200) | st.sampled_from([SECRET, f"Bearer {SECRET}", "http://[::1]:1/", "null", "10.0.0.1,"]),
    ),
    st.dictionaries(st.sampled_from(["api-key", "x"]), st.text(max_size=50) | st.just(SECRET)),
    st.sampled_from(["203.0.113.7", "10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "nobody", ""]),
)
def test_whatever_is_sent_comes_to_a_verdict_and_a_line_that_is_counted(
    headers: dict[str, str], query: dict[str, str], source_ip: str
) -> None:
    gate = FakeGate(keys={PK: GOOD})
    call = call_of(authorizer_event(headers, source_ip=source_ip, query=query), NOW)
    verdict = judge_of(gate).judge(call).verdict
    assert verdict_of(verdict.to_json()) == verdict
    printed = format_line(verdict.line(call.id, call.at_ms, 200))
    assert parse_line(json.loads(printed)).ip == verdict.ip
    assert SECRET not in printed + verdict.to_json()
    assert all(len(pk) <= 260 for asked in gate.asked for pk in asked)


def test_a_stage_in_the_path_is_no_part_of_it() -> None:
    event = authorizer_event(path="/prod/v1/usage")
    event["requestContext"]["stage"] = "prod"
    assert call_of(event, NOW).path == "/v1/usage"


def test_an_event_with_next_to_nothing_in_it_is_still_a_call() -> None:
    call = call_of({"version": "2.0"}, NOW)
    verdict = judge_of(FakeGate()).judge(call).verdict
    assert (call.at_ms, verdict.ip, verdict.decision.allowed) == (NOW, "unknown", True)


def test_a_call_is_weighed_by_the_path_that_functions_route_by() -> None:
    gate = FakeGate(keys={PK: GOOD}, routes=Routes({"/v1/search": 10}))
    event = authorizer_event(keyed(), path="/v1/search")
    event["requestContext"]["http"]["path"] = "/v1/%73earch"
    assert judge_of(gate).judge(call_of(event, NOW)).verdict.units == 10


def test_a_call_weighs_what_its_route_does_and_a_change_holds_within_thirty_seconds() -> None:
    gate = FakeGate(keys={PK: GOOD}, rows={PK: (published(990),)}, routes=Routes({"/v1/who*": 10}))
    caller = Caller(gate)
    first = caller(keyed())
    assert (first.units, first.decision.allowed, first.decision.limits[0].used) == (10, True, 1_000)
    refused = caller(keyed(), at_ms=NOW + 1)
    assert (refused.decision.refusal, refused.line("id", NOW, 429).units) == ("quota", 0)
    gate.routes = Routes({"/v1/whoami": 0})
    assert caller(keyed(), at_ms=NOW + 30_000).decision.allowed
    assert caller(keyed(), at_ms=NOW + 30_000).units == 0


def test_a_key_with_a_quota_of_its_own_is_held_to_that_and_its_line_says_so() -> None:
    own = replace(GOOD, overrides=(Limit("key", 40, "day"), Limit("key", 7, "hour")))
    gate = FakeGate(keys={PK: own}, rows={PK: (published(39),)})
    verdict = Caller(gate)(keyed())
    assert [(checked.limit.name, checked.limit.quota) for checked in verdict.decision.limits] == [
        ("key-day", 40), ("key-month", 5000), ("key-hour", 7),
    ]  # fmt: skip
    assert verdict.line("id", NOW, 200).caps == {"key": {"day": 40, "month": 5000, "hour": 7}}
    assert verdict.plan == "starter"
    gate.rows[PK] = (published(40),)
    assert Caller(gate)(keyed()).decision.refusal == "quota"


SHARED = Plan("shared", (Limit("key", 1000, "day"), Limit("owner", 100, "day")))
OTHERS = replace(GOOD, hash=keys.secret_hash(OTHER), plan="shared", owner="acme #1")
MINE = replace(GOOD, plan="shared", owner="acme #1")
OWNER_PK = "owner#acme #1"


def test_two_keys_of_one_owner_spend_one_quota() -> None:
    other_pk = f"key#{keys.key_id(OTHER)}"
    gate = FakeGate(keys={PK: MINE, other_pk: OTHERS}, plans={"shared": SHARED})
    caller = Caller(gate)
    statuses = [
        caller(keyed(secret), at_ms=NOW + number, id=f"q{number}").decision.allowed
        for number, secret in enumerate([SECRET, OTHER] * 52)
    ]
    assert statuses == [True] * 100 + [False] * 4
    gate.rows[OWNER_PK] = (published(100, at_ms=NOW + 5_000),)
    refused = caller(keyed(OTHER), at_ms=NOW + 10_000)
    assert [checked.limit.name for checked in refused.decision.limits if checked.refuses] == ["owner-day"]
    assert verdict_of(refused.to_json()) == refused


def test_the_line_of_a_call_whose_owner_pays_says_so_and_that_of_another_does_not() -> None:
    gate = FakeGate(keys={PK: MINE}, plans={"shared": SHARED, "starter": STARTER})
    line = Caller(gate)(keyed()).line("id", NOW, 200)
    assert (line.owner, line.charge) == ("acme #1", ("key", "owner"))
    assert line.caps == {"key": {"day": 1000}, "owner": {"day": 100}}
    assert parse_line(json.loads(format_line(line))) == line
    gate.keys[PK] = replace(MINE, plan="starter")
    line = Caller(gate)(keyed()).line("id", NOW, 200)
    assert (line.owner, line.charge) == (None, ("key",))


def test_the_owner_is_read_after_the_key_once_and_then_beside_it() -> None:
    gate = FakeGate(keys={PK: MINE}, rows={PK: (published(600),), OWNER_PK: (published(60),)}, plans={"shared": SHARED})
    caller = Caller(gate)
    for at_ms in (NOW, NOW + 1):
        assert caller(keyed(), at_ms=at_ms).decision.allowed
    assert gate.asked == [(PK,), (OWNER_PK,), (PK, OWNER_PK)]


def test_a_key_of_nobody_shares_no_quota() -> None:
    gate = FakeGate(keys={PK: replace(MINE, owner=None)}, plans={"shared": SHARED})
    verdict = Caller(gate)(keyed())
    assert (verdict.charge, [checked.limit.name for checked in verdict.decision.limits]) == (("key",), ["key-day"])


def test_a_rotated_key_is_counted_as_the_first_and_its_owner_pays_as_before() -> None:
    gate = FakeGate(keys={PK: replace(MINE, counted_as="0" * 16)}, plans={"shared": SHARED})
    caller = Caller(gate)
    for at_ms in (NOW, NOW + 2_000):
        line = caller(keyed(), at_ms=at_ms).line("id", at_ms, 200)
        assert (line.key, line.owner, line.charge) == ("0" * 16, "acme #1", ("key", "owner"))
    assert gate.asked == [(PK,), (f"key#{'0' * 16}", OWNER_PK), (PK, f"key#{'0' * 16}", OWNER_PK)]
