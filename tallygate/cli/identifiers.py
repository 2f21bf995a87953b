"""Identifiers as operators write them; a Failure for what is none."""

from tallygate.cli.failures import Failure
from tallygate.core import identifiers
from tallygate.core.identifiers import InvalidIdentifierError
from tallygate.core.names import Kind


def normal_value(kind: Kind, value: str, ipv6_prefix: int) -> str:
    """The normal form of `value`. The message of a Failure never repeats what may be a secret."""
    try:
        return identifiers.normal_value(kind, value, ipv6_prefix)
    except InvalidIdentifierError as error:
        raise Failure(str(error)) from None


def key_id_of(value: str) -> str:
    """The id of a key, given as its id or its secret."""
    try:
        return identifiers.key_id_of(value)
    except InvalidIdentifierError as error:
        raise Failure(str(error)) from None
