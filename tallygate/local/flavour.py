"""All that a deployment to the emulator has differently: the defaults are the real thing, LOCAL is the emulator's. The
templates are otherwise the same (tests/stacks/test_flavour.py holds that)."""

from dataclasses import dataclass
from typing import Final


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


LOCAL_STAGE: Final = "local"
LOCAL: Final = Flavour(wheels=False, trusted_proxies=("127.0.0.1/32",), keep_tables=False, metric_queries=False)
