"""A small client of the service, for programs: the caller's side and that of their counters, and the operator's.

    from tallygate.client import TallygateClient

    client = TallygateClient("https://api.example.com", key="tg_prod_…")
    client.counters.increment("orders")

It needs urllib3 and the standard library; calls of operators are signed by botocore, which is imported when one is
made. docs/client.md shows all of it.
"""

from tallygate.client.buffer import CounterBuffer
from tallygate.client.caller import TallygateClient
from tallygate.client.counters import Counters
from tallygate.client.errors import (
    InvalidRequestError,
    NoAnswerError,
    NotAuthorizedError,
    NotFoundError,
    ProblemError,
    QuotaExceededError,
    TallygateError,
    UnavailableError,
)
from tallygate.client.limits import Limit
from tallygate.client.operator import UNCHANGED, Keys, NewKey, OperatorClient
from tallygate.client.transport import Retries
from tallygate.client.values import (
    CounterDetail,
    CounterShare,
    CounterTotal,
    Period,
    Reset,
    Usage,
    UsedLimit,
    When,
    Whoami,
)

__all__ = [
    "UNCHANGED",
    "CounterBuffer",
    "CounterDetail",
    "CounterShare",
    "CounterTotal",
    "Counters",
    "InvalidRequestError",
    "Keys",
    "Limit",
    "NewKey",
    "NoAnswerError",
    "NotAuthorizedError",
    "NotFoundError",
    "OperatorClient",
    "Period",
    "ProblemError",
    "QuotaExceededError",
    "Reset",
    "Retries",
    "TallygateClient",
    "TallygateError",
    "UnavailableError",
    "Usage",
    "UsedLimit",
    "When",
    "Whoami",
]
