"""What a container remembers is bounded, whoever calls."""

from gateway import HOME, NOW, FakeGate, authorizer_event, published

from functions.authorizer.call import call_of
from functions.authorizer.judge import Judge
from tallygate.aws.settings import AuthorizerSettings
from tallygate.core.gate import Partition
from tallygate.core.gate_view import GateView
from tallygate.core.snapshots import MAX_ADMISSIONS, Snapshot, Snapshots
from tallygate.core.usage import Admission

MINUTE_STARTS = NOW - NOW % 60_000


def test_hostile_callers_push_out_each_other() -> None:
    snapshots = Snapshots(most=10)
    settings = AuthorizerSettings("prod", HOME, "gate", HOME, (HOME,), (), 64, 150, "allow", "allow")
    judge = Judge(settings, GateView(FakeGate(), HOME, snapshots))
    for number in range(200):
        event = authorizer_event({"referer": f"https://s{number}.example/"}, at_ms=NOW + number, id=f"request-{number}")
        judge.judge(call_of(event, NOW))
    assert len(snapshots) == 10
    # The one address behind all those sites was never forgotten: its 200 calls are spent.
    event = authorizer_event({"referer": "https://s.example/"}, at_ms=NOW + 300)
    assert judge.judge(call_of(event, NOW)).verdict.decision.refusal == "quota"


def test_the_one_unused_for_longest_is_forgotten() -> None:
    snapshots = Snapshots(most=2)
    first, second = snapshots.of("ip#1"), snapshots.of("ip#2")
    assert snapshots.of("ip#1") is first
    snapshots.of("ip#3")
    assert snapshots.of("ip#1") is first
    assert snapshots.of("ip#2") is not second


def test_admissions_are_merged_and_none_is_lost() -> None:
    snapshot = Snapshot()
    for number in range(10_000):
        snapshot.admit(Admission(MINUTE_STARTS + 10 * number, 2))
    assert len(snapshot.admitted) == MAX_ADMISSIONS
    assert sum(admission.units for admission in snapshot.admitted) == 20_000
    assert snapshot.admitted[0].at_ms == MINUTE_STARTS
    assert snapshot.admitted[-1] == Admission(MINUTE_STARTS + 99_500, 100)


def test_what_the_home_has_counted_is_no_longer_kept() -> None:
    snapshot = Snapshot()
    for number in range(5):
        snapshot.admit(Admission(NOW + 1_000 * number, 1))
    away = published(7, at_ms=NOW + 10_000, home="eu-west-1")
    snapshot.renew(Partition((published(3, at_ms=NOW + 2_000), away)), HOME, NOW + 5_000)
    assert [admission.at_ms for admission in snapshot.admitted] == [NOW + 3_000, NOW + 4_000]


def test_a_container_learns_what_part_of_the_calls_it_sees() -> None:
    snapshot = Snapshot()
    assert snapshot.usage().share == 0
    snapshot.renew(Partition((published(100, at_ms=NOW),)), HOME, NOW + 1)
    for number in range(10):
        snapshot.admit(Admission(NOW + 1_000 * number, 1))
    snapshot.renew(Partition((published(140, at_ms=NOW + 8_000),)), HOME, NOW + 9_500)
    assert snapshot.usage().share == 8 / 40
    snapshot.renew(Partition((published(150, at_ms=NOW + 9_000),)), HOME, NOW + 9_900)
    assert snapshot.usage().share == (8 / 2 + 1) / (40 / 2 + 10)


def test_the_pace_of_a_container_is_of_this_second_and_this_minute() -> None:
    snapshot = Snapshot()
    for back_ms in (61_000, 1_500, 900, 100):
        snapshot.admit(Admission(MINUTE_STARTS - back_ms, 2))
    pace = snapshot.usage().pace
    assert [pace.units_in(window, MINUTE_STARTS - 1) for window in ("second", "minute")] == [4, 6]
    assert [pace.units_in(window, MINUTE_STARTS) for window in ("second", "minute")] == [0, 0]
