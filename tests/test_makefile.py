"""What `make` does about .venv, without doing it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tallygate.local.world import PROJECT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
ANEW = "-m venv --clear .venv"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is set up, as far as make can see."""
    path = tmp_path / "check out"
    (path / ".venv").mkdir(parents=True)
    for file in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copyfile(PROJECT / file, path / file)
        os.utime(path / file, (1, 1))
    (path / ".venv" / ".ready").write_text(f"{path}\n")
    os.utime(path / ".venv" / ".ready", (2, 2))
    return path


def would_do(checkout: Path) -> str:
    command = ["make", "--no-print-directory", "--dry-run", "setup"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout


def test_what_is_set_up_costs_nothing(checkout: Path) -> None:
    assert "venv" not in would_do(checkout).replace("Nothing to be done for 'setup'", "")


def test_a_changed_lock_is_installed(checkout: Path) -> None:
    os.utime(checkout / "requirements.lock")
    assert "pip install" in would_do(checkout)
    assert "test -n ''" in would_do(checkout)  # nothing speaks for another .venv


def test_a_checkout_that_was_moved_gets_another(checkout: Path) -> None:
    moved = checkout.rename(checkout.with_name("moved"))
    assert f"test -n '{checkout}'" in would_do(moved)
    assert ANEW in would_do(moved)
