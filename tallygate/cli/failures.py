"""What goes wrong, in one line that says what to do next."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

ENDPOINT_VARIABLE: Final = "AWS_ENDPOINT_URL"


class Failure(click.ClickException):
    """Ends the command with exit code 1 and its message on stderr."""


@contextmanager
def one_line_failures() -> Iterator[None]:
    """Turns what can be expected to go wrong into a Failure. Anything else is our fault and keeps its traceback."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read our output has seen enough; click knows
    except Exception as error:
        said = in_words(error)
        if said is None:
            raise
        raise Failure(said) from error


def in_words(error: Exception) -> str | None:
    """What can be expected to go wrong, and what to do next; None for anything else."""
    from botocore import exceptions as aws

    from tallygate.config import ConfigError
    from tallygate.core.tally import StoreError
    from tallygate.local.errors import WorldError
    from tallygate.operations.errors import UnreachableError

    match error:
        case UnreachableError():
            why = in_words(error.__cause__) if isinstance(error.__cause__, Exception) else None
            if why is not None:
                return f"{error.what} in {error.region} cannot be read: {why}"
            return f"{_line(error)} — {_LATER if error.may_pass else 'may these credentials read it? --profile'}"
        case ConfigError() | WorldError():
            return str(error)
        case aws.ProfileNotFound():
            return f"{error}: `aws configure list-profiles` names those there are"
        case aws.NoCredentialsError() | aws.PartialCredentialsError() | aws.NoRegionError():
            return f"{error}: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give --profile"
        case aws.SSOError() | aws.TokenRetrievalError():
            return f"{_line(error)} — sign in again: `aws sso login`, with --profile if you gave one here"
        case aws.CredentialRetrievalError() | aws.LoginError():
            return f"{_line(error)} — `aws sts get-caller-identity` shows whether these credentials work"
        case aws.ClientError():
            return _refused(error)
        case aws.ConnectionError() | aws.HTTPClientError():
            return f"{_line(error)} — {_unreached(error)}"
        case StoreError():
            cause = error.__cause__
            unreached = isinstance(cause, aws.ConnectionError | aws.HTTPClientError)
            return f"{_line(error)} — {_unreached(cause) if unreached else _LATER}"
        case aws.BotoCoreError() | OSError():
            return _line(error)
    return None


_SIGN_IN: Final = "sign in again: `aws sso login`, or new credentials"
_NOT_THERE: Final = (
    "is the stage deployed in this account and region? --stage, --profile and --region choose; `cdk deploy` deploys"
)
_LATER: Final = "too much is asked of it at the moment; try again in a minute"
_HINTS: Final = {
    "ResourceNotFoundException": _NOT_THERE,
    "AWS.SimpleQueueService.NonExistentQueue": _NOT_THERE,
    "QueueDoesNotExist": _NOT_THERE,
    "UnrecognizedClientException": "these credentials are not of this account or endpoint",
    "InvalidClientTokenId": "these credentials are not of this account or endpoint",
    "ExpiredTokenException": _SIGN_IN,
    "ExpiredToken": _SIGN_IN,
    "RequestExpired": f"{_SIGN_IN}; or this machine's clock is wrong",
    "InvalidSignatureException": "the secret of these credentials is wrong, or this machine's clock",
    "SignatureDoesNotMatch": "the secret of these credentials is wrong, or this machine's clock",
    "ProvisionedThroughputExceededException": _LATER,
    "ThrottlingException": _LATER,
    "Throttling": _LATER,
    "RequestLimitExceeded": _LATER,
    "RequestThrottled": _LATER,
    "TransactionInProgressException": _LATER,
    "InternalServerError": _LATER,
    "ServiceUnavailable": _LATER,
}
_DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_ACTION: Final = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")


def _refused(error: "ClientError") -> str:
    code = error.response.get("Error", {}).get("Code", "")
    message = " ".join(error.response.get("Error", {}).get("Message", str(error)).split())
    if code in _DENIED:
        named = _ACTION.search(message)
        action = named[1] if named else error.operation_name
        return f"AWS refused ({code}): {message} — these credentials may not {action}; give others with --profile"
    return f"AWS refused ({code}): {message}" + (f" — {_HINTS[code]}" if code in _HINTS else "")


def _unreached(error: BaseException | None) -> str:
    from tallygate.config import LOOPBACK_HOSTS

    endpoint = os.environ.get(ENDPOINT_VARIABLE)
    if endpoint is not None:
        return (
            f"{ENDPOINT_VARIABLE} is {endpoint}: does it run? `unset {ENDPOINT_VARIABLE}` for AWS, or the local world"
        )
    asked = getattr(error, "kwargs", {}).get("endpoint_url") or ""
    if urlsplit(asked).hostname in LOOPBACK_HOSTS:
        return "the local world has ended: `tallygate up` starts another, and then this command is to be started again"
    return "is there a network, and are the regions of the configuration right (--region, service.homes)?"


def _line(error: Exception) -> str:
    """The message on one line; without one, what kind of error it is."""
    return " ".join(str(error).split()) or type(error).__name__
