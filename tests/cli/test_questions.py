"""`usage history`, `top` and `standing`, and `pipeline`: what operators ask, as people and programs are answered."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from click.testing import CliRunner, Result
from rich.console import Console

from tallygate.cli import bars, main
from tallygate.core.history import InvalidParameterError
from tallygate.core.times import time_ms
from tallygate.operations.errors import UnreachableError

NOW = time_ms("2026-11-20T14:30")
COUNTS = {"admitted": 0, "charged": 0, "denied": 0}
Answers = Mapping[str, Any]


class Asked:
    """Answers what it was told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.queries: list[tuple[str, dict[str, str], int]] = []

    def __getattr__(self, question: str) -> Any:
        def answer(query: Mapping[str, str], now_ms: int) -> Any:
            self.queries.append((question, dict(query), now_ms))
            given = self.answers.pop(0)
            if isinstance(given, Exception):
                raise given
            return given

        return answer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """Stands for the tables. Every answer that it was given is asked for."""
    asked = Asked()
    monkeypatch.setattr("time.time_ns", lambda: NOW * 1_000_000)
    monkeypatch.setattr("tallygate.cli.target.find_target", lambda *_, **__: None)
    for command in ("usage_history", "usage_top", "usage_standing", "pipeline"):
        monkeypatch.setattr(f"tallygate.cli.{command}.operations_of", lambda target: asked)
    yield asked
    assert asked.answers == []


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env={"COLUMNS": "200"})


def row(start: str, admitted: int, denied: int, **by: int) -> dict[str, Any]:
    places = {name.replace("_", "-"): {**COUNTS, "admitted": count} for name, count in by.items()}
    return {"start": f"{start}T00:00:00.000Z", **COUNTS, "admitted": admitted, "denied": denied, "by": places}


def series(rows: list[dict[str, Any]], cursor: str | None = None, **fields: Any) -> dict[str, Any]:
    total = {figure: sum(row[figure] for row in rows) for figure in COUNTS}
    return {
        "kind": "ip",
        "value": "192.0.2.1",
        "granularity": "day",
        "from": "2026-11-18T00:00:00.000Z",
        "to": "2026-11-21T00:00:00.000Z",
        "kept_from": "2026-11-01T00:00:00.000Z",
        "rows": rows,
        "total": total,
        "cursor": cursor,
        **fields,
    }


PAGES = [
    series([row("2026-11-18", 5, 1, us_east_1=5), row("2026-11-19", 0, 0)], "more"),
    series([row("2026-11-20", 15, 4, us_east_1=5, eu_west_1=10)]),
]


def test_a_history_is_all_pages_as_of_one_time(asked: Asked) -> None:
    asked.answers = list(PAGES)
    result = run("usage", "history", "ip", "192.0.2.1", "--from", "2026-11-18", "--to", "2026-11-21", "--json")
    expected = {
        **series([row for page in PAGES for row in page["rows"]]),
        "total": {"admitted": 20, "charged": 0, "denied": 5},
    }
    del expected["cursor"]
    assert json.loads(result.stdout) == expected
    query = {
        "kind": "ip",
        "value": "192.0.2.1",
        "from": "2026-11-18",
        "to": "2026-11-21",
        "granularity": "day",
        "fill": "true",
    }
    assert asked.queries == [("usage", query, NOW), ("usage", {**query, "cursor": "more"}, NOW)]


def test_a_history_for_people_has_a_line_for_each_period_and_the_sum(asked: Asked) -> None:
    asked.answers = list(PAGES)
    lines = [line.split() for line in run("usage", "history", "ip", "192.0.2.1").stdout.splitlines()]
    assert lines == [
        ["ip", "192.0.2.1", "by", "the", "day"],
        ["day", "admitted", "charged", "denied", "eu-west-1", "us-east-1"],
        ["2026-11-18", "5", "0", "1", "0", "5"],
        ["2026-11-19", "0", "0", "0", "0", "0"],
        ["2026-11-20", "15", "0", "4", "10", "5"],
        ["all", "20", "0", "5", "10", "10"],
    ]
    assert asked.queries[0][1].keys() == {"kind", "value", "granularity", "fill"}


def test_on_a_terminal_there_are_bars_beside_the_figures(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    asked.answers = list(PAGES)
    monkeypatch.setattr(
        "tallygate.cli.usage_history.console", lambda: Console(force_terminal=True, color_system=None, width=200)
    )
    lines = run("usage", "history", "ip", "192.0.2.1").stdout.splitlines()
    assert [line.count("█") for line in lines[2:5]] == [7, 0, 24]


def test_all_regions_need_no_value_and_others_do(asked: Asked) -> None:
    asked.answers = [series([], kind="all", value=None)]
    result = run("usage", "history", "all", "--no-fill")
    assert result.stdout == "Nothing was counted of all regions.\n"
    assert asked.queries[0][1] == {"kind": "all", "granularity": "day", "fill": "false"}
    assert run("usage", "history", "key").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "parameter", "said"),
    [
        (("usage", "history", "ip", "x", "--from", "soon"), "from", "Invalid value for '--from': a time"),
        (("usage", "history", "ip", "x"), "value", "Invalid value for VALUE: a time"),
        (("usage", "top", "ip", "--day", "soon"), "period", "Invalid value for '--day': a time"),
        (("usage", "top", "ip", "--month", "2099-01"), "period", "Invalid value for '--month': a time"),
        (("usage", "standing", "ip", "x"), "value", "Invalid value for VALUE: a time"),
    ],
)
def test_what_is_wrong_with_a_question_is_said_of_its_option(
    asked: Asked, arguments: tuple[str, ...], parameter: str, said: str
) -> None:
    asked.answers = [InvalidParameterError(parameter, "a time")]
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize("may_pass", [True, False])
def test_what_cannot_be_read_is_a_failure_that_says_what_to_do(asked: Asked, may_pass: bool) -> None:
    asked.answers = [UnreachableError("the tally", "eu-west-1", "slow", may_pass=may_pass)]
    result = run("pipeline", "--json")
    later = "too much is asked of it at the moment; try again in a minute"
    hint = later if may_pass else "may these credentials read it? --profile"
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: the tally in eu-west-1 cannot be read: slow — {hint}\n"


def test_what_aws_says_of_it_is_told_as_everywhere(asked: Asked) -> None:
    error = UnreachableError("the tally", "eu-west-1", "no credentials", may_pass=False)
    error.__cause__ = NoCredentialsError()
    asked.answers = [error]
    assert run("pipeline").stderr == (
        "Error: the tally in eu-west-1 cannot be read: Unable to locate credentials: set AWS_PROFILE or "
        "AWS_ACCESS_KEY_ID, or give --profile\n"
    )


def limit(policy: str, used: int, quota: int) -> dict[str, Any]:
    return {"policy": policy, "window": "day", "limit": quota, "used": used, "resets": "2026-11-21T00:00:00.000Z"}


def test_the_busiest_are_shown_with_the_tightest_of_their_limits(asked: Asked) -> None:
    tops = [
        {"value": "acme", "admitted": 60, "charged": 60, "denied": 1, "by": {},
         "limits": [limit("key-day", 60, 100), limit("key-month", 60, 1_000)]},
        {"value": "bolt", "admitted": 7, "charged": 0, "denied": 0, "by": {}, "limits": []},
    ]  # fmt: skip
    document = {"kind": "key", "period": "2026-11-20", "top": tops, "complete": False}
    asked.answers = [document, document]
    result = run("usage", "top", "key", "--day", "2026-11-20", "--limit", "2")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["busiest", "by", "key", "in", "2026-11-20"],
        ["key", "admitted", "charged", "denied", "limit", "used"],
        ["acme", "60", "60", "1", "key-day", "60%"],
        ["bolt", "7", "0", "0"],
    ]
    assert result.stderr == "Others may be larger: many were large in the month and small on this day.\n"
    assert asked.queries == [("top", {"kind": "key", "period": "2026-11-20", "limit": "2"}, NOW)]
    assert json.loads(run("usage", "top", "key", "--json").stdout) == document


def test_a_month_and_a_day_contradict_each_other(asked: Asked) -> None:
    assert run("usage", "top", "ip", "--month", "2026-11", "--day", "2026-11-20").exit_code == 2


STANDING = {
    "kind": "key",
    "value": "0123456789abcdef",
    "plan": "starter",
    "owner": "acme",
    "state": "active",
    "taken_over_by": None,
    "limits": [{**limit("key-day", 998, 1_000), "published": 950, "remaining": 2, "rolling": False, "soft": False}],
    "decision": {"allowed": True, "refused_by": []},
    "homes": [
        {"home": "us-east-1", **COUNTS, "admitted": 998, "counted_at": "2026-11-20T14:29:58.000Z", "published_at": None,
         "rate": 1.25},
    ],
    "adjustments": {"baselines": {}, "top_ups": {}},
}  # fmt: skip


def test_a_standing_says_what_a_call_would_be_told_and_why(asked: Asked) -> None:
    refused = {**STANDING, "plan": None, "decision": {"allowed": False, "refused_by": ["key-day", "key-month"]}}
    asked.answers = [STANDING, refused, STANDING]
    ask = ("usage", "standing", "key", "0123456789abcdef")
    lines = [line.split() for line in run(*ask).stdout.splitlines()]
    assert lines[0] == ["key", "0123456789abcdef:", "acme,", "active,", "plan", "starter"]
    assert lines[1] == ["A", "call", "would", "be", "let", "through."]
    assert ["key-day", "1,000", "998", "2", "950", "2026-11-21T00:00:00.000Z"] in lines
    assert ["us-east-1", "998", "0", "0", "1.2", "2026-11-20T14:29:58.000Z", "nothing", "yet"] in lines
    told = run(*ask).stdout
    assert "no plan" in told
    assert "A call would be refused: key-day, key-month." in told
    assert json.loads(run(*ask, "--json").stdout) == STANDING


def test_the_standing_of_a_rotated_key_leads_to_the_one_that_took_over(asked: Asked) -> None:
    asked.answers = [{**STANDING, "state": "expired", "taken_over_by": "fedcba9876543210"}]
    told = run("usage", "standing", "key", "0123456789abcdef").stdout
    assert "Its callers go on with key fedcba9876543210." in told


def test_a_pipeline_is_shown_writer_by_writer_with_what_was_rejected(asked: Asked) -> None:
    writer = {
        "home": "us-east-1",
        "writer": "shard-0",
        "counted_at": "2026-11-20T14:29:58.000Z",
        "delay_ms": {"arrival": 4_000, "counted": 9_500, "published": None},
        "lines_per_second": 12.5,
        "behind_ms": 0,
        "waiting_since": None,
        "recent": [],
    }
    rejects = [
        {"home": "us-east-1", "waiting": 2, "in_flight": 1},
        {"home": "eu-west-1", "waiting": 0, "in_flight": 0},
    ]
    document = {"at": "2026-11-20T14:30:00.000Z", "writers": [writer], "rejects": rejects}
    asked.answers = [document, {**document, "writers": []}, document]
    shown = run("pipeline").stdout.splitlines()
    assert shown[1].split() == [
        *("us-east-1", "shard-0", "2026-11-20T14:29:58.000Z", "4.0", "s", "9.5", "s", "–", "12.5", "0.0", "s"),
        *("nothing", "waits"),
    ]
    assert shown[2:] == ["us-east-1: 3 rejects: `tallygate rejects list` shows them."]
    assert run("pipeline").stdout.startswith("Nothing was counted yet.\n")
    assert json.loads(run("pipeline", "--json").stdout) == document


@pytest.mark.parametrize(
    ("parts", "most", "drawn"),
    [
        ([(8, "a")], 8, "████████"),
        ([(4, "a")], 8, "████"),
        ([(4.5, "a")], 8, "████▌"),
        ([(0.001, "a")], 8, "▏"),
        ([(0, "a")], 8, ""),
        ([(1, "a")], 0, ""),
        ([(9, "a")], 8, "████████"),
        ([(4, "a"), (4, "b")], 8, "████████"),
        ([(7.9, "a"), (0.1, "b")], 8, "████████"),
        ([(0, "a"), (4, "b")], 8, "████"),
    ],
)
def test_bars_are_as_long_as_their_numbers(parts: list[tuple[float, str]], most: float, drawn: str) -> None:
    assert bars.stacked(parts, most, 8).plain == drawn


def test_a_quota_that_is_used_up_looks_otherwise() -> None:
    (before, after) = (bars.quota(used, 50, 8) for used in (49, 50))
    assert [len(before.plain), len(after.plain)] == [8, 8]
    assert before.spans[0].style != after.spans[0].style
