from pathlib import Path
from typing import Any

import pytest

from tallygate.local.errors import WorldError
from tallygate.local.synthesis import KEPT, Synthesis

APP = """
import json, os, pathlib, sys
context = json.loads(os.environ["CDK_CONTEXT_JSON"])
with open("runs", "a") as runs:
    print(context["stage"], pathlib.Path(context["config"]).name, file=runs)
assert "AWS_PROFILE" not in os.environ
out = pathlib.Path(os.environ["CDK_OUTDIR"])
out.mkdir(parents=True)
(out / "manifest.json").write_text(pathlib.Path(context["config"]).read_text())
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose app copies the configuration and notes that it ran."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    for directory in ("stacks", "functions", "tallygate"):
        (tmp_path / directory).mkdir()
    for file in ("cdk.json", "requirements.lock", "tallygate.toml", "runs", "stacks/region.py"):
        (tmp_path / file).touch()
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def synthesize(project: Path) -> Path:
    return Synthesis(project, project / "tallygate.toml", project / "cache").result()


def runs(project: Path) -> list[str]:
    return (project / "runs").read_text().splitlines()


def test_an_app_is_synthesized_for_the_local_stage_once_while_nothing_changes(project: Path) -> None:
    first = synthesize(project)
    assert (first / "manifest.json").exists()
    assert synthesize(project) == first
    assert runs(project) == ["local tallygate.toml"]


@pytest.mark.parametrize("source", ["app.py", "stacks/region.py", "functions/new.py", "tallygate.toml", "cdk.json"])
def test_whatever_the_app_is_made_of_makes_another_assembly(source: str, project: Path) -> None:
    first = synthesize(project)
    with (project / source).open("a") as file:
        file.write("\n# changed\n")
    assert synthesize(project) != first
    assert len(runs(project)) == 2


def test_compiled_files_are_no_source(project: Path) -> None:
    first = synthesize(project)
    (project / "stacks" / "__pycache__").mkdir()
    (project / "stacks" / "__pycache__" / "region.pyc").touch()
    assert synthesize(project) == first


def test_only_the_latest_assemblies_are_kept(project: Path) -> None:
    made = []
    for number in range(KEPT + 2):
        (project / "tallygate.toml").write_text(str(number))
        made.append(synthesize(project))
    assert {path.name for path in (project / "cache").iterdir()} == {path.name for path in made[-KEPT:]}


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        ("import sys; sys.exit('tallygate.toml: service.name: found nothing')", "service.name: found nothing"),
        ("raise RuntimeError('broken')", "RuntimeError: broken"),
        ("", "app.py wrote nothing"),
    ],
)
def test_an_app_that_fails_is_quoted_and_leaves_nothing(app: str, reason: str, project: Path) -> None:
    (project / "app.py").write_text(app)
    with pytest.raises(WorldError) as failed:
        synthesize(project)
    assert str(failed.value).startswith("the app cannot be synthesized: ")
    assert str(failed.value).endswith(reason)
    assert list((project / "cache").iterdir()) == []


def test_a_synthesis_can_be_given_up(project: Path) -> None:
    (project / "app.py").write_text("import sys; sys.stdin.read(); import time; time.sleep(60)")
    synthesis = Synthesis(project, project / "tallygate.toml", project / "cache")
    synthesis.cancel()
    synthesis.cancel()
    assert list((project / "cache").iterdir()) == []


def test_an_app_that_does_not_end_is_ended_with_what_it_started(project: Path, eventually: Any) -> None:
    """A child that keeps the output open must not be waited for either."""
    (project / "app.py").write_text(
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        "open('started', 'w').close(); time.sleep(60)"
    )
    synthesis = Synthesis(project, project / "tallygate.toml", project / "cache")
    eventually((project / "started").exists)
    with pytest.raises(WorldError, match="the app is not synthesized after 0 s"):
        synthesis.result(most_seconds=0)
    assert list((project / "cache").iterdir()) == []
