"""One mutant on trial, in a process of its own: `python -m tests.mutants.trial MODULE NUMBER`. Prints what noticed
it: `schedules` (with how many of them), `tests`, or `nothing`."""

import sys

from tests.mutants.engine import install, mutants_of

SCHEDULES = 150
TESTS = (
    "tests/core/test_consume.py",
    "tests/core/test_fold.py",
    "tests/core/test_seen.py",
    "tests/core/test_marks.py",
    "tests/core/test_publish.py",
    "tests/contracts",
)


def judge() -> str:
    """Run schedules until one differs, then the tests of the core."""
    from tallygate.sim.faults.campaign import outcome
    from tallygate.sim.faults.schedule import draw

    for seed in range(SCHEDULES):
        if outcome(draw(seed))[1]:
            return f"schedules {seed + 1}"
    import pytest

    code = pytest.main(["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-k", "not dynamodb", *TESTS])
    return "tests" if code else "nothing"


if __name__ == "__main__":
    install(mutants_of(sys.argv[1])[int(sys.argv[2])])
    try:
        verdict = judge()
    except Exception as error:  # noqa: BLE001 - a mutant that does not even run is noticed
        verdict = f"error {type(error).__name__}"
    print(f"VERDICT {verdict}")
