"""Spending a quota, before it is shown that it is spent."""

from collections import Counter
from collections.abc import Iterable

import pytest

from tallygate.core.plans import Limit, Plan
from tallygate.demo.calls import Call
from tallygate.demo.quotas import Quotas
from tallygate.demo.sender import Answer

REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")
PLAN = Plan("anonymous", (Limit("ip", 200, "day"),), anonymous=True)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallygate.demo.quotas.SETTLE_SECONDS", 0)


def test_a_quota_is_spent_however_few_calls_are_admitted_at_a_time() -> None:
    """As it is on a machine so busy that the limiter is careful at every step."""
    admitted: Counter[str] = Counter()

    def send(calls: Iterable[Call]) -> list[Answer]:
        answers = []
        for number, call in enumerate(calls):
            is_admitted = number == 0 and admitted[call.client] < 200
            admitted[call.client] += is_admitted
            answers.append(Answer(call, 200 if is_admitted else 429, {"retry-after": "0"}))
        return answers

    _, refused_everywhere, *_ = Quotas(send, lambda: None, REGIONS, [PLAN], [], []).claims()
    assert refused_everywhere.holds, refused_everywhere.seen
    assert list(admitted.values())[1:] == [200] * len(REGIONS)


def test_a_quota_that_takes_too_long_to_spend_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallygate.demo.quotas.MOST_SPENDING_SECONDS", 0)
    claims = Quotas(
        lambda calls: [Answer(call, 429, {"retry-after": "1"}) for call in calls],
        lambda: None,
        REGIONS,
        [PLAN],
        [],
        [],
    ).claims()
    assert [claim.holds for claim in claims] == [False, False, None]
