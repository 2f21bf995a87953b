"""Every command says what it does, what its options are, and how it is used."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

from tallygate.cli import main


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))


ALL = dict(commands(main))
LEAVES = {path: command for path, command in ALL.items() if not isinstance(command, click.Group)}


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_command_has_help_and_so_has_each_of_its_options(path: tuple[str, ...]) -> None:
    command = ALL[path]
    assert command.help
    assert command.get_short_help_str(limit=200)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.name} of {path}"
    for flag in ("--help", "-h"):
        result = CliRunner().invoke(main, [*path, flag])
        assert result.exit_code == 0
        assert result.stdout.startswith("Usage: ")


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_a_command_shows_how_it_is_used(path: tuple[str, ...]) -> None:
    if path == ("down",):
        return  # it takes nothing
    assert f"tallygate {' '.join(path)}" in (LEAVES[path].help or "")


def test_what_examples_show_is_understood() -> None:
    """Every example line in the help names a command that there is, and options that it has."""
    shown = 0
    for command in ALL.values():
        for line in f"{command.help or ''}\n{command.epilog or ''}".splitlines():
            words = line.strip().split()
            if words[:1] != ["tallygate"]:
                continue
            path = max((path for path in ALL if tuple(words[1 : 1 + len(path)]) == path), key=len)
            assert path in LEAVES, line
            flags = {flag for parameter in LEAVES[path].params for flag in parameter.opts + parameter.secondary_opts}
            assert {word for word in words if word.startswith("--")} <= flags | {"--help"}, line
            shown += 1
    assert shown > 20


def test_the_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.stdout == f"tallygate {version('tallygate')}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert "_TALLYGATE_COMPLETE" in result.stdout


def test_an_interrupt_while_the_command_is_loaded_is_no_traceback() -> None:
    interrupted = """
import sys
class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "rich.console":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
from tallygate.cli import main
"""
    ended = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["frobnicate"])
    assert result.exit_code == 2
    assert "No such command 'frobnicate'" in result.stderr
