"""Every example of the command, in its help and in the documents, is one that it takes."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import pytest
from test_commands import ALL, ROOT

from tallygate.cli import main

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHELLS = ("sh", "bash", "")
SPAN = re.compile(r"`(tallygate [^`]+)`")
INSIDE = re.compile(r"\$\((tallygate [^()]*(?:\([^()]*\)[^()]*)*)\)")
PLACEHOLDER = re.compile(r"\$\{?\w+\}?|…|<[^>]+>")


def commands_in(shell: str) -> Iterator[list[str]]:
    """The commands of a piece of shell that are ours, as words: whole lines, parts of a pipe, and `$(…)`."""
    for line in re.sub(r"\s*\\\n\s*", " ", shell).splitlines():
        if "tallygate " not in line:
            continue
        line = re.split(r"\s{2,}", line.strip())[0]  # what a column to the right says of it
        for inside in INSIDE.findall(line):
            yield from commands_in(inside)
        lexer = shlex.shlex(INSIDE.sub("VALUE", line), posix=True, punctuation_chars=True)
        lexer.commenters, lexer.whitespace_split = "#", True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("();<>|&"):
                while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                    words.pop(0)  # a variable of the environment
                if words[:1] == ["tallygate"]:
                    yield words[1:]
                words = []
            else:
                words.append(word)


def help_examples() -> Iterator[tuple[str, list[str]]]:
    for path, command in ALL.items():
        for line in f"{command.help or ''}\n{command.epilog or ''}".splitlines():
            if re.match(r"\s+(tallygate|eval|curl) ", line):
                for words in commands_in(line):
                    yield f"tallygate {' '.join(path)} --help", words


def document_examples() -> Iterator[tuple[str, list[str]]]:
    for document in DOCUMENTS:
        for language, block in BLOCK.findall(document.read_text()):
            for words in commands_in(block) if language in SHELLS else ():
                yield document.relative_to(ROOT).as_posix(), words


EXAMPLES = [*help_examples(), *document_examples()]


def leaf_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the first words name, and the words that it gets."""
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.commands.get(rest[0])
        assert found is not None, f"there is no command {' '.join(words)}"
        command, rest = found, rest[1:]
    return command, rest


@pytest.fixture
def any_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of examples are there, and can be written."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(str(value)))
    monkeypatch.setattr(click.File, "convert", lambda self, value, param, ctx: value)


def taken(words: list[str]) -> None:
    """Raises what the real parser says of these words, with each option and argument checked by its type."""
    command, rest = leaf_of(words)
    with suppress(click.exceptions.Exit):  # --help, --version
        command.make_context("tallygate", rest, **main.context_settings)


@pytest.mark.usefixtures("any_file")
@pytest.mark.parametrize(("where", "words"), EXAMPLES, ids=[f"{where}: {' '.join(words)}" for where, words in EXAMPLES])
def test_an_example_is_taken(where: str, words: list[str]) -> None:
    try:
        taken([standing_for(word) for word in words])
    except click.UsageError as error:
        pytest.fail(f"{where}: tallygate {' '.join(words)}: {error.format_message()}")


def standing_for(word: str) -> str:
    """A word as a shell would hand it over: variables have values."""
    return PLACEHOLDER.sub("2026-11-20", word) if "date" in word or "VALUE" in word else PLACEHOLDER.sub("value", word)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_that_the_text_names_are_there(document: Path) -> None:
    """Between backquotes a command may be named without all that it needs: `tallygate keys rotate`."""
    for span in SPAN.findall(BLOCK.sub("", document.read_text())):
        for words in named(span):
            command, rest = leaf_of(words)
            flags: set[Any] = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
            unknown = {word.partition("=")[0] for word in rest if re.match(r"--\w", word)} - flags - {"--help"}
            assert unknown == set(), f"`{span}`"


def named(span: str) -> Iterator[list[str]]:
    """`tallygate usage show|top` names two commands."""
    words = span.replace("\\|", "|").split()[1:]
    choice = next((number for number, word in enumerate(words) if re.fullmatch(r"\w[\w-]*(\|[\w-]+)+", word)), None)
    if choice is None or choice > 1:
        yield words
        return
    for one in words[choice].split("|"):
        yield [*words[:choice], one, *words[choice + 1 :]]


def test_there_are_examples() -> None:
    """What looks for them finds them."""
    where = {where for where, _ in EXAMPLES}
    assert {"README.md", "docs/billing.md", "docs/commands.md", "tallygate usage show --help"} <= where
    assert len(EXAMPLES) > 100


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("tallygate up   # in the background", [["up"]]),
        ("key=$(tallygate keys show x)", [["keys", "show", "x"]]),
        ('curl "$(tallygate endpoints --json | jq .a)/v1"', [["endpoints", "--json"]]),
        ("A=b tallygate plans check && tallygate plans apply > x", [["plans", "check"], ["plans", "apply"]]),
        ("tallygate usage top ip \\\n  --json", [["usage", "top", "ip", "--json"]]),
        ("make run", []),
    ],
)  # fmt: skip
def test_what_looks_for_examples_reads_shell(shell: str, words: list[list[str]]) -> None:
    assert list(commands_in(shell)) == words


@pytest.mark.usefixtures("any_file")
@pytest.mark.parametrize("wrong", ["usage shew ip 192.0.2.1", "usage show ip", "usage top ip --limt 3", "usage top id"])
def test_what_the_parser_does_not_take_is_noticed(wrong: str) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        taken(wrong.split())
