import pytest

from tests.stage_tables import clients

__all__ = ["clients"]


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """No container goes by plans of before: there is none."""
    monkeypatch.setattr("tallygate.cli.intended_plans.SETTLED_SECONDS", 0)
