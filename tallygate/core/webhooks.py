"""Signing of webhooks as Standard Webhooks 1.0 has it (standard-webhooks.com): whoever receives one can tell that it is
from here, is whole, and is not an old one sent again."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

SECRET_PREFIX: Final = "whsec_"
LEAST_SECRET_BYTES: Final = 24
MOST_SECRET_BYTES: Final = 64
"""Of a secret, decoded (Standard Webhooks, "Signature scheme")."""
TYPE: Final = "quota.level_reached"


class InvalidSecretError(ValueError):
    """The secret cannot sign. The message does not hold it."""


def signing_key(secret: str) -> bytes:
    """The key in `whsec_<base64>`, with or without the prefix. InvalidSecretError."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise InvalidSecretError("the webhook's secret is not base64") from None
    if not LEAST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
        raise InvalidSecretError(f"the webhook's secret has {len(key)} bytes, not {LEAST_SECRET_BYTES} to 64")
    return key


def signature(key: bytes, id: str, timestamp_seconds: int, body: bytes) -> str:
    """One signature, as `v1,<base64>`."""
    digest = hmac.digest(key, f"{id}.{timestamp_seconds}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def payload(notice: Mapping[str, Any]) -> bytes:
    """The body of a webhook that tells a notice (its document)."""
    message = {"type": TYPE, "timestamp": notice["as_of"], "data": notice}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def headers(keys: Sequence[bytes], id: str, timestamp_seconds: int, body: bytes) -> dict[str, str]:
    """The headers of a webhook, signed with each of `keys`: a receiver that knows one of them can verify it."""
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(timestamp_seconds),
        "webhook-signature": " ".join(signature(key, id, timestamp_seconds, body) for key in keys),
    }
