"""What functions log arrives with the level that it was logged with."""

import io
import logging

import pytest
from aws_lambda_powertools import Logger

from functions.api import service
from functions.authorizer import handler as authorizer
from functions.counters import handler as counters
from functions.log_consumer import handler as log_consumer
from functions.ops import handler as ops
from tallygate.local.additions.function_logs import passes


@pytest.mark.parametrize(
    "logger", [authorizer.logger, service.logger, counters.logger, log_consumer.logger, ops.logger]
)
def test_lambda_takes_the_level_of_a_line_from_it(logger: Logger) -> None:
    handler, log = logger.registered_handler, io.StringIO()
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(log)
    logger.warning("something is odd")
    handler.setStream(before or io.StringIO())
    assert passes(log.getvalue(), "WARN")
