"""One mutant on trial, in a process of its own: `python -m tests.mutants.trial MODULE NUMBER`. Prints what noticed
it: `schedules` (with how many of them), `tests`, or `nothing`."""

import sys

from tests.mutants.engine import install, mutants_of

SCHEDULES = 60
TESTS = (
    "tests/core/test_notices.py",
    "tests/core/test_notify.py",
    "tests/core/test_consume.py",
    "tests/core/test_fold.py",
    "tests/core/test_seen.py",
    "tests/core/test_marks.py",
    "tests/core/test_publish.py",
    "tests/contracts",
)


def by_schedules() -> str | None:
    """Run schedules until one differs."""
    from tallygate.sim.faults.campaign import outcome
    from tallygate.sim.faults.schedule import draw

    for seed in range(SCHEDULES):
        if outcome(draw(seed))[1]:
            return f"schedules {seed + 1}"
    return None


def by_tests() -> str | None:
    """Run the tests of the core until one fails."""
    import pytest

    options = ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-k", "not dynamodb"]
    return "tests" if pytest.main([*options, *TESTS]) else None


if __name__ == "__main__":
    install(mutants_of(sys.argv[1])[int(sys.argv[2])])
    judges = (by_tests, by_schedules) if "--tests-first" in sys.argv else (by_schedules, by_tests)
    try:
        verdict = next((found for judge in judges if (found := judge())), "nothing")
    except Exception as error:  # noqa: BLE001 - a mutant that does not even run is noticed
        verdict = f"error {type(error).__name__}"
    print(f"VERDICT {verdict}")
