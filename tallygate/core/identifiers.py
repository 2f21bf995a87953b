"""Identifiers as operators write them, in the normal form in which they are counted."""

import re
from typing import Final

from tallygate.core import keys
from tallygate.core.identity import host_of, normal_host, normal_ip
from tallygate.core.key_fields import FieldError, owner_of
from tallygate.core.names import INVALID_KEY, Kind

_KEY_ID: Final = re.compile(rf"[0-9a-f]{{{keys.KEY_ID_CHARS}}}", re.ASCII)


class InvalidIdentifierError(ValueError):
    """What was written can be no identifier of its kind. The message never repeats what may be a secret."""


def normal_value(kind: Kind, value: str, ipv6_prefix: int) -> str:
    """The normal form of `value`. InvalidIdentifierError."""
    if kind == "ip":
        found = normal_ip(value, ipv6_prefix)
        if found is None:
            raise InvalidIdentifierError(f"{value!r} is no IP address")
        return found
    if kind == "ref":
        found = host_of(value) or normal_host(value) or host_of(f"http://{value}") or host_of(f"http://[{value}]")
        if found is None:
            raise InvalidIdentifierError(f"{value!r} is neither a host nor an http or https URL with one")
        return found
    if kind == "owner":
        try:
            return owner_of(value)
        except FieldError as error:
            raise InvalidIdentifierError(f"an owner: {error.said}") from None
    return key_id_of(value)


def is_key_id(text: str) -> bool:
    return _KEY_ID.fullmatch(text) is not None


def key_id_of(value: str) -> str:
    """The id of a key, given as its id or its secret. InvalidIdentifierError."""
    value = value.strip()
    if value == INVALID_KEY or is_key_id(value):
        return value
    if keys.stage_of(value) is not None:
        return keys.key_id(value)
    if value.startswith(keys.PREFIX):
        raise InvalidIdentifierError(
            "that key is mistyped: its checksum does not fit (calls with such keys are counted as `invalid`)"
        )
    raise InvalidIdentifierError(
        f"a key is given as its id, {keys.KEY_ID_CHARS} hex digits, or as its secret, {keys.PREFIX}…"
    )
