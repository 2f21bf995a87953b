"""What commands print: tables for people on standard output, or one JSON document for programs."""

import codecs
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")


class NewFile(click.Path):
    """A file to write, replaced when there is one. That it can be written is checked before the work that it is for."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not os.access(path.parent, os.W_OK):
            self.fail(f"{path.parent} is no directory that can be written to", param, ctx)
        return path


def console(*, stderr: bool = False) -> Console:
    """A terminal on which text is text: what strangers sent (a Referer, a note) is no markup."""
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def table(*columns: str, title: str | None = None) -> Table:
    """A table with a column of text and further ones of numbers; columns named `<` are text too: `<note`."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for index, column in enumerate(columns):
        text = index == 0 or column.startswith("<")
        made.add_column(column.removeprefix("<"), justify="left" if text else "right", overflow="fold")
    return made


def print_json(document: Any) -> None:
    is_utf8 = codecs.lookup(getattr(sys.stdout, "encoding", None) or "utf-8").name == "utf-8"
    click.echo(json.dumps(document, indent=2, ensure_ascii=not is_utf8))


def escape_what_cannot_be_shown() -> None:
    """Let standard output show escaped what its encoding has no character for: an owner's name is anybody's, and a
    terminal in another locale no reason to fail."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
