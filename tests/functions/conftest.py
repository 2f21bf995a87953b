"""The environment that Lambda gives a function. That of Powertools is set before any handler is imported, which reads
it then."""

import io
import logging
import os
from collections.abc import Iterator

import pytest

os.environ |= {
    "POWERTOOLS_SERVICE_NAME": "tallygate-prod-function",
    "POWERTOOLS_METRICS_NAMESPACE": "Tallygate",
}
DEPLOYED = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "TALLYGATE_GATE_TABLE": "gate",
    "TALLYGATE_TALLY_TABLE": "tally",
    "TALLYGATE_HOME": "us-east-1",
    "TALLYGATE_HOMES": "us-east-1",
    "TALLYGATE_DOCS_URL": "https://docs.example/problems",
    "TALLYGATE_STREAM_RETENTION_HOURS": "24",
    "TALLYGATE_HISTORY_DAYS": "400",
}


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """For these tests only: the command's would take the endpoint for a service of theirs."""
    for name, value in DEPLOYED.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def api_log() -> Iterator[io.StringIO]:
    """What the API function logs, as it is written."""
    from functions.api import service  # not before its environment is there

    handler, log = service.logger.registered_handler, io.StringIO()
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(log)
    yield log
    handler.setStream(before or io.StringIO())
