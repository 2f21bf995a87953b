"""A synthesized CDK app (`cdk.out`) as values: its stacks in the order of their dependencies, their templates, their
files."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tallygate.local.errors import WorldError

_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""Earliest time of a zip entry; the same files give the same bytes."""


@dataclass(frozen=True, slots=True)
class FileAsset:
    """A file or directory that a stack's template refers to by bucket and key."""

    path: Path
    is_directory: bool
    bucket: str
    key: str
    region: str

    def content(self) -> bytes:
        """What is uploaded: the file, or the directory as a zip."""
        if not self.is_directory:
            return self.path.read_bytes()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path for path in self.path.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(file.relative_to(self.path).as_posix(), _ZIP_TIME)
                entry.external_attr = (file.stat().st_mode & 0xFFFF) << 16
                archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
        return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Stack:
    name: str
    region: str
    template: str
    assets: tuple[FileAsset, ...]
    after: frozenset[str]
    """Names of the stacks that must be there before."""


def read_assembly(cdk_out: Path, account: str) -> tuple[Stack, ...]:
    """The stacks of an app, each after those that it depends on. WorldError when the directory is no cloud assembly, or
    a stack has no region of its own."""
    artifacts = _json(cdk_out / "manifest.json").get("artifacts", {})
    names = {
        artifact_id: artifact["properties"].get("stackName", artifact_id)
        for artifact_id, artifact in artifacts.items()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    stacks: dict[str, Stack] = {}
    for artifact_id in names:
        artifact = artifacts[artifact_id]
        region = artifact["environment"].rpartition("/")[2]
        if region == "unknown-region":
            raise WorldError(
                f"stack {names[artifact_id]} names no region: it cannot be deployed beside those of others"
            )
        depends_on = artifact.get("dependencies", [])
        manifests = [artifacts[other] for other in depends_on if artifacts[other]["type"] == "cdk:asset-manifest"]
        template_file = artifact["properties"]["templateFile"]
        stacks[names[artifact_id]] = Stack(
            name=names[artifact_id],
            region=region,
            template=(cdk_out / template_file).read_text(),
            assets=tuple(
                asset
                for manifest in manifests
                for asset in _assets(cdk_out, manifest["properties"]["file"], region, account)
                if asset.path.name != template_file
            ),
            after=frozenset(names[other] for other in depends_on if other in names),
        )
    return tuple(_in_order(stacks))


def _assets(cdk_out: Path, manifest: str, region: str, account: str) -> Iterator[FileAsset]:
    for entry in _json(cdk_out / manifest).get("files", {}).values():
        for destination in entry["destinations"].values():

            def resolved(text: str, in_region: str = destination.get("region", region)) -> str:
                """Placeholders of the asset schema: the account and region are known only now."""
                text = text.replace("${AWS::AccountId}", account).replace("${AWS::Region}", in_region)
                return text.replace("${AWS::Partition}", "aws")

            yield FileAsset(
                path=cdk_out / entry["source"]["path"],
                is_directory=entry["source"].get("packaging") == "zip",
                bucket=resolved(destination["bucketName"]),
                key=resolved(destination["objectKey"]),
                region=resolved(destination.get("region", region)),
            )


def _in_order(stacks: dict[str, Stack]) -> Iterator[Stack]:
    done: set[str] = set()
    while len(done) < len(stacks):
        ready = [stack for stack in stacks.values() if stack.name not in done and stack.after <= done]
        if not ready:
            raise WorldError(f"the stacks depend on each other in a circle: {', '.join(sorted(stacks.keys() - done))}")
        yield from ready
        done |= {stack.name for stack in ready}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WorldError(f"{path} is not part of a synthesized app: {error}") from None
