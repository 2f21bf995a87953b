"""A part of the mutants on trial each time, and the verdicts on all of them kept true."""

import json
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from tests.mutants.__main__ import VERDICTS, explained, trial
from tests.mutants.engine import MODULES, Mutant, mutants_of

SAMPLE = 24


@pytest.fixture(scope="module")
def verdicts() -> dict[str, str]:
    found: dict[str, str] = json.loads(VERDICTS.read_text())
    return found


@pytest.fixture(scope="module")
def present() -> dict[str, tuple[Mutant, int]]:
    return {mutant.name: (mutant, number) for module in MODULES for number, mutant in enumerate(mutants_of(module))}


def test_mutants_have_names_of_their_own(present: dict[str, tuple[Mutant, int]]) -> None:
    assert len(present) == sum(len(mutants_of(module)) for module in MODULES)


def test_each_mutant_is_another_program(present: dict[str, tuple[Mutant, int]]) -> None:
    sources = {mutant.source for mutant, _ in present.values()}
    assert len(sources) == len(present)


def test_what_nothing_notices_is_explained_and_nothing_else_is(verdicts: dict[str, str]) -> None:
    assert explained().keys() == {name for name, verdict in verdicts.items() if verdict == "nothing"}


def test_nearly_all_mutants_were_on_trial(verdicts: dict[str, str], present: dict[str, tuple[Mutant, int]]) -> None:
    """Not all: a small change to the core makes some new ones, and they need not all be tried at once (`make
    mutants`)."""
    assert len(present.keys() & verdicts.keys()) > 0.9 * len(present)


def test_a_sample_of_mutants_is_noticed_by_fault_schedules(
    verdicts: dict[str, str], present: dict[str, tuple[Mutant, int]]
) -> None:
    quickly = sorted(
        name for name, verdict in verdicts.items() if verdict in ("schedules 1", "schedules 2") and name in present
    )
    sample = Random(1).sample(quickly, SAMPLE)
    with ThreadPoolExecutor(2) as pool:
        tried = pool.map(lambda name: trial(present[name][0].module, present[name][1]), sample)
        noticed = dict(zip(sample, tried, strict=True))
    assert {name: verdict for name, verdict in noticed.items() if not verdict.startswith("schedules")} == {}
