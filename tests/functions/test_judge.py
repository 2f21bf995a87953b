"""Judging calls: who pays by which plan, what is refused and as whom it is counted, and what happens when the gate
cannot be read."""

import json
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from gateway import ANONYMOUS, HOME, NOW, STARTER, STRICT, FakeGate, authorizer_event, published
from hypothesis import given
from hypothesis import strategies as st

from functions.authorizer.call import call_of
from functions.authorizer.gate_view import GateView
from functions.authorizer.judge import Judge, Judgement
from functions.authorizer.snapshots import Snapshots
from tallygate.aws.settings import AuthorizerSettings
from tallygate.core import keys
from tallygate.core.adjustments import Adjustments, Baseline, TopUp
from tallygate.core.credentials import StoredKey
from tallygate.core.decide import Decision
from tallygate.core.identity import parse_networks
from tallygate.core.lines import format_line, parse_line
from tallygate.core.plans import OnUnavailable
from tallygate.core.verdict import Verdict, verdict_of

SETTINGS = AuthorizerSettings(
    "prod", "eu-west-1", "gate", HOME, (HOME,), parse_networks("10.0.0.0/8"), 64, 150, "allow", "allow"
)
SECRET = keys.mint("prod", random.Random(1).choice)
OTHER = keys.mint("prod", random.Random(2).choice)
KEY = keys.key_id(SECRET)
PK = f"key#{KEY}"
GOOD = StoredKey(keys.secret_hash(SECRET), "starter", "active")
MINUTE = 60_000


def judge_of(gate: FakeGate, settings: AuthorizerSettings = SETTINGS) -> Judge:
    return Judge(settings, GateView(gate, HOME, Snapshots()))


class Caller:
    """Calls one judge, at times of its own."""

    def __init__(self, gate: FakeGate, settings: AuthorizerSettings = SETTINGS) -> None:
        self._judge = judge_of(gate, settings)

    def judge(
        self, headers: Mapping[str, str] | None = None, *, at_ms: int = NOW, path: str = "/v1/whoami", **event: str
    ) -> Judgement:
        made = authorizer_event(headers, at_ms=at_ms, path=path, **event)  # type: ignore[arg-type]
        return self._judge.judge(call_of(made, at_ms))

    def __call__(self, headers: Mapping[str, str] | None = None, *, at_ms: int = NOW, **event: str) -> Verdict:
        return self.judge(headers, at_ms=at_ms, **event).verdict


def keyed(secret: str = SECRET) -> dict[str, str]:
    return {"x-api-key": secret}


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
    gate.adjusted[PK] = Adjustments().reset({"day": counted}, NOW).topped_up("month", TopUp("a", 500), NOW)
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
    gate.adjusted[address] = Adjustments().reset({"day": {HOME: Baseline(150, NOW)}}, NOW)
    verdict = Caller(gate)({})
    assert verdict.decision.refusal == "quota"
    assert verdict.line("request-1", NOW, 429).caps == {"ip": {"day": 350}}


def test_adjustments_are_remembered_while_the_gate_cannot_be_read() -> None:
    gate = FakeGate(rows={PK: (published(1000),)}, keys={PK: GOOD})
    gate.adjusted[PK] = Adjustments().reset({"day": {HOME: Baseline(1000, NOW)}}, NOW)
    caller = Caller(gate)
    assert caller(keyed()).decision.allowed
    gate.is_down = True
    for later_ms in (MINUTE, 10 * MINUTE):  # within what a snapshot is good for, and beyond
        verdict = caller(keyed(), at_ms=NOW + later_ms)
        assert verdict.decision.allowed
        assert verdict.line("request-1", NOW, 200).caps == {"key": {"day": 2000, "month": 5000}}


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


def test_what_this_container_admits_counts_before_it_is_published() -> None:
    gate = FakeGate(plans={"anonymous": replace(ANONYMOUS, limits=ANONYMOUS.limits[:1])})
    caller = Caller(gate)
    admitted = [caller(at_ms=NOW + call, id=f"request-{call}").decision.allowed for call in range(203)]
    assert admitted == [True] * 200 + [False] * 3
    gate.rows["ip#203.0.113.7"] = (published(200, at_ms=NOW + 10_000),)
    assert caller(at_ms=NOW + 12_000).decision.retry_after_seconds == 12 * 3600 - 12


def test_far_from_every_limit_a_snapshot_stands_in_for_a_second() -> None:
    gate = FakeGate(rows={PK: (published(400),)}, keys={PK: GOOD})
    caller = Caller(gate)
    for at_ms in (NOW, NOW + 1, NOW + 999):
        assert caller(keyed(), at_ms=at_ms).decision.allowed
    assert gate.asked == [(PK,)]
    caller(keyed(), at_ms=NOW + 1_000)
    assert gate.asked == [(PK,), (PK,)]


def test_near_a_limit_every_call_reads() -> None:
    gate = FakeGate(rows={PK: (published(500),)}, keys={PK: GOOD})
    caller = Caller(gate)
    for at_ms in (NOW, NOW + 1):
        caller(keyed(), at_ms=at_ms)
    assert gate.asked == [(PK,), (PK,)]


def test_an_unknown_key_is_remembered_for_five_seconds() -> None:
    gate = FakeGate()
    caller = Caller(gate)
    for at_ms in (NOW, NOW + 4_999):
        assert caller(keyed(), at_ms=at_ms).key_fault == "unknown"
    assert gate.asked == [(PK,)]
    gate.keys[PK] = GOOD
    assert caller(keyed(), at_ms=NOW + 5_000).decision.allowed


def test_a_revoked_key_is_refused_as_soon_as_it_is_read() -> None:
    gate = FakeGate(keys={PK: GOOD})
    caller = Caller(gate)
    assert caller(keyed()).decision.allowed
    gate.keys[PK] = replace(GOOD, status="revoked")
    assert caller(keyed(), at_ms=NOW + 1_000).key_fault == "revoked"


def test_plans_are_read_again_after_thirty_seconds() -> None:
    gate = FakeGate()
    caller = Caller(gate)
    caller()
    gate.plans["anonymous"] = replace(ANONYMOUS, limits=())
    assert caller(at_ms=NOW + 29_999).caps
    assert not caller(at_ms=NOW + 30_000).caps
    assert gate.plans_asked == 2


def test_when_reads_fail_the_last_snapshot_decides_for_five_minutes() -> None:
    gate = FakeGate(rows={PK: (published(1000),)}, keys={PK: GOOD})
    caller = Caller(gate)
    caller(keyed())
    gate.is_down = True
    judgement = caller.judge(keyed(), at_ms=NOW + 5 * MINUTE)
    assert judgement.verdict.decision.refusal == "quota"
    assert judgement.reading is not None
    assert judgement.reading.failures
    beyond = caller(keyed(), at_ms=NOW + 5 * MINUTE + 2_000)
    assert (beyond.decision, beyond.plan) == (Decision(), "starter")


def test_an_old_snapshot_still_tells_the_plan_and_not_that_a_key_is_unknown() -> None:
    gate = FakeGate(keys={PK: replace(GOOD, plan="strict")})
    caller = Caller(gate)
    assert caller(keyed()).decision.allowed
    assert caller(keyed(OTHER)).key_fault == "unknown"
    gate.is_down, gate.plans = True, {}
    assert caller(keyed(), at_ms=NOW + 6 * MINUTE).plan == "strict"
    assert caller(keyed(), at_ms=NOW + 6 * MINUTE + 1).decision.refusal == "unavailable"
    assert caller(keyed(OTHER), at_ms=NOW + 6 * MINUTE + 2).key_fault is None


def test_of_two_anonymous_plans_the_first_by_name_holds() -> None:
    visitors = replace(ANONYMOUS, name="visitors")
    for plans in ((ANONYMOUS, visitors), (visitors, ANONYMOUS)):
        assert Caller(FakeGate(plans={plan.name: plan for plan in plans}))().plan == "anonymous"


def test_with_nothing_to_go_by_the_plan_says_what_happens() -> None:
    strict = replace(ANONYMOUS, on_unavailable="deny")
    for plan, refusal in ((ANONYMOUS, None), (strict, "unavailable")):
        gate = FakeGate(plans={"anonymous": plan})
        caller = Caller(gate)
        caller({}, source_ip="203.0.113.1")
        gate.is_down = True
        verdict = caller({}, source_ip="203.0.113.2", at_ms=NOW + 1)
        assert verdict.decision.refusal == refusal
        assert verdict.decision.limits == ()
        assert (verdict.plan, verdict.charge) == ("anonymous", ("ip",))


def test_one_identifier_that_cannot_be_read_leaves_the_other_checked() -> None:
    gate = FakeGate(rows={"ip#203.0.113.7": (published(200),)}, unreadable={"ref#shop.example"})
    verdict = Caller(gate)()
    assert [checked.limit.name for checked in verdict.decision.limits] == ["ip-day"]
    assert verdict.decision.refusal == "quota"


def test_a_caller_whose_plan_nobody_knows_is_held_to_the_strictest_that_it_could_be() -> None:
    for plans, refusal in (((ANONYMOUS, STARTER), None), ((ANONYMOUS, STARTER, STRICT), "unavailable")):
        gate = FakeGate(plans={plan.name: plan for plan in plans}, keys={PK: GOOD})
        caller = Caller(gate)
        caller()
        gate.is_down = True
        verdict = caller(keyed(), at_ms=NOW + 1)
        assert verdict.decision.refusal == refusal


@pytest.mark.parametrize(("anonymous", "keyed_"), [("allow", "deny"), ("deny", "allow"), ("allow", "allow")])
def test_while_no_plan_was_ever_read_what_the_deployment_says_holds(
    anonymous: OnUnavailable, keyed_: OnUnavailable
) -> None:
    settings = replace(SETTINGS, anonymous_on_unavailable=anonymous, keyed_on_unavailable=keyed_)
    caller = Caller(FakeGate(is_down=True), settings)
    judgement = caller.judge()
    assert judgement.verdict.decision.refusal == (None if anonymous == "allow" else "unavailable")
    assert (judgement.verdict.plan, judgement.verdict.caps, judgement.missing_plan) == (None, {}, None)
    assert caller(keyed()).decision.refusal == (None if keyed_ == "allow" else "unavailable")


def test_what_the_deployment_says_holds_only_while_no_plan_is_known() -> None:
    gate = FakeGate()
    caller = Caller(gate, replace(SETTINGS, anonymous_on_unavailable="deny"))
    caller({}, source_ip="203.0.113.1")
    gate.is_down = True
    assert caller({}, source_ip="203.0.113.2", at_ms=NOW + 1).decision.allowed


def test_a_key_that_could_not_be_verified_is_counted_under_no_name_of_its_own() -> None:
    gate = FakeGate(is_down=True)
    verdict = Caller(gate)(keyed())
    assert (verdict.decision.allowed, verdict.key, verdict.charge) == (True, "invalid", ())
    gate = FakeGate(keys={PK: GOOD})
    caller = Caller(gate)
    caller(keyed())
    gate.is_down = True
    verdict = caller(keyed(), at_ms=NOW + 6 * MINUTE)
    assert (verdict.decision.allowed, verdict.key, verdict.charge) == (True, KEY, ("key",))


def test_a_plan_that_is_missing_is_named() -> None:
    gate = FakeGate(keys={PK: replace(GOOD, plan="gone")}, plans={"anonymous": ANONYMOUS})
    judgement = Caller(gate).judge(keyed())
    assert judgement.missing_plan == "gone"
    assert judgement.verdict.decision == Decision()
    assert Caller(FakeGate(plans={"starter": STARTER})).judge().missing_plan == "the anonymous plan"


def test_a_store_that_does_not_answer_is_left_alone_for_a_second() -> None:
    gate = FakeGate(is_down=True)
    caller = Caller(gate)
    for at_ms in (NOW, NOW + 200, NOW + 400, NOW + 600, NOW + 1_399):
        assert caller(at_ms=at_ms).decision.allowed
    assert len(gate.asked) == 3
    gate.is_down = False
    gate.rows["ip#203.0.113.7"] = (published(200),)
    assert caller(at_ms=NOW + 1_400).decision.refusal == "quota"
    assert caller(at_ms=NOW + 1_401).decision.refusal == "quota"
    assert len(gate.asked) == 5


def test_plans_outlive_an_outage() -> None:
    gate = FakeGate(plans={"anonymous": replace(ANONYMOUS, on_unavailable="deny")})
    caller = Caller(gate)
    caller()
    gate.is_down = True
    assert caller(at_ms=NOW + 60 * MINUTE).decision.refusal == "unavailable"
