"""What a cold start pays for: the modules that a function imports, each in a fresh interpreter. Times are in
benchmarks/cold_start.py; here it is held that nothing expensive slips in."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENV = {"POWERTOOLS_SERVICE_NAME": "f", "POWERTOOLS_METRICS_NAMESPACE": "Tallygate", "PATH": ""}


def imported_by(module: str) -> set[str]:
    program = f"import sys, {module}; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=ENV, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["functions.authorizer.handler", "functions.api.handler", "functions.counters.handler"]
)
def test_the_request_path_imports_no_sdk(module: str) -> None:
    imported = imported_by(module)
    assert module in imported
    # Powertools imports botocore's empty package to see whether it is there.
    assert not imported & {"boto3", "botocore.session", "botocore.client", "botocore.auth", "urllib3", "requests"}


def test_the_authorizer_imports_no_more_of_powertools_than_it_uses() -> None:
    imported = imported_by("functions.authorizer.handler")
    assert "aws_lambda_powertools.metrics" in imported
    assert not imported & {"aws_lambda_powertools.event_handler", "aws_lambda_powertools.utilities.parser"}
    assert not imported & {"pydantic", "orjson", "asyncio", "concurrent.futures"}


def test_the_authorizer_imports_nothing_of_the_counting_path() -> None:
    ours = {name for name in imported_by("functions.authorizer.handler") if name.startswith("tallygate.")}
    assert "tallygate.core.decide" in ours
    assert not ours & {"tallygate.core.fold", "tallygate.core.tally", "tallygate.core.publish", "tallygate.aws.rows"}
