"""The CDK app: one gate, a home for each region that counts, a stack for each region that serves, one for operators and
one that tells them of quotas.

    python app.py                      synthesizes the stage `local` into cdk.out, with no AWS account, CDK CLI or Node
    cdk deploy --all -c stage=prod     deploys a real stage (npm i -g aws-cdk@2.1148)

Context: `config` (default `tallygate.toml`) is the configuration's path, `stage` (default `local`) one of its stages.
Without the CLI, context and output directory come from the environment, which is how the local world asks for them:

    CDK_OUTDIR=build/cdk.out CDK_CONTEXT_JSON='{"stage": "local", "config": "tallygate.toml"}' python app.py

On stderr: the size of each function's asset, or one line per problem and exit code 1. Nothing asks AWS anything.
"""

import os
import sys
from functools import partial
from pathlib import Path

from tallygate.config import Config, ConfigError, load
from tallygate.local.flavour import LOCAL, LOCAL_STAGE, Flavour
from tallygate.node import NodeMissingError, use_node
from tallygate.resources import Names

try:
    use_node()
except NodeMissingError as missing:
    sys.exit(f"app.py: {missing}")

import aws_cdk as cdk  # only now: importing it starts Node

from stacks.assets import FunctionCode
from stacks.closure import ForeignImportError
from stacks.deployment import Deployment
from stacks.gate import GateStack
from stacks.home import HomeStack
from stacks.notices import NoticesStack
from stacks.ops import OpsStack
from stacks.region import RegionStack
from stacks.wheels import WheelsError, wheels

ROOT = Path(__file__).resolve().parent


class UsageError(ValueError):
    """The context asks for something that cannot be synthesized."""


def compose(app: cdk.App, deployment: Deployment) -> None:
    """Puts the stacks of one stage into `app`, in the order in which they have to be deployed."""
    names, service = deployment.names, deployment.service
    for_stack = partial(_stack_props, deployment)
    administrative = service.administrative_region
    gate = GateStack(app, names.stack("gate", administrative), deployment=deployment, **for_stack(administrative))
    homes = [
        HomeStack(app, names.stack("home", home), deployment=deployment, home=home, **for_stack(home))
        for home in service.homes
    ]
    for home in homes:
        home.add_stack_dependency(gate)
    ops = OpsStack(
        app,
        names.stack("ops", administrative),
        deployment=deployment,
        region=administrative,
        **for_stack(administrative),
    )
    ops.add_stack_dependency(homes[0])
    notices = NoticesStack(
        app,
        names.stack("notices", administrative),
        deployment=deployment,
        region=administrative,
        **for_stack(administrative),
    )
    notices.add_stack_dependency(homes[0])  # and so on the gate, whose stream it reads
    for region in service.regions:
        serving = RegionStack(
            app, names.stack("region", region), deployment=deployment, region=region, **for_stack(region)
        )
        # Subscribing sends a test record to the stream, so the homes come first.
        for home in homes:
            serving.add_stack_dependency(home)


def _stack_props(deployment: Deployment, region: str) -> dict[str, object]:
    return {
        "env": cdk.Environment(region=region),
        "synthesizer": cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
        "termination_protection": deployment.flavour.keep_tables,
    }


def deployment_of(config: Config, stage: str, flavour: Flavour) -> Deployment:
    if stage not in config.service.stages:
        raise UsageError(
            f"stage: found {stage!r}, allowed is one of service.stages: {', '.join(config.service.stages)}"
        )
    webhook = config.notices.webhook
    if webhook is not None and stage != LOCAL_STAGE and not webhook.startswith("https://"):
        raise UsageError(f"notices.webhook: found http, allowed is https in every stage but {LOCAL_STAGE}")
    return Deployment(
        config=config,
        names=Names(config.service.name, stage),
        flavour=flavour,
        code=FunctionCode(ROOT, partial(wheels, ROOT) if flavour.wheels else lambda part: None),
    )


def main() -> None:
    app = cdk.App(outdir=os.environ.get("CDK_OUTDIR", "cdk.out"), analytics_reporting=False)
    stage = app.node.try_get_context("stage") or LOCAL_STAGE
    try:
        if stage == LOCAL_STAGE and "CDK_CLI_VERSION" in os.environ:
            raise UsageError("stage: found 'local', which is for the emulator only: name another, cdk … -c stage=prod")
        config = load(app.node.try_get_context("config") or "tallygate.toml")
        compose(app, deployment_of(config, stage, LOCAL if stage == LOCAL_STAGE else Flavour()))
    except (ConfigError, UsageError, ForeignImportError, WheelsError) as error:
        sys.exit(str(error))
    app.synth()


if __name__ == "__main__":
    main()
