"""The core is pure: the standard library, no clock, no environment, no files, nothing random."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tallygate.core

CORE = Path(tallygate.core.__file__).parent
OUTSIDE = {"asyncio", "io", "os", "pathlib", "random", "secrets", "socket", "subprocess", "threading", "time", "urllib"}
CLOCKS = {"now", "today", "utcnow"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", sorted(CORE.glob("*.py")), ids=lambda path: path.stem)
def test_a_module_of_the_core_asks_nobody(path: Path) -> None:
    tree = ast.parse(path.read_bytes())
    for name in imported(tree):
        top = name.partition(".")[0]
        assert name.startswith("tallygate.core") or top in sys.stdlib_module_names - OUTSIDE, name
    called = {node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "attr")}
    assert not called & CLOCKS
    assert not any(isinstance(node, ast.Name) and node.id == "open" for node in ast.walk(tree))


def test_there_is_a_core_to_look_at() -> None:
    assert {"decide", "fold", "identity", "keys"} <= {path.stem for path in CORE.glob("*.py")}
