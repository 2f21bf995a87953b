import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tallygate.local.assembly import FileAsset, read_assembly
from tallygate.local.errors import WorldError

ACCOUNT = "000000000000"


def stack(region: str, template: str, *after: str) -> dict[str, Any]:
    return {
        "type": "aws:cloudformation:stack",
        "environment": f"aws://unknown-account/{region}",
        "properties": {"templateFile": template, "stackName": f"the-{template.removesuffix('.json')}"},
        "dependencies": list(after),
    }


def assembly(directory: Path, artifacts: dict[str, Any]) -> Path:
    (directory / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    for artifact in artifacts.values():
        if artifact["type"] == "aws:cloudformation:stack":
            (directory / artifact["properties"]["templateFile"]).write_text('{"Resources": {}}')
    return directory


def test_stacks_come_after_those_that_they_depend_on(tmp_path: Path) -> None:
    artifacts = {
        "A": stack("eu-west-1", "region.json", "B"),
        "B": stack("us-east-1", "home.json", "C"),
        "C": stack("us-east-1", "gate.json"),
    }
    found = read_assembly(assembly(tmp_path, artifacts), ACCOUNT)
    assert [(stack.name, stack.region, sorted(stack.after)) for stack in found] == [
        ("the-gate", "us-east-1", []),
        ("the-home", "us-east-1", ["the-gate"]),
        ("the-region", "eu-west-1", ["the-home"]),
    ]


def test_a_circle_of_stacks_is_an_error(tmp_path: Path) -> None:
    artifacts = {"A": stack("eu-west-1", "a.json", "B"), "B": stack("eu-west-1", "b.json", "A")}
    with pytest.raises(WorldError, match="in a circle: the-a, the-b"):
        read_assembly(assembly(tmp_path, artifacts), ACCOUNT)


def test_a_stack_without_a_region_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="stack the-a names no region"):
        read_assembly(assembly(tmp_path, {"A": stack("unknown-region", "a.json")}), ACCOUNT)


def test_what_is_no_assembly_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"manifest\.json is not part of a synthesized app"):
        read_assembly(tmp_path, ACCOUNT)


def test_assets_go_to_the_bucket_of_the_account_and_region_and_templates_do_not(tmp_path: Path) -> None:
    bucket = "assets-${AWS::AccountId}-eu-west-1"
    files = {
        "template": ("a.json", "file"),
        "code": ("asset.code", "zip"),
    }
    manifest = {
        "files": {
            name: {
                "source": {"path": path, "packaging": packaging},
                "destinations": {"it": {"bucketName": bucket, "objectKey": f"{name}.x", "region": "eu-west-1"}},
            }
            for name, (path, packaging) in files.items()
        }
    }
    (tmp_path / "a.assets.json").write_text(json.dumps(manifest))
    artifacts = {
        "A.assets": {"type": "cdk:asset-manifest", "properties": {"file": "a.assets.json"}},
        "A": stack("eu-west-1", "a.json", "A.assets"),
    }
    (found,) = read_assembly(assembly(tmp_path, artifacts), ACCOUNT)
    assert found.assets == (
        FileAsset(tmp_path / "asset.code", True, "assets-000000000000-eu-west-1", "code.x", "eu-west-1"),
    )


def test_a_directory_is_uploaded_as_a_zip_that_depends_on_nothing_but_its_files(tmp_path: Path) -> None:
    (tmp_path / "code" / "deep").mkdir(parents=True)
    (tmp_path / "code" / "deep" / "b.py").write_text("b")
    (tmp_path / "code" / "a.py").write_text("a")
    asset = FileAsset(tmp_path / "code", True, "bucket", "key", "eu-west-1")
    content = asset.content()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"a.py": b"a", "deep/b.py": b"b"}
    (tmp_path / "code" / "a.py").touch()
    assert asset.content() == content
