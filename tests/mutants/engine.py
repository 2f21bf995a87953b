"""Mutants of the counting core, made mechanically from its source: each is one small change (a comparison, a
boundary, a condition, the order or the presence of a call), and each must be noticed: by the fault schedules, or by
the tests of the core.

A mutant is a changed module source. `install` puts it in the place of the module before anything imports it.
"""

import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent.parent
MODULES = (
    "tallygate.core.consume",
    "tallygate.core.counting",
    "tallygate.core.tally",
    "tallygate.core.publish",
    "tallygate.core.fold",
    "tallygate.core.seen",
    "tallygate.core.marks",
    "tallygate.core.notices",
    "tallygate.core.notify",
)

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """One change: `name` is module, function, kind and source, stable as long as that code is."""

    name: str
    module: str
    line: int
    source: str


def path_of(module: str) -> Path:
    return ROOT / Path(*module.split(".")).with_suffix(".py")


def mutants_of(module: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its source."""
    tree = ast.parse(path_of(module).read_text())
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for where, node, changes in _sites(tree):
        for what, change in changes:
            mutated = copy.deepcopy(tree)
            change(_same(tree, mutated, node))
            ast.fix_missing_locations(mutated)
            name = f"{module.rpartition('.')[2]}.{where}: {what}"
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name += f" [{seen[name]}]"
            found.append(Mutant(name, module, getattr(node, "lineno", 0), ast.unparse(mutated)))
    return found


def _sites(tree: ast.Module) -> Iterator[tuple[str, ast.AST, list]]:  # type: ignore[type-arg]
    """(function, node, its changes) for every place inside a function that can be changed."""
    for outer in tree.body:
        functions = [outer] if isinstance(outer, ast.FunctionDef) else []
        if isinstance(outer, ast.ClassDef) and not _is_port(outer):
            functions = [part for part in outer.body if isinstance(part, ast.FunctionDef)]
        for function in functions:
            where = function.name if function is outer else f"{outer.name}.{function.name}"  # type: ignore[union-attr]
            for node in ast.walk(function):
                changes = list(_changes(node))
                if changes:
                    yield where, node, changes


def _is_port(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    text = ast.unparse(node) if isinstance(node, ast.expr | ast.stmt) else ""
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                for other in _COMPARISONS.get(type(op), ()):
                    yield f"{text} — {other.__name__}", lambda n, p=place, o=other: n.ops.__setitem__(p, o())
        case ast.BoolOp(op=op, values=values):
            other_op = ast.Or if isinstance(op, ast.And) else ast.And
            yield f"{text} — {other_op.__name__}", lambda n, o=other_op: setattr(n, "op", o())
            for place in range(len(values)):
                yield f"{text} — without {ast.unparse(values[place])}", lambda n, p=place: n.values.pop(p)
        case ast.UnaryOp(op=ast.Not()):
            yield f"{text} — without not", lambda n: _become(n, n.operand)
        case ast.IfExp():
            yield f"{text} — always", lambda n: setattr(n, "test", ast.Constant(True))
            yield f"{text} — never", lambda n: setattr(n, "test", ast.Constant(False))
        case ast.If(test=test):
            yield f"if {ast.unparse(test)} — always", lambda n: setattr(n, "test", ast.Constant(True))
            yield f"if {ast.unparse(test)} — never", lambda n: setattr(n, "test", ast.Constant(False))
        case ast.BinOp(op=op) if type(op) in _ARITHMETIC:
            other_arithmetic = _ARITHMETIC[type(op)]
            yield f"{text} — {other_arithmetic.__name__}", lambda n, o=other_arithmetic: setattr(n, "op", o())
        case ast.AugAssign(op=ast.Add()):
            yield f"{text} — Sub", lambda n: setattr(n, "op", ast.Sub())
            yield f"{text} — set", lambda n: _become(n, ast.Assign([n.target], n.value))
        case ast.Constant(value=bool(value)):
            yield f"{text} — {not value}", lambda n, v=value: setattr(n, "value", not v)
        case ast.Constant(value=int(value)):
            yield f"{text} — {value + 1}", lambda n, v=value: setattr(n, "value", v + 1)
        case ast.Call(func=ast.Name(id="min" | "max" as name)):
            other_name = "max" if name == "min" else "min"
            yield f"{text} — {other_name}", lambda n, o=other_name: setattr(n.func, "id", o)
    yield from _changes_of_blocks(node)


def _changes_of_blocks(node: ast.AST) -> Iterator[tuple[str, object]]:
    for block in ("body", "orelse"):
        statements = getattr(node, block, None)
        if not isinstance(statements, list):
            continue
        for place, statement in enumerate(statements):
            text = ast.unparse(statement).partition("\n")[0]
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                yield f"{text} — left out", lambda n, b=block, p=place: getattr(n, b).__setitem__(p, ast.Pass())
            if isinstance(statement, ast.Break | ast.Continue):
                yield f"{text} — left out", lambda n, b=block, p=place: getattr(n, b).__setitem__(p, ast.Pass())
            following = statements[place + 1] if place + 1 < len(statements) else None
            if following is not None and _acts(statement) and _acts(following):
                then = ast.unparse(following).partition("\n")[0]
                yield f"{text} — after {then}", lambda n, b=block, p=place: _swap(getattr(n, b), p)


def _acts(statement: ast.stmt) -> bool:
    """Whether a statement calls something outside: what may not change places unnoticed."""
    if isinstance(statement, ast.Return):
        return False
    return any(isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) for part in ast.walk(statement))


def _swap(statements: list[ast.stmt], place: int) -> None:
    statements[place], statements[place + 1] = statements[place + 1], statements[place]


def _become(node: ast.AST, other: ast.AST) -> None:
    """Turn `node` into `other` where it stands."""
    node.__class__ = other.__class__  # type: ignore[assignment]
    node.__dict__.clear()
    node.__dict__.update(other.__dict__)


def _same(tree: ast.AST, other: ast.AST, node: ast.AST) -> ast.AST:
    """The node of `other`, a copy of `tree`, that stands where `node` stands in `tree`."""
    for one, two in zip(ast.walk(tree), ast.walk(other), strict=True):
        if one is node:
            return two
    raise LookupError(node)


def install(mutant: Mutant) -> None:
    """Make this process import `mutant` in the place of its module. Call it before anything of tallygate is
    imported."""
    if mutant.module in sys.modules:
        raise RuntimeError(f"{mutant.module} is imported already")

    class Loader(importlib.abc.Loader):
        def exec_module(self, module: ModuleType) -> None:
            exec(compile(mutant.source, f"<{mutant.name}>", "exec"), module.__dict__)

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(
            self, fullname: str, path: object, target: object = None
        ) -> importlib.machinery.ModuleSpec | None:
            if fullname != mutant.module:
                return None
            return importlib.util.spec_from_loader(fullname, Loader())

    sys.meta_path.insert(0, Finder())
