"""A pytest plugin (`-p tests.suite_times`): how many seconds each suite, a folder of tests/, took."""

from collections import defaultdict

import pytest


class SuiteTimes:
    """Adds up what tests report, by suite: a fixture is paid for where it was first used."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.tests: dict[str, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        suite = suite_of(report.nodeid)
        self.seconds[suite] += report.duration
        self.tests[suite].add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("suites", "-")
        for suite, seconds in sorted(self.seconds.items(), key=lambda row: -row[1]):
            terminalreporter.write_line(f"{suite:<12}{len(self.tests[suite]):>6} tests{seconds:>9.1f} s")


def suite_of(nodeid: str) -> str:
    """`tests/core/test_fold.py::test_x` is of the suite `core`."""
    return nodeid.removeprefix("tests/").split("/")[0].split("::")[0]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SuiteTimes(), "suite-times")
