"""Quotas of the deployed pipeline hold in every region, whichever region was called."""

import time
from collections.abc import Callable

import pytest

from tallygate.local.world import World
from tests.pipeline.calls import Asked, ask, ask_all

SYDNEY, IRELAND, VIRGINIA = "ap-southeast-2", "eu-west-1", "us-east-1"
FREE_PER_DAY = 200


def _left(world: World, region: str, headers: dict[str, str | bytes]) -> str:
    return ask(world, Asked(region, headers, "/v1/usage")).headers["X-RateLimit-Remaining"]


def _spend(world: World, region: str, headers: dict[str, str | bytes], quota: int) -> None:
    """Use up a quota as a caller would: a part at a time, and on when the limiter, unsure of what is still on its
    way, said later."""
    for _ in range(200):
        world.wait_until_caught_up()
        (limit,) = ask(world, Asked(region, headers, "/v1/usage")).json()["usage"]
        if limit["used"] >= quota:
            return
        ask_all(world, [Asked(region, headers)] * min(20, quota - limit["used"]))
    pytest.fail(f"the quota was never spent: {limit}")


def test_ten_calls_in_sydney_and_fifty_in_ireland_are_sixty(world: World, fresh_ip: Callable[[], str]) -> None:
    caller: dict[str, str | bytes] = {"X-Forwarded-For": fresh_ip()}
    assert set(ask_all(world, [Asked(SYDNEY, caller)] * 10 + [Asked(IRELAND, caller)] * 50)) == {200}
    world.wait_until_caught_up()
    usage = {region: ask(world, Asked(region, caller, "/v1/usage")).json() for region in world.endpoints}
    for region, answer in usage.items():
        (limit,) = [limit for limit in answer["usage"] if limit["kind"] == "ip"]
        assert (limit["used"], limit["limit"], limit["remaining"]) == (60, FREE_PER_DAY, 140), region


@pytest.mark.parametrize("spent_in", [SYDNEY, VIRGINIA])
def test_a_spent_free_quota_is_refused_in_every_region_until_the_day_ends(
    world: World, fresh_ip: Callable[[], str], spent_in: str
) -> None:
    caller: dict[str, str | bytes] = {"X-Forwarded-For": fresh_ip()}
    _spend(world, spent_in, caller, FREE_PER_DAY)
    for region in world.endpoints:
        answer = ask(world, Asked(region, caller))
        assert answer.status_code == 429
        assert answer.headers["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert (problem["status"], problem["violated-policies"]) == (429, ["ip-day"])
        until_midnight = 86_400 - time.time() % 86_400
        assert 0 < int(answer.headers["Retry-After"]) <= until_midnight + 5
        assert answer.headers["X-RateLimit-Remaining"] == "0"
        assert ask(world, Asked(region, caller, "/v1/usage")).status_code == 200, "asking for one's usage is free"


def test_a_key_spent_in_one_region_is_refused_in_the_others_and_another_key_is_not(
    world: World, fresh_ip: Callable[[], str], new_key: Callable[[str], str]
) -> None:
    address = fresh_ip()
    spent: dict[str, str | bytes] = {"X-Forwarded-For": address, "x-api-key": new_key("trial")}
    other: dict[str, str | bytes] = {"X-Forwarded-For": address, "Authorization": f"Bearer {new_key('trial')}"}
    _spend(world, VIRGINIA, spent, 50)
    statuses = ask_all(
        world, [Asked(region, headers) for region in (SYDNEY, IRELAND, VIRGINIA) for headers in (spent, other)]
    )
    assert statuses == [429, 200] * 3


def test_calls_with_a_key_use_up_no_quota_of_the_address(
    world: World, fresh_ip: Callable[[], str], new_key: Callable[[str], str]
) -> None:
    address = fresh_ip()
    office: dict[str, str | bytes] = {"X-Forwarded-For": address, "x-api-key": new_key("pro")}
    assert set(ask_all(world, [Asked(IRELAND, office)] * (FREE_PER_DAY + 20))) == {200}
    world.wait_until_caught_up()
    colleague = ask(world, Asked(IRELAND, {"X-Forwarded-For": address}))
    assert (colleague.status_code, colleague.headers["X-RateLimit-Remaining"]) == (200, str(FREE_PER_DAY - 1))


def test_a_bad_key_is_refused_and_never_served_as_the_free_tier(world: World, fresh_ip: Callable[[], str]) -> None:
    for key in ("", "tg_local_mistyped", "tg_prod_" + "a" * 36):
        answer = ask(world, Asked(SYDNEY, {"X-Forwarded-For": fresh_ip(), "x-api-key": key}))
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")
        assert key not in answer.text or not key


def test_head_tells_the_length_of_what_get_answers(world: World) -> None:
    get, head = (ask(world, Asked(IRELAND, {"x-api-key": "mistyped"}, method=method)) for method in ("GET", "HEAD"))
    assert (get.status_code, head.status_code) == (401, 401)
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(get.content))
    assert head.content == b""
