"""The app as it would be deployed: its templates read back, with CloudFormation's functions worked out."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intrinsics import Resolver

from tallygate.config import Config
from tallygate.local.flavour import Flavour
from tallygate.node import use_node
from tallygate.resources import Names

use_node()  # before anything here imports aws_cdk

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

Where = tuple[str, str]
"""A stack: its part (`gate`, `home`, `region`) and the region it is in."""


@dataclass(frozen=True)
class Synthesized:
    config: Config
    names: Names
    written: dict[Where, dict[str, Any]]
    """Templates as they were written."""
    templates: dict[Where, dict[str, Any]]
    """The same, with CloudFormation's functions worked out."""
    manifest: dict[str, Any]

    def all(self, where: Where, type: str) -> list[dict[str, Any]]:
        resources = self.templates[where]["Resources"].values()
        return [resource.get("Properties", {}) for resource in resources if resource["Type"] == type]

    def one(self, where: Where, type: str, **properties: object) -> dict[str, Any]:
        """The one resource of this type that has these properties."""
        found = [each for each in self.all(where, type) if properties.items() <= each.items()]
        assert len(found) == 1, f"{type} with {properties} in {where}: {found}"
        return found[0]

    def function(self, where: Where, part: str) -> dict[str, Any]:
        return self.one(where, "AWS::Lambda::Function", Handler=f"functions.{part}.handler.handler")


def wheels_stand_in(directory: Path) -> Callable[[str], Path]:
    """In place of what a registry would send: one package, which is in every asset that has wheels."""
    package = directory / "wheels" / "stand_in"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    return lambda part: package.parent


def synthesize(directory: Path, config: Config, stage: str, flavour: Flavour) -> Synthesized:
    from aws_cdk import App

    import app
    from stacks.assets import FunctionCode
    from stacks.deployment import Deployment

    names = Names(config.service.name, stage)
    code = FunctionCode(ROOT, wheels_stand_in(directory) if flavour.wheels else lambda part: None)
    out = directory / "cdk.out"
    composed = App(outdir=str(out), analytics_reporting=False)
    app.compose(composed, Deployment(config=config, names=names, flavour=flavour, code=code))
    composed.synth()
    places = [("gate", config.service.administrative_region)]
    places += [("home", home) for home in config.service.homes]
    places += [(part, config.service.administrative_region) for part in ("ops", "notices")]
    places += [("region", region) for region in config.service.regions]
    written = {place: json.loads((out / f"{names.stack(*place)}.template.json").read_text()) for place in places}
    templates = {place: Resolver(template, place[1])(template) for place, template in written.items()}
    return Synthesized(config, names, written, templates, json.loads((out / "manifest.json").read_text()))
