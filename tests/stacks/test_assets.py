"""A function's code: its own package and what that imports, nothing else."""

import re
from importlib.metadata import packages_distributions
from pathlib import Path
from tempfile import mkdtemp

import pytest
from synthesized import ROOT

from stacks.assets import FunctionCode, assemble
from stacks.closure import ForeignImportError, closure, third_party
from stacks.wheels import RUNTIME_HAS, named

FUNCTIONS = ["api", "authorizer", "log_consumer", "notifier", "ops", "ops_reader", "webhook"]


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    for directory in {root / Path(name).parent for name in files}:
        while directory != root:
            (directory / "__init__.py").touch()
            directory = directory.parent
    return root


def assembled(root: Path, part: str, target: Path, wheels: Path | None = None) -> set[str]:
    """The files in the asset of a function."""
    assemble(root, part, wheels, target)
    return {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}


def imported(part: str) -> dict[str, set[str]]:
    """What a function imports from others, and the packages here that provide it."""
    provided_by = packages_distributions()
    names = third_party(ROOT, closure(ROOT, f"functions.{part}"))
    return {name: {re.sub(r"[-_.]+", "-", package).lower() for package in provided_by[name]} for name in names}


@pytest.mark.parametrize("part", FUNCTIONS)
def test_an_asset_has_its_handler_and_only_code_that_runs_there(part: str, tmp_path: Path) -> None:
    files = assembled(ROOT, part, tmp_path / "asset")
    assert f"functions/{part}/handler.py" in files
    for file in files:
        assert re.match(rf"functions/(__init__\.py$|{part}/)|tallygate/(core/|aws/|operations/|[a-z_]+\.py$)", file), (
            file
        )
        assert not file.endswith(("requirements.txt", ".pyc")), file


@pytest.mark.parametrize("part", FUNCTIONS)
def test_all_that_an_asset_imports_is_in_its_wheels_or_in_the_runtime(part: str) -> None:
    wheels = named(ROOT / "functions" / part / "requirements.txt")
    for name, packages in imported(part).items():
        assert {*wheels, *RUNTIME_HAS} & packages, f"{name} is missing in functions/{part}/requirements.txt"


@pytest.mark.parametrize("part", FUNCTIONS)
def test_no_wheel_is_packed_that_nothing_imports(part: str) -> None:
    assert named(ROOT / "functions" / part / "requirements.txt") <= set().union(*imported(part).values())


def test_imports_are_followed_in_every_form(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "functions/one/handler.py": "from tallygate.a import f\nfrom . import near\nimport json, boto3\n",
            "functions/one/near.py": "def late():\n    import tallygate.deep.b\n",
            "functions/one/unused.py": "",
            "functions/two/handler.py": "from tallygate import other\n",
            "tallygate/a.py": "from tallygate.deep import c\nf = 1\n",
            "tallygate/deep/b.py": "from ..e import g\n",
            "tallygate/deep/c.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tallygate.other\n",
            "tallygate/e.py": "g = 1\n",
            "tallygate/other.py": "",
        },
    )
    assert {str(path) for path in closure(root, "functions.one")} == {
        "functions/__init__.py",
        "functions/one/__init__.py",
        "functions/one/handler.py",
        "functions/one/near.py",
        "functions/one/unused.py",
        "tallygate/__init__.py",
        "tallygate/a.py",
        "tallygate/deep/__init__.py",
        "tallygate/deep/b.py",
        "tallygate/deep/c.py",
        "tallygate/e.py",
    }
    assert third_party(root, closure(root, "functions.one")) == {"boto3"}


def test_a_function_that_imports_another_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path, {"functions/one/handler.py": "from functions.two import x", "functions/two/x.py": ""})
    with pytest.raises(ForeignImportError, match=r"functions/one/handler\.py imports functions\.two\.x"):
        closure(root, "functions.one")


def test_the_same_code_has_the_same_hash_wherever_and_whenever_it_is_assembled(tmp_path: Path) -> None:
    from aws_cdk import App, Stack
    from aws_cdk.aws_s3_assets import Asset

    def hash_of(root: Path) -> str:
        target = Path(mkdtemp(dir=tmp_path))  # one of its own each time: CDK remembers the hash of a path
        assemble(root, "one", None, target / "asset")
        stack = Stack(App(outdir=str(target / "cdk.out")), "stack")
        return Asset(stack, "asset", path=str(target / "asset")).asset_hash

    files = {"functions/one/handler.py": "from tallygate import a\n", "tallygate/a.py": "x = 1\n"}
    first, second = write(tmp_path / "first", files), write(tmp_path / "second", files)
    (second / "tallygate" / "a.py").touch()
    (second / "tallygate" / "a.py").chmod(0o600)
    (second / "functions" / "one" / "__pycache__").mkdir()
    (second / "functions" / "one" / "__pycache__" / "handler.pyc").write_text("made by a run of it")
    (second / "tallygate" / "not_imported.py").write_text("")
    assert hash_of(first) == hash_of(second)
    (second / "tallygate" / "a.py").write_text("x = 2\n")
    assert hash_of(first) != hash_of(second)


def test_wheels_lie_beside_our_own_code(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"functions/one/handler.py": "import dep"})
    wheel = write(tmp_path / "wheel", {"dep/code.py": "", "dep-1.0.dist-info/METADATA": ""})
    files = assembled(root, "one", tmp_path / "asset", wheel)
    assert files >= {"dep/code.py", "dep-1.0.dist-info/METADATA", "functions/one/handler.py"}


def test_synthesis_says_how_large_each_asset_is_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write(tmp_path, {"functions/one/handler.py": "x = 1\n" * 1000})
    code = FunctionCode(root, lambda part: None)
    code.of("one")
    code.of("one")
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"one: [01] KB compressed, 6 KB uncompressed", line)
