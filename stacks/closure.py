"""Which of our own files a function needs: its package, and the modules that it imports, directly or not. Read from the
code at every synthesis, so that it is true whatever the code becomes."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FIRST_PARTY: Final = ("functions", "tallygate")


class ForeignImportError(ValueError):
    """A function imports what cannot be in its asset: another function, or a module that does not exist."""


def closure(root: Path, package: str) -> list[Path]:
    """Files, relative to `root`, that `package` (`functions.authorizer`) needs of our own; sorted."""
    own = sorted(root.joinpath(*package.split(".")).rglob("*.py"))
    found: set[Path] = set()
    waiting = [*own, *_files_of(root, package)]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for name in _imports(path, root):
            if name.split(".")[0] not in FIRST_PARTY:
                continue
            if name.startswith("functions.") and not f"{name}.".startswith(f"{package}."):
                raise ForeignImportError(f"{path.relative_to(root)} imports {name}: functions share only tallygate/")
            waiting += _files_of(root, name)
    return sorted(path.relative_to(root) for path in found)


def third_party(root: Path, files: list[Path]) -> set[str]:
    """Top-level names that `files` import from outside the standard library and this project."""
    names = {name.split(".")[0] for file in files for name in _imports(root / file, root)}
    return names - set(FIRST_PARTY) - set(sys.stdlib_module_names)


def _files_of(root: Path, name: str) -> list[Path]:
    """The module `name` and the packages that it is in; `name` may also be a member of a module (`from m import f`)."""
    files: list[Path] = []
    place = root
    for part in name.split("."):
        if (place / part / "__init__.py").is_file():
            files.append(place / part / "__init__.py")
            place = place / part
        else:
            return [*files, place / f"{part}.py"] if (place / f"{part}.py").is_file() else files
    return files


def _imports(path: Path, root: Path) -> Iterator[str]:
    """Dotted names that `path` imports, in functions too; not what only a type checker sees."""
    package = path.relative_to(root).parent.parts
    for node in _executed(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *filter(None, (node.module,))))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for otherwise in child.orelse:
                yield from _executed(otherwise)
        else:
            yield from _executed(child)
