"""The questions of operators, put to what a command works on."""

from tallygate.cli.target import Target
from tallygate.core.retention import Retention
from tallygate.operations.operations import Operations
from tallygate.operations.service import Service


def operations_of(target: Target) -> Operations:
    """Answers from the tables of `target`, with whatever credentials it has: they need to read only. With --region,
    from that home alone."""
    service, homes = target.config.service, target.homes
    return Operations(
        homes,
        target.gate(to_write=False),
        {home: target.aws("kinesis", home) for home in homes},
        {home: target.aws("sqs", home) for home in homes},
        Service(
            target.names,
            service.regions,
            Retention(service.retention_hours, service.history_days),
            service.ipv6_prefix,
        ),
    )
