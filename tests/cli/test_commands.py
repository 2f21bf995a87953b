"""Every command says what it does, what its options are, and how it is used."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from docs.commands import PAGE, page
from tallygate.cli import main
from tallygate.cli.main import SECTIONS

ROOT = Path(__file__).parents[2]


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
    assert f"tallygate {' '.join(path)}" in (LEAVES[path].help or "")


WITHOUT_JSON = {("completion",): "what it prints is a program for a shell"}


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_answers_programs_in_json(path: tuple[str, ...]) -> None:
    flags = [parameter for parameter in LEAVES[path].params if "--json" in parameter.opts]
    assert bool(flags) != (path in WITHOUT_JSON), "use json_option of tallygate/cli/output.py"
    for flag in flags:
        assert isinstance(flag, click.Option)
        assert flag.is_flag


def test_every_command_is_in_a_section_of_the_help() -> None:
    shown = CliRunner().invoke(main, ["--help"]).stdout
    assert [command for _, commands in SECTIONS for command in commands] == list(main.commands.values())
    for heading, commands in SECTIONS:
        section = shown.split(f"\n{heading}:\n")[1].split("\n\n")[0]
        assert [line.split()[0] for line in section.splitlines() if line[2] != " "] == [
            command.name for command in commands
        ]


def test_the_help_says_of_each_command_in_a_line_what_it_is_for() -> None:
    """At the width of a common terminal nothing of it is cut off."""
    for path, command in ALL.items():
        if isinstance(command, click.Group):
            shown = CliRunner().invoke(main, [*path, "--help"], terminal_width=80).stdout
            assert "..." not in shown.split("Options:")[1].replace("[ARGS]...", ""), path


def test_the_page_of_commands_is_what_they_say() -> None:
    assert PAGE.read_text() == page(), "docs/commands.md is out of date: make commands"


def test_the_page_of_commands_tells_of_no_machine() -> None:
    """Defaults that are places in a checkout would make another page on every machine."""
    assert str(ROOT) not in page()


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
