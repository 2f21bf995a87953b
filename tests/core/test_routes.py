"""What calls weigh."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallygate.core.routes import ALL_ALIKE, Routes

ROUTES = Routes(
    {
        "/v1/search": 5,
        "POST /v1/search": 7,
        "/v1/*": 2,
        "/v1/export/*": 20,
        "GET /v1/export/*": 30,
        "GET /v1/export/small/*": 3,
        "/v1/export/free": 0,
        "/health": 0,
        "/v10": 9,
    }
)


@pytest.mark.parametrize(
    ("method", "path", "units"),
    [
        ("GET", "/v1/search", 5),
        ("DELETE", "/v1/search", 5),
        ("POST", "/v1/search", 7),
        ("GET", "/v1/search/", 2),
        ("GET", "/v1/export/all", 30),
        ("POST", "/v1/export/all", 20),
        ("GET", "/v1/export/small/1", 3),
        ("POST", "/v1/export/small/1", 20),
        ("GET", "/v1/export/free", 0),
        ("GET", "/v1/export", 2),
        ("GET", "/v1/", 2),
        ("GET", "/v1", 1),
        ("GET", "/v10", 9),
        ("GET", "/health", 0),
        ("GET", "/", 1),
        ("GET", "", 1),
        ("get", "/elsewhere", 1),
    ],
)
def test_a_whole_path_goes_before_a_beginning_and_a_longer_one_before_others(
    method: str, path: str, units: int
) -> None:
    assert ROUTES.units_of(method, path) == units


def test_asking_for_ones_usage_is_free_whatever_is_said_of_routes() -> None:
    for routes in (ALL_ALIKE, ROUTES, Routes({"/*": 9})):
        assert routes.units_of("GET", "/v1/usage") == routes.units_of("HEAD", "/v1/usage") == 0
    assert ROUTES.units_of("POST", "/v1/usage") == 2


@given(st.sampled_from([*ROUTES.units, "/elsewhere", "/v1/usage"]))
def test_head_is_as_get(pattern: str) -> None:
    path = pattern.partition(" ")[2] or pattern
    assert ROUTES.units_of("HEAD", path) == ROUTES.units_of("GET", path)


@given(st.text(), st.text())
def test_whatever_is_asked_for_weighs_something_that_is_said_or_1(method: str, path: str) -> None:
    assert ROUTES.units_of(method, path) in {1, 0, *ROUTES.units.values()}
    assert ALL_ALIKE.units_of(method, path) == 1


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "v1/search", "*", "/v1/*/x", "/v1/**", "/v1 /x", "/ä", "GET", "/" + "a" * 300),
        *("HEAD /v1/x", "get /v1/x", "GET  /x", "GET /v1/usage", "/v1/usage"),
    ],
)
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"a path like /v1/search|GET, which is HEAD|which is free"):
        Routes({pattern: 1})
