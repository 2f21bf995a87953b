"""cdk-nag's AwsSolutions rules: kept, or waived beside the resource with the reason."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from synthesized import ROOT

from tallygate.config import Config, Notices
from tallygate.local.flavour import Flavour
from tallygate.resources import Names


def findings(directory: Path, fill: Any) -> list[str]:
    """What AwsSolutions has against an app, as `rule construct`."""
    from aws_cdk import App, Validations
    from cdk_nag import AwsSolutionsChecks

    app = App(outdir=str(directory), analytics_reporting=False)
    fill(app)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise
    reports = json.loads((directory / "validation-report.json").read_text())["pluginReports"]
    return [
        f"{violation['ruleName']} {construct['constructPath']}"
        for report in reports
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    ]


def test_no_rule_is_broken_without_a_reason(shipped: Config, tmp_path: Path) -> None:
    import app
    from stacks.assets import FunctionCode
    from stacks.deployment import Deployment

    code = FunctionCode(ROOT, lambda part: None)
    config = replace(shipped, notices=Notices(True, ("ops@example.com",), "https://example.com/"))
    deployment = Deployment(config, Names(shipped.service.name, "prod"), Flavour(), code)
    assert findings(tmp_path, lambda cdk_app: app.compose(cdk_app, deployment)) == []


def test_the_rules_are_at_work(tmp_path: Path) -> None:
    from aws_cdk import Stack
    from aws_cdk.aws_sqs import Queue

    assert "AwsSolutions-SQS4 plain/Queue/Resource" in findings(
        tmp_path, lambda app: Queue(Stack(app, "plain"), "Queue")
    )
