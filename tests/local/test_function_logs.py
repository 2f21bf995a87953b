import json
import queue

import pytest

from tallygate.local.additions.function_logs import END_MARK, lines_of_invocation, log_lines, passes


def printed(*lines: str | None) -> "queue.Queue[str | None]":
    lines_queue: queue.Queue[str | None] = queue.Queue()
    for line in lines:
        lines_queue.put(line)
    return lines_queue


def test_lines_end_at_the_mark_and_the_next_invocation_gets_its_own() -> None:
    lines = printed("one", "two", "", END_MARK, "three", END_MARK)
    assert lines_of_invocation(lines) == ["one", "two"]
    assert lines_of_invocation(lines) == ["three"]


def test_an_invocation_that_prints_nothing_has_no_lines() -> None:
    assert lines_of_invocation(printed("", END_MARK)) == []


def test_empty_lines_of_the_function_are_kept() -> None:
    assert lines_of_invocation(printed("one", "", "", END_MARK)) == ["one", ""]


def test_a_worker_that_dies_leaves_the_lines_it_printed() -> None:
    assert lines_of_invocation(printed("last words", None)) == ["last words"]


AT = "2026-11-20T12:00:00.123Z"


@pytest.mark.parametrize(
    ("line", "least", "expected"),
    [
        ({"level": "INFO", "timestamp": AT}, "INFO", True),
        ({"level": "INFO", "timestamp": AT}, "WARN", False),
        ({"level": "WARNING", "timestamp": AT}, "WARN", True),
        ({"level": "ERROR", "timestamp": AT}, "WARN", True),
        ({"level": "DEBUG", "timestamp": AT}, "INFO", False),
        ({"level": "ERROR", "timestamp": "today"}, "WARN", False),
        ({"level": "ERROR"}, "WARN", False),
        ({"level": "loud", "timestamp": AT}, "INFO", True),
        ("plain text", "INFO", True),
        ("plain text", "WARN", False),
        ([1, 2], "INFO", True),
    ],
)
def test_the_application_level_drops_what_lambda_drops(line: object, least: str, expected: bool) -> None:
    assert passes(line if isinstance(line, str) else json.dumps(line), least) is expected


def test_json_logs_at_system_level_warn_hold_the_functions_lines_alone() -> None:
    config = {"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN"}}
    assert log_lines(config, "request", ["{}", "text"], 3) == ["{}", "text"]


def test_json_logs_surround_the_lines_with_platform_events() -> None:
    first, line, last = log_lines({"LoggingConfig": {"LogFormat": "JSON"}}, "request", ["text"], 3)
    assert line == "text"
    assert json.loads(first)["type"] == "platform.start"
    assert json.loads(last)["record"] == {
        "requestId": "request",
        "metrics": {"durationMs": 3, "billedDurationMs": 3},
    }


def test_text_logs_have_start_end_and_report() -> None:
    start, line, end, report = log_lines({"MemorySize": 256}, "request", ["text"], 3)
    assert (start, line, end) == ("START RequestId: request Version: $LATEST", "text", "END RequestId: request")
    assert report.startswith("REPORT RequestId: request\tDuration: 3.00 ms")
