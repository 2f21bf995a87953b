"""The verdict arrives as it was given, or not at all; and it tells callers what is wrong without telling too much."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core import keys
from tallygate.core.adjustments import Allowance, Baseline
from tallygate.core.credentials import StoredKey, fault_of
from tallygate.core.decide import Checked, Decision
from tallygate.core.lines import format_line, parse_line
from tallygate.core.plans import Limit
from tallygate.core.problem_types import PROBLEM_TYPES
from tallygate.core.problems import problem_of
from tallygate.core.standing import Before
from tallygate.core.verdict import InvalidVerdictError, KeyFault, Verdict, verdict_of

CHECKED = Checked(Limit("ip", 200, "day"), 13, 86_400_000, 1_795_219_200_000)
SPENT = Checked(Limit("ip", 10, "day"), 10, 86_400_000, 1_795_219_200_000, True, 1_795_219_200_000)
WARNED = replace(CHECKED, limit=Limit("ip", 10, "day", soft=True), exceeded=True)
NOTHING_BEFORE = Before(0, Allowance())
NOW = 1_795_176_000_250


def verdict(decision: Decision, key_fault: KeyFault | None = None) -> Verdict:
    return Verdict(
        ip="203.0.113.7",
        ref="shop.example",
        plan="anonymous",
        charge=("ip", "ref"),
        caps={"ip": {"day": 200}},
        home="us-east-1",
        region="eu-west-1",
        units=1,
        decision=decision,
        key_fault=key_fault,
    )


VERDICTS = [
    verdict(Decision((CHECKED,))),
    verdict(Decision((SPENT, CHECKED), "quota", 43_200)),
    verdict(Decision((), "unavailable", 5)),
    verdict(Decision(refusal="key"), "revoked"),
    Verdict("unknown", "us-east-1", "us-east-1", 0, Decision()),
    replace(verdict(Decision((CHECKED,))), key="9f2c", charge=("key", "owner"), owner="Bücher & Söhne #1"),
    replace(verdict(Decision((CHECKED,))), key="9f2c", charge=("key",), epochs={"orders": 3, "a.b-c_9": 1}),
    replace(verdict(Decision((SPENT, CHECKED), "quota", 43_200)), bases={"ip": {"day": {"us-east-1": 150, "x": 7}}}),
    replace(
        verdict(Decision((replace(CHECKED, limit=Limit("ip", 9, "hour", rolling=True)), WARNED), would="quota")),
        before={"ip": {"day": Before(7, Allowance({"us-east-1": Baseline(3, NOW)}, 50)), "hour": NOTHING_BEFORE}},
        shadow=True,
    ),
]


@pytest.mark.parametrize("given_verdict", VERDICTS)
def test_a_verdict_arrives_as_it_was_given(given_verdict: Verdict) -> None:
    assert verdict_of(given_verdict.to_json()) == given_verdict


@given(
    st.none() | st.text() | st.integers() | st.recursive(st.text() | st.none(), lambda x: st.lists(x)).map(json.dumps)
)
def test_what_is_no_verdict_is_refused(context: object) -> None:
    with pytest.raises(InvalidVerdictError):
        verdict_of(context)


@pytest.mark.parametrize("name", ["ip", "home", "region", "units", "charge", "caps", "decision"])
def test_half_a_verdict_is_refused(name: str) -> None:
    fields = json.loads(VERDICTS[0].to_json())
    del fields[name]
    with pytest.raises(InvalidVerdictError):
        verdict_of(json.dumps(fields))


@pytest.mark.parametrize("allowed", [False, None, "true", 1])
def test_only_true_lets_a_call_through(allowed: object) -> None:
    fields = json.loads(VERDICTS[0].to_json())
    fields["decision"]["allowed"] = allowed
    with pytest.raises(InvalidVerdictError):
        verdict_of(json.dumps(fields))


@pytest.mark.parametrize("given_verdict", VERDICTS)
def test_the_usage_line_of_a_verdict_is_one_that_is_counted(given_verdict: Verdict) -> None:
    line = given_verdict.line("request-1", NOW, 200)
    assert parse_line(json.loads(format_line(line))) == line
    assert line.verdict == given_verdict.decision.refusal
    assert line.would == given_verdict.decision.would
    assert line.units == (given_verdict.units if given_verdict.decision.allowed else 0)


@pytest.mark.parametrize("decision", [Decision((CHECKED,)), Decision((SPENT,), "quota", 43_200)])
def test_the_caps_of_a_line_are_those_of_the_counts_of_its_home(decision: Decision) -> None:
    adjusted = replace(verdict(decision), bases={"ip": {"day": {"us-east-1": 150, "eu-west-1": 7}}})
    assert adjusted.line("request-1", NOW, 200).caps == {"ip": {"day": 350}}
    assert replace(adjusted, home="eu-west-1").line("request-1", NOW, 200).caps == {"ip": {"day": 207}}
    assert replace(adjusted, home="ap-southeast-2").line("request-1", NOW, 200).caps == {"ip": {"day": 200}}


@pytest.mark.parametrize(("weighs", "cap"), [(0, 200), (7, 193), (199, 1), (200, 1), (500, 1)])
def test_a_rolling_limit_travels_as_what_the_window_before_leaves_of_it(weighs: int, cap: int) -> None:
    before = {"ip": {"day": Before(weighs, Allowance())}}
    rolling = replace(verdict(Decision()), before=before, caps={"ip": {"day": 200, "day-soft": 150}})  # type: ignore[arg-type]
    assert rolling.line("request-1", NOW, 200).caps == {"ip": {"day": cap, "day-soft": 150}}
    adjusted = replace(rolling, bases={"ip": {"day": {"us-east-1": 30}}})
    assert adjusted.line("request-1", NOW, 200).caps == {"ip": {"day": cap + 30, "day-soft": 180}}


def test_a_caller_of_a_plan_in_shadow_is_told_of_no_decision() -> None:
    decided = verdict(Decision((WARNED,), would="quota"))
    assert decided.told == decided.decision
    assert replace(decided, shadow=True).told == Decision()


def test_a_spent_quota_names_the_violated_policies_and_no_others() -> None:
    problem = problem_of(VERDICTS[1])
    assert problem is not None
    body = problem.body()
    assert (body["type"], body["status"]) == ("https://iana.org/assignments/http-problem-types#quota-exceeded", 429)
    assert body["violated-policies"] == ["ip-day"]
    assert body["detail"] == (
        "ip-day allows 10 a day; there is room for this call at 2026-11-21T00:00:00.000Z. Try again in 43200 s."
    )


def test_of_several_limits_the_one_that_opens_last_is_told_first_and_doubt_is_told_as_such() -> None:
    guess = replace(SPENT, limit=Limit("ip", 50, "hour"), used=51, guessed=3, opens_ms=NOW + 4_000, estimated=True)
    rolled = replace(SPENT, limit=Limit("ip", 9, "month", rolling=True), opens_ms=SPENT.opens_ms + 60_000)
    problem = problem_of(verdict(Decision((guess, CHECKED, SPENT, rolled), "quota", 43_260)))
    assert problem is not None
    assert problem.more["violated-policies"] == ["ip-hour", "ip-day", "ip-month"]
    assert problem.detail == (
        "ip-month allows 9 a month, that before counting in part; there is room for this call at "
        "2026-11-21T00:01:00.000Z. ip-day allows 10 a day; there is room for this call at 2026-11-21T00:00:00.000Z. "
        "ip-hour allows 50 an hour; with calls that are still being counted, they seem to be used up until "
        "2026-11-20T12:00:04.250Z. Try again in 43260 s."
    )
    told = problem.more["limits"]
    assert isinstance(told, list)
    assert [(each["policy"], each["used"], each["estimated"]) for each in told] == [
        ("ip-month", 10, False),
        ("ip-day", 10, False),
        ("ip-hour", 48, True),
    ]


def test_our_types_lead_to_wherever_they_are_described() -> None:
    problem = problem_of(verdict(Decision(refusal="key"), "revoked"))
    assert problem is not None
    assert problem.body()["type"] == "urn:problem-type:tallygate:invalid-key"
    told = problem.body("/v1/problems#", "UQoMlg7eDoEEPJg=")
    assert (told["type"], told["instance"]) == ("/v1/problems#invalid-key", "UQoMlg7eDoEEPJg=")
    assert "instance" not in problem.body()
    assert PROBLEM_TYPES[0].name == "quota-exceeded"


@pytest.mark.parametrize("fault", ["malformed", "unknown", "revoked", "expired"])
def test_a_bad_key_is_told_what_is_wrong_with_it(fault: KeyFault) -> None:
    problem = problem_of(verdict(Decision(refusal="key"), fault))
    assert problem is not None
    assert problem.status == 401
    assert problem.headers["WWW-Authenticate"].startswith("Bearer ")
    assert {"malformed": "not one of ours", "unknown": "no such", "revoked": "revoked", "expired": "expired"}[
        fault
    ] in problem.detail


def test_unreadable_usage_is_our_fault_and_temporary() -> None:
    problem = problem_of(VERDICTS[2])
    assert problem is not None
    assert (problem.status, problem.type.rpartition("#")[2]) == (503, "temporary-reduced-capacity")
    assert problem.more["violated-policies"] == [], "none is known to be exceeded"


def test_an_admitted_call_is_no_problem() -> None:
    assert problem_of(VERDICTS[0]) is None


SECRET = keys.mint("prod", lambda alphabet: alphabet[0])
HASH = keys.secret_hash(SECRET)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (StoredKey(HASH, "pro", "active"), None),
        (StoredKey(HASH, "pro", "active", NOW + 1), None),
        (StoredKey(HASH, "pro", "active", NOW), "expired"),
        (StoredKey(HASH, "pro", "revoked", NOW - 1), "revoked"),
        (StoredKey(HASH, "pro", "who knows"), "revoked"),
        (StoredKey(HASH[:16] + "0" * 48, "pro", "active"), "unknown"),
        (StoredKey(HASH[:16], "pro", "revoked"), "unknown"),
        (None, "unknown"),
    ],
)
def test_a_key_is_as_good_as_its_profile(stored: StoredKey | None, expected: KeyFault | None) -> None:
    assert fault_of(stored, HASH, NOW) == expected
