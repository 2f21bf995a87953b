"""Third-party packages: which of the lock's, and built for Lambda rather than for this machine. No registry is asked:
uv is pointed at wheels that the test has made."""

import hashlib
import re
import zipfile
from pathlib import Path

import pytest
from synthesized import ROOT

from stacks.wheels import WheelsError, named, subset, wheels

FUNCTIONS = ["api", "authorizer", "log_consumer", "notifier", "ops", "webhook"]
LOCK = """\
boto3==1.43.0 \\
    --hash=sha256:b0
    # via tallygate (pyproject.toml)
jmespath==1.1.0 \\
    --hash=sha256:a0 \\
    --hash=sha256:a1
    # via
    #   powertools
    #   boto3
only-boto==2.0 \\
    --hash=sha256:c0
    # via boto3
powertools==3.0 ; python_version < '4' \\
    --hash=sha256:d0
    # via tallygate (pyproject.toml)
six==1.0 \\
    --hash=sha256:e0
    # via jmespath
"""


def test_the_lock_gives_what_is_needed_with_hashes_and_nothing_that_only_the_runtimes_own_packages_need() -> None:
    pinned = subset(LOCK, {"powertools"})
    assert re.findall(r"^([a-z0-9-]+)==", pinned, re.MULTILINE) == ["jmespath", "powertools", "six"]
    assert re.findall(r"sha256:(\w+)", pinned) == ["a0", "a1", "d0", "e0"]


def test_a_package_that_is_not_locked_is_named() -> None:
    with pytest.raises(WheelsError, match=r"requirements\.lock does not have orjson"):
        subset(LOCK, {"powertools", "orjson"})


@pytest.mark.parametrize("part", FUNCTIONS)
def test_every_wheel_of_ours_is_locked_and_none_is_the_runtimes_own(part: str) -> None:
    pinned = subset((ROOT / "requirements.lock").read_text(), named(ROOT / "functions" / part / "requirements.txt"))
    assert not re.search(r"^boto", pinned, re.MULTILINE)
    assert pinned.count("--hash=") >= pinned.count("==")


def test_what_only_the_command_needs_reaches_no_function() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    command = {"pyarrow", "duckdb", "matplotlib", "plotly", "click", "rich"}
    assert command <= set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    for requirements in sorted((ROOT / "functions").glob("*/requirements.txt")):
        packed = subset(lock, named(requirements))
        assert command.isdisjoint(re.findall(r"^([a-z0-9-]+)==", packed, re.MULTILINE)), requirements


def make_wheel(shelf: Path, tags: str, content: str) -> str:
    """Puts `stand-in` 1.0 for `tags` on the shelf, and returns its hash."""
    info = "stand_in-1.0.dist-info"
    path = shelf / f"stand_in-1.0-{tags}.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("stand_in.py", content)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: stand-in\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tags}\n")
        wheel.writestr(f"{info}/RECORD", f"stand_in.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one function that needs `stand-in`, of which there is a wheel for Lambda and one for others."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    hashes = [
        make_wheel(shelf, "cp313-cp313-manylinux2014_aarch64", "built_for = 'Lambda'"),
        make_wheel(shelf, "cp311-cp311-manylinux2014_x86_64", "built_for = 'this machine'"),
        make_wheel(shelf, "cp313-cp313-manylinux2014_x86_64", "built_for = 'another'"),
    ]
    entry = "stand-in==1.0 \\\n" + " \\\n".join(f"    --hash=sha256:{each}" for each in hashes)
    root = tmp_path / "root"
    (root / "functions" / "one").mkdir(parents=True)
    (root / "functions" / "one" / "requirements.txt").write_text("stand-in  # because\n")
    (root / "requirements.lock").write_text(f"{entry}\n    # via root\n")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(shelf))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return root


def test_wheels_are_those_built_for_lambda(root: Path) -> None:
    directory = wheels(root, "one")
    assert directory is not None
    assert (directory / "stand_in.py").read_text() == "built_for = 'Lambda'"


def test_they_are_installed_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = wheels(root, "one")
    monkeypatch.setenv("UV_FIND_LINKS", "/nowhere")
    assert wheels(root, "one") == first


def test_they_are_others_when_the_lock_is_another_and_not_when_only_its_comments_are(root: Path) -> None:
    first = wheels(root, "one")
    lock = root / "requirements.lock"
    lock.write_text(lock.read_text().replace("via root", "via the root"))
    assert wheels(root, "one") == first
    lock.write_text(
        lock.read_text().replace("stand-in==1.0 \\\n", f"stand-in==1.0 \\\n    --hash=sha256:{'0' * 64} \\\n")
    )
    assert wheels(root, "one") != first


def test_what_is_not_what_was_locked_is_refused(root: Path) -> None:
    lock = root / "requirements.lock"
    lock.write_text(re.sub(r"sha256:\w{4}", "sha256:0000", lock.read_text()))
    with pytest.raises(WheelsError, match="uv pip install failed"):
        wheels(root, "one")
    assert not [path for path in (root / "build" / "wheels").iterdir() if (path / "stand_in.py").exists()]


def test_a_function_that_needs_nothing_has_no_wheels(root: Path) -> None:
    (root / "functions" / "one" / "requirements.txt").unlink()
    assert wheels(root, "one") is None
