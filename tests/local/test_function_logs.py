import json
import queue
from typing import Any

import pytest

from tallygate.local.additions.function_logs import END_MARK, lines_of_invocation, log_lines, passes
from tallygate.local.aws import LocalAws
from tests.local.templates import HOME


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


PRINTS_RAW = """
import os

def handler(event, context):
    for number in event["lines"]:
        print("line", number)
    os.write(2, bytes.fromhex(event["raw"]))
    if event.get("die"):
        os._exit(1)
    return event.get("raise") and int("x")
"""


def test_each_invocation_has_its_own_lines_whatever_it_prints(create: Any, function: Any, aws: LocalAws) -> None:
    create(HOME, {"Function": function("prints-raw", PRINTS_RAW, Timeout=20, LoggingConfig={"LogFormat": "Text"})})
    client = aws.client("lambda", HOME)
    for event in (
        {"lines": [1, 2], "raw": b"no newline".hex()},
        {"lines": [], "raw": ""},
        {"lines": [], "raw": b"not UTF-8: \xff\xfe\n".hex(), "raise": True},
        {"lines": [3], "raw": b"last words".hex(), "die": True},
        {"lines": [*range(4, 300)], "raw": ""},
    ):
        client.invoke(FunctionName="prints-raw", Payload=json.dumps(event))
    found: list[list[str]] = []
    for event in aws.client("logs", HOME).filter_log_events(logGroupName="/aws/lambda/prints-raw")["events"]:
        if event["message"].startswith("START"):
            found.append([])
        found[-1].append(event["message"])
    printed = [lines[1 : lines.index(next(line for line in lines if line.startswith("END ")))] for lines in found]
    assert printed[:2] == [["line 1", "line 2", "no newline"], []]
    assert printed[2][0] == "not UTF-8: \ufffd\ufffd"
    assert printed[2][-1] == "ValueError: invalid literal for int() with base 10: 'x'"
    assert printed[3][:2] == ["line 3", "last words"]
    assert printed[4] == [f"line {number}" for number in range(4, 300)]
