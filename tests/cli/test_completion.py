"""What a shell is told when a word is completed: by its own protocol, and in bash by its own program."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class
from test_operators import CONFIG

from tallygate.aws.key_admin import key_admin
from tallygate.cli import main
from tallygate.cli.completion import SHELLS
from tallygate.cli.failures import Failure
from tallygate.config import load
from tests.stage_tables import NAMES, Clients

TALLYGATE = Path(sys.executable).with_name("tallygate")
VARIABLE = "_TALLYGATE_COMPLETE"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory has a configuration, and no world is up."""
    path = tmp_path / "tallygate.toml"
    path.write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TALLYGATE_WORLD", str(tmp_path / "world"))
    return path


@pytest.fixture
def keys(config: Path, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A world is up, in which two keys were given out."""
    admin = key_admin(clients["us-east-1"], NAMES.gate_table, "prod")
    admin = type(admin)(admin.keys, lambda: ("starter",), admin.stage, admin.choice)
    ids = [admin.create({"owner": owner, "plan": "starter"}, 0).profile.id for owner in ("acme", "bolt")]
    world = SimpleNamespace(
        config=load(config), names=NAMES, aws=SimpleNamespace(client=lambda service, region: clients[region])
    )
    monkeypatch.setattr("tallygate.cli.suggestions.attach", lambda: world)
    return ids


def completed(line: str, shell: str = "bash") -> list[CompletionItem]:
    """What completes the last word of `line`, asked as the script of `shell` asks."""
    of_shell = get_completion_class(shell)
    assert of_shell is not None
    asked = of_shell(main, {}, "tallygate", VARIABLE)
    *words, incomplete = line.split(" ")[1:]
    return asked.get_completions(words, incomplete)


def values(line: str) -> list[str]:
    return [item.value for item in completed(line)]


def test_commands_and_options_are_completed() -> None:
    assert values("tallygate us") == ["usage"]
    assert values("tallygate usage ex") == ["export"]
    assert values("tallygate usage export --gran") == ["--granularity"]


def test_kinds_granularities_and_formats_are_completed() -> None:
    assert values("tallygate usage show ") == ["ip", "ref", "key", "owner"]
    assert values("tallygate usage export --kind ") == ["ip", "ref", "key", "owner", "all"]
    assert values("tallygate usage export --granularity ") == ["hour", "day", "month"]
    assert values("tallygate usage export --format p") == ["parquet"]


def test_stages_regions_and_plans_are_those_of_the_configuration(config: Path) -> None:
    assert values("tallygate keys list --stage ") == ["local", "prod"]
    assert values("tallygate usage top ip --region ") == ["us-east-1", "eu-west-1", "ap-southeast-2"]
    assert values("tallygate usage top ip --region e") == ["eu-west-1"]
    assert values("tallygate keys create --plan s") == ["starter"]
    assert values("tallygate keys set-plan 0123456789abcdef s") == ["starter"]
    assert values("tallygate plans show a") == ["anonymous"]
    (plan,) = completed("tallygate keys create --plan s")
    assert plan.help == "1,000 per key and day"


def test_another_configuration_is_read_where_it_is_named(config: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(CONFIG.replace('"prod"', '"staging"'))
    assert values(f"tallygate keys list --config {other} --stage ") == ["local", "staging"]


def test_keys_and_owners_are_those_of_the_world(keys: list[str]) -> None:
    for command in ("usage show key", "keys revoke", "keys override", "audit list --key", "quota reset key"):
        assert sorted(values(f"tallygate {command} ")) == sorted(keys)
    assert values(f"tallygate keys show {keys[0][:6]}") == [keys[0]]
    assert completed(f"tallygate keys show {keys[1][:6]}")[0].help == "bolt, starter"
    assert sorted(values("tallygate quota show owner ")) == ["acme", "bolt"]
    assert values("tallygate usage export --owner a") == ["acme"]
    assert values("tallygate usage show ip ") == []


def test_aws_is_not_asked_for_keys_of_a_deployed_stage(keys: list[str]) -> None:
    assert values("tallygate keys show --stage prod ") == []


@pytest.mark.parametrize("broken", ["nothing", "[service]", "stages = 3"])
def test_what_cannot_be_read_completes_nothing(config: Path, broken: str) -> None:
    config.write_text(broken) if broken != "nothing" else config.unlink()
    assert values("tallygate keys list --stage ") == []
    assert values("tallygate keys show ") == []


def test_a_world_that_is_not_up_completes_no_key(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def attach() -> Any:
        raise Failure("the local world is still starting")

    monkeypatch.setattr("tallygate.cli.suggestions.attach", attach)
    assert values("tallygate keys show ") == []
    assert values("tallygate keys list --stage ") == ["local", "prod"]


@pytest.mark.parametrize(
    ("shell", "environment", "answer"),
    [
        ("bash", {"COMP_WORDS": "tallygate usage sh", "COMP_CWORD": "2"}, "plain,show\n"),
        ("zsh", {"COMP_WORDS": "tallygate usage sh", "COMP_CWORD": "2"}, "plain\nshow\nShow what one address, site,"),
        ("fish", {"COMP_WORDS": "tallygate usage sh", "COMP_CWORD": "sh"}, "plain,show\tShow what one address, site,"),
    ],
)
def test_the_command_answers_each_shell_in_its_protocol(
    shell: str, environment: dict[str, str], answer: str, config: Path
) -> None:
    told = subprocess.run(
        [TALLYGATE],
        env={**os.environ, **environment, VARIABLE: f"{shell}_complete"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith(answer)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_that_the_shell_understands(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(f"CI has no {shell}: .ci/run installs it")
        pytest.skip(f"no {shell} on this machine")
    script = tmp_path / "script"
    script.write_text(source(shell))
    subprocess.run([program, "-n", str(script)], check=True, timeout=60)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_bash_completes_with_the_script(config: Path, tmp_path: Path) -> None:
    """As bash does: the function that the script registers gets the words, and leaves its answer in COMPREPLY."""
    script = tmp_path / "script"
    script.write_text(source("bash"))
    asked = f"""
        source {script}
        COMP_WORDS=(tallygate usage top ip --region e)
        COMP_CWORD=5
        _tallygate_completion tallygate
        echo "${{COMPREPLY[*]}}"
        complete -p tallygate
    """
    told = subprocess.run(
        ["bash", "--norc", "-c", asked],
        env={**os.environ, "PATH": f"{TALLYGATE.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout.splitlines() == ["eu-west-1", "complete -o nosort -F _tallygate_completion tallygate"]


def source(shell: str) -> str:
    of_shell: type[ShellComplete] | None = get_completion_class(shell)
    assert of_shell is not None
    printed = click.testing.CliRunner().invoke(main, ["completion", shell])
    assert printed.exit_code == 0
    return printed.stdout
