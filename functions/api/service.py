"""What the routes of the API share: settings, the clients of the homes, and the app that they are in."""

from collections.abc import Sequence
from functools import cache

from tallygate.aws.dynamodb_http import DynamoDbReads, client_for
from tallygate.aws.metered_app import MeteredApp
from tallygate.aws.settings import ApiSettings
from tallygate.aws.telemetry import function_log
from tallygate.core.gate import ReadFailure

logger = function_log()


@cache
def settings() -> ApiSettings:
    return ApiSettings.from_env()


def problem_types() -> str:
    """Where types of problem are described; the name of one is added."""
    return settings().docs_url + "#"


metered = MeteredApp(problem_types)
app = metered.app


@cache
def homes() -> dict[str, DynamoDbReads]:
    """A client of each home; nothing is connected before somebody asks."""
    return {home: client_for(home) for home in settings().homes}


def log_unread(failures: Sequence[ReadFailure]) -> None:
    for failure in failures:
        logger.warning("usage was not read", extra={"reason": failure.reason})
