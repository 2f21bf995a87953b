import importlib.metadata

import pytest

from tallygate.local import internals
from tallygate.local.internals import EmulatorChangedError, check_internals, replaced_once


def test_the_installed_emulator_is_the_one_that_the_additions_were_written_for() -> None:
    check_internals()


def test_another_version_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.6.0")
    with pytest.raises(EmulatorChangedError) as changed:
        check_internals()
    assert str(changed.value) == (
        "the emulator's internals are not the expected ones: it is ministack 1.6.0, not 1.5.33; "
        "install the pinned version: ministack==1.5.33"
    )


@pytest.mark.parametrize("name", ["services.kinesis:put_record_elsewhere", "services.nowhere:anything"])
def test_a_missing_part_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(internals.RELIED_ON, name, None)
    with pytest.raises(EmulatorChangedError, match=f": {name} is missing;"):
        check_internals()


def test_changed_parameters_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(internals.RELIED_ON, "services.kinesis:put_record_internal", "arn data")
    with pytest.raises(EmulatorChangedError, match=r"takes \(stream_arn partition_key data\), not \(arn data\)"):
        check_internals()


def test_a_text_is_patched_only_where_it_is_as_expected() -> None:
    assert replaced_once("a b c", "b", "x", "script") == "a x c"
    for text in ("a c", "b b"):
        with pytest.raises(EmulatorChangedError, match="script has"):
            replaced_once(text, "b", "x", "script")
