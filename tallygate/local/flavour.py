"""All that a deployment to the emulator has differently: the defaults are the real thing, LOCAL is the emulator's. The
templates are otherwise the same (tests/stacks/test_flavour.py holds that)."""

from dataclasses import dataclass
from typing import Final

from tallygate.aws.settings import DEFAULT_READ_DEADLINE_MS, LOCAL_STAGE

__all__ = ["LOCAL", "LOCAL_STAGE", "Flavour"]


@dataclass(frozen=True, slots=True)
class Flavour:
    """How a stage is deployed, where that depends on what it is deployed to."""

    wheels: bool = True
    """Function code carries its third-party packages, built for Lambda's arm64. The emulator runs handlers in its own
    Python, where such a wheel shadows the installed copy and fails to import."""

    trusted_proxies: tuple[str, ...] = ()
    """Peers believed besides the configured ones. The emulator gives every call the peer 127.0.0.1, so that the address
    of a replayed call can only come from X-Forwarded-For."""

    keep_tables: bool = True
    """The tables outlive their stacks, and the gate cannot be deleted by a call either."""

    metric_queries: bool = True
    """Alarms over a query of metrics. The emulator knows alarms on one metric only, and refuses the template."""

    read_deadline_ms: int = DEFAULT_READ_DEADLINE_MS
    """How long the authorizer waits for the gate. On a busy machine of two cores everything at once may take longer
    than a caller may be made to wait; and a test must not pass because a read was given up."""


LOCAL: Final = Flavour(
    wheels=False,
    trusted_proxies=("127.0.0.1/32",),
    keep_tables=False,
    metric_queries=False,
    read_deadline_ms=5_000,
)
