"""The secret with which webhooks are signed: in Secrets Manager, made there when the stack is, and nowhere else. While
a new one is young the one before it signs as well, so that receivers can change over."""

import base64
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tallygate.aws.dynamodb import error_code
from tallygate.core.webhooks import SECRET_PREFIX, signing_key

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

OVERLAP_SECONDS: Final = 24 * 3600
"""How long after a rotation webhooks carry two signatures."""
SECRET_BYTES: Final = 32
_GOOD_SECONDS: Final = 60
"""How long a container signs with what it read."""


class WebhookSecret:
    """What AWS refuses is raised as it is (botocore.exceptions); errors and representations hold no secret."""

    def __init__(self, client: "SecretsManagerClient", webhook_secret: str) -> None:
        self._client = client
        self._id = webhook_secret
        self._keys: list[bytes] = []
        self._read_seconds = 0.0

    def keys(self) -> list[bytes]:
        """The keys to sign with now, the newest first. InvalidSecretError."""
        if not self._keys or time.monotonic() - self._read_seconds >= _GOOD_SECONDS:
            current = self._client.get_secret_value(SecretId=self._id, VersionStage="AWSCURRENT")
            keys = [signing_key(current["SecretString"])]
            if time.time() - current["CreatedDate"].timestamp() < OVERLAP_SECONDS:
                keys += [signing_key(each) for each in self._previous()]
            self._keys, self._read_seconds = keys, time.monotonic()
        return self._keys

    def shown(self) -> str:
        """The current secret, as receivers are given it: `whsec_…`."""
        secret = self._client.get_secret_value(SecretId=self._id, VersionStage="AWSCURRENT")["SecretString"]
        return SECRET_PREFIX + secret.removeprefix(SECRET_PREFIX)

    def rotate(self) -> str:
        """Make another; returns it."""
        secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        self._client.put_secret_value(SecretId=self._id, SecretString=secret)
        return secret

    def _previous(self) -> list[str]:
        try:
            previous: Any = self._client.get_secret_value(SecretId=self._id, VersionStage="AWSPREVIOUS")
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            return []
        return [previous["SecretString"]]
