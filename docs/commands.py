"""Writes docs/commands.md: every command with its options and examples, as the commands themselves tell them.

python -m docs.commands           writes the page
python -m docs.commands --check   says whether it is what the commands say
"""

import argparse
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from tallygate.cli import main as tallygate
from tallygate.cli.exit_codes import EXIT_CODES
from tallygate.cli.main import SECTIONS
from tallygate.cli.target import TARGET_OPTIONS

PAGE = Path(__file__).with_name("commands.md")
WIDTH = 140
_WHERE = "where-a-command-works"

Words = tuple[str, ...]


def page() -> str:
    """The whole page."""
    return "\n\n".join(_blocks()) + "\n"


def leaves(command: click.Command, path: Words) -> Iterator[tuple[Words, click.Command]]:
    """The commands at and below `command` that do something."""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from leaves(child, (*path, name))
    else:
        yield path, command


def _blocks() -> Iterator[str]:
    yield "# Commands"
    yield _wrapped(
        "Every command of `tallygate`, as the commands themselves say it: `make commands` (`python -m docs.commands`) "
        "writes this page, and a test holds that it is up to date. Each has `--help`."
    )
    yield _table(("command", ""), _contents())
    yield "## Where a command works"
    yield _wrapped(
        "On the world of `tallygate up` on this machine, or with `--stage` on one that is deployed to AWS, by the "
        "credentials of the environment. These options choose, wherever a command mentions them:"
    )
    _, example = next(leaf for leaf in leaves(tallygate, ()) if _of_target(leaf[1]))
    yield _table(("option", ""), _options(example, of_target=True))
    yield _wrapped(
        "With `AWS_ENDPOINT_URL` in the environment, that endpoint is asked, whatever the stage. `TALLYGATE_STAGE` "
        "stands for `--stage`, and `TALLYGATE_WORLD` names another place for the world on this machine, to have a "
        "second one."
    )
    yield "## For programs"
    yield _wrapped(
        "With `--json`, standard output is one JSON document and nothing else; progress and remarks go to standard "
        "error. Progress bars are drawn on terminals only. A secret is printed once, by the command that gives it out."
    )
    yield _table(("exit code", "means"), ((f"{code}", means) for code, _, means in EXIT_CODES))
    yield "## Completion"
    yield _wrapped(
        "In bash, zsh and fish, commands, options and choices are completed; and stages, regions and plans of the "
        "configuration, and the keys and owners of the world on this machine. AWS is not asked for any."
    )
    for heading, commands in SECTIONS:
        yield f"## {heading}"
        for command in commands:
            if isinstance(command, click.Group) and command.help:
                yield f"### tallygate {command.name}"
                yield _wrapped(command.help)
            for path, leaf in leaves(command, (command.name or "",)):
                yield from _command(path, leaf)


def _contents() -> Iterator[tuple[str, str]]:
    for _, commands in SECTIONS:
        for command in commands:
            for path, leaf in leaves(command, (command.name or "",)):
                name = " ".join(path)
                yield f"[`{name}`](#tallygate-{'-'.join(path)})", leaf.get_short_help_str(limit=WIDTH)


def _command(path: Words, command: click.Command) -> Iterator[str]:
    yield f"{'#' * (3 if len(path) == 1 else 4)} tallygate {' '.join(path)}"
    yield f"`tallygate {' '.join((*path, *command.collect_usage_pieces(_context(command))))}`"
    yield from _help(command.help or "")
    options = list(_options(command))
    if options:
        yield _table(("option", ""), options)
    if _of_target(command):
        yield f"And [where it works](#{_WHERE}): {', '.join(f'`--{name}`' for name in TARGET_OPTIONS)}."


def _help(text: str) -> Iterator[str]:
    """Paragraphs; what is not to be wrapped is a block, of shell where it is examples."""
    for paragraph in text.strip().split("\n\n"):
        lines = paragraph.strip("\n").splitlines()
        if lines[0].strip() != "\b":
            yield _wrapped(" ".join(lines))
            continue
        title, *rest = (line.strip() for line in lines[1:])
        language = "sh" if title.startswith("Example") else "text"
        if language == "text":
            yield title
        yield "\n".join((f"```{language}", *rest, "```"))


def _options(command: click.Command, *, of_target: bool = False) -> Iterator[tuple[str, str]]:
    context = _context(command)
    for parameter in command.get_params(context):
        told = parameter.get_help_record(context)
        if told is None or "--help" in parameter.opts:
            continue
        name = (parameter.name or "").removesuffix("_path")
        if (_of_target(command) and name in TARGET_OPTIONS) == of_target:
            yield f"`{told[0]}`", told[1]


def _of_target(command: click.Command) -> bool:
    return {"stage", "profile"} <= {parameter.name for parameter in command.params}


def _context(command: click.Command) -> click.Context:
    return click.Context(command, help_option_names=["-h", "--help"])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = tuple(head)
    lines = [columns, ("---",) * len(columns), *rows]
    cells = ((" ".join(cell.split()).replace("|", "\\|") for cell in line) for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _wrapped(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is out of date")
    check: bool = parser.parse_args().check
    new = page()
    if PAGE.exists() and PAGE.read_text() == new:
        print(f"{PAGE.name} is what the commands say", file=sys.stderr)
        return 0
    if check:
        print(f"{PAGE.name} is out of date: make commands", file=sys.stderr)
        return 1
    PAGE.write_text(new)
    print(f"{PAGE.name} is written", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
