"""Clients of the emulator, and of nothing else."""

import ipaddress
import os
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tallygate.local.errors import WorldError

if TYPE_CHECKING:
    import boto3.session

ACCOUNT: Final = "000000000000"
"""The emulator's default account; an access key id of twelve digits names the account."""
SECRET: Final = "local"


class LocalAws:
    """AWS clients that can reach the emulator only. The endpoint must be a loopback address, else WorldError; the
    user's profile, credentials, endpoints and proxies are neither read nor needed."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = require_loopback(endpoint)
        self._lock = threading.Lock()
        self._session: Any = None  # its client() has an overload for each service, and none for a name in a variable
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str) -> Any:
        """A boto3 client; the same one for the same arguments. Clients may be shared by threads."""
        from botocore.config import Config

        with self._lock:
            if self._session is None:
                self._session = _isolated_session()
            if (service, region) not in self._clients:
                self._clients[service, region] = self._session.client(
                    service,
                    region_name=region,
                    endpoint_url=self.endpoint,
                    config=Config(
                        proxies={},
                        max_pool_connections=32,
                        retries={"total_max_attempts": 1},
                        s3={"addressing_style": "path"},
                    ),
                )
            return self._clients[service, region]

    def environment(self, region: str) -> dict[str, str]:
        """Variables with which the AWS command, an SDK or `tallygate` itself works against the emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": region,
        }


def require_loopback(endpoint: str) -> str:
    """`endpoint`, if it is `http://` and an address of this machine that no other can reach."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if parts.scheme != "http" or not loopback:
        raise WorldError(f"{endpoint} is not an endpoint on this machine: only http://127.0.0.1:<port> is deployed to")
    return endpoint.rstrip("/")


def _isolated_session() -> "boto3.session.Session":
    import boto3.session
    import botocore.session

    nothing: dict[str, tuple[None, None, str | None, None]] = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    session = botocore.session.Session(session_vars=nothing)
    session.set_credentials(ACCOUNT, SECRET)
    return boto3.session.Session(botocore_session=session)
