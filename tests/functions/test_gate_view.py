"""What a container remembers of the gate, and what holds when it cannot be read."""

from dataclasses import replace

import pytest
from gateway import ANONYMOUS, HOME, NOW, STARTER, STRICT, FakeGate, published
from judging import GOOD, KEY, MINUTE, OTHER, PK, SETTINGS, Caller, keyed

from tallygate.core.adjustments import Adjustments, Baseline
from tallygate.core.decide import Decision
from tallygate.core.plans import OnUnavailable


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


def test_a_key_on_a_plan_that_was_just_applied_is_held_to_it_at_once_and_a_plan_that_is_not_there_costs_little() -> (
    None
):
    gate = FakeGate(keys={PK: replace(GOOD, plan="newer")})
    caller = Caller(gate)
    caller()
    assert caller(keyed(), at_ms=NOW + 4_000).plan is None
    gate.plans["newer"] = replace(STRICT, name="newer")
    assert caller(keyed(), at_ms=NOW + 4_900).plan is None
    assert gate.plans_asked == 1
    assert caller(keyed(), at_ms=NOW + 5_000).plan == "newer"
    assert gate.plans_asked == 2


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


def test_a_plan_in_shadow_denies_nobody_what_cannot_be_read() -> None:
    gate = FakeGate(plans={"anonymous": replace(ANONYMOUS, on_unavailable="deny", shadow=True)})
    caller = Caller(gate)
    assert caller().decision.would is None
    gate.is_down = True
    blind = caller(at_ms=NOW + 60 * MINUTE)
    assert (blind.decision.allowed, blind.decision.would, blind.shadow) == (True, "unavailable", True)
    assert caller(keyed(), at_ms=NOW + 61 * MINUTE).decision.allowed, "nor those who might be on it"


def test_plans_outlive_an_outage() -> None:
    gate = FakeGate(plans={"anonymous": replace(ANONYMOUS, on_unavailable="deny")})
    caller = Caller(gate)
    caller()
    gate.is_down = True
    assert caller(at_ms=NOW + 60 * MINUTE).decision.refusal == "unavailable"


def test_adjustments_are_remembered_while_the_gate_cannot_be_read() -> None:
    gate = FakeGate(rows={PK: (published(1000),)}, keys={PK: GOOD})
    gate.adjusted[PK] = Adjustments().reset({"day#2026-11-20": {HOME: Baseline(1000, NOW)}}, NOW)
    caller = Caller(gate)
    assert caller(keyed()).decision.allowed
    gate.is_down = True
    for later_ms in (MINUTE, 10 * MINUTE):  # within what a snapshot is good for, and beyond
        verdict = caller(keyed(), at_ms=NOW + later_ms)
        assert verdict.decision.allowed
        assert verdict.line("request-1", NOW, 200).caps == {"key": {"day": 2000, "month": 5000}}
