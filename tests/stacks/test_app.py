"""`python app.py` as the command and the local world run it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from synthesized import ROOT


def run_app(out: Path, context: dict[str, str], **environment: str) -> subprocess.CompletedProcess[str]:
    """In an environment without Node on PATH and without AWS credentials or region."""
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "TMPDIR", "LANG", "COVERAGE_FILE")}
    given = {"CDK_OUTDIR": str(out), "CDK_CONTEXT_JSON": json.dumps(context), "PATH": "/nowhere", **environment}
    return subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=kept | given, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.toml"
    path.write_text((ROOT / "tallygate.toml").read_text().replace('gateway = "http"', 'gateway = "grpc"'))
    return path


def test_it_synthesizes_with_no_node_no_account_and_no_warning(tmp_path: Path) -> None:
    ran = run_app(tmp_path / "out", {"stage": "local"})
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == ""
    assert [line.split(":")[0] for line in ran.stderr.splitlines()] == [
        "log_consumer",
        "ops",
        "ops_reader",
        "notifier",
        "authorizer",
        "api",
        "counters",
    ]
    template = tmp_path / "out" / "tallygate-local-region-eu-west-1.template.json"
    assert json.loads(template.read_text())["Outputs"].keys() == {"ApiUrl", "ApiId"}


def test_a_wrong_configuration_ends_it_with_one_line_a_problem(tmp_path: Path, broken: Path) -> None:
    ran = run_app(tmp_path / "out", {"stage": "local", "config": str(broken)})
    assert ran.returncode == 1
    assert ran.stderr == f'{broken}: service.gateway: found "grpc", allowed is "http"\n'
    assert not list((tmp_path / "out").glob("*.template.json"))


def test_an_unknown_stage_is_named_with_the_known_ones(tmp_path: Path) -> None:
    ran = run_app(tmp_path / "out", {"stage": "produktion"})
    assert ran.returncode == 1
    assert ran.stderr == "stage: found 'produktion', allowed is one of service.stages: local, prod\n"


def test_the_cdk_cli_cannot_be_given_the_stage_of_the_emulator(tmp_path: Path) -> None:
    ran = run_app(tmp_path / "out", {}, CDK_CLI_VERSION="2.1148.0")
    assert ran.returncode == 1
    assert ran.stderr.startswith("stage: found 'local', which is for the emulator only")


def test_a_node_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    ran = run_app(tmp_path / "out", {"stage": "local"}, JSII_NODE="/nowhere/node")
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [
        "app.py: JSII_NODE is /nowhere/node, which cannot be run: unset it, or name a Node of version 22 up"
    ]


def test_a_real_stage_calls_a_webhook_over_tls_only(tmp_path: Path) -> None:
    config = tmp_path / "http.toml"
    config.write_text((ROOT / "tallygate.toml").read_text() + '\n[notices]\nwebhook = "http://127.0.0.1/"\n')
    ran = run_app(tmp_path / "out", {"stage": "prod", "config": str(config)})
    assert (ran.returncode, ran.stderr) == (
        1, "notices.webhook: found http, allowed is https in every stage but local\n",
    )  # fmt: skip
