"""An ordinary client that signs its calls of the operators' API."""

import json

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tallygate.local.aws import ACCOUNT, SECRET
from tallygate.local.world import World

VIRGINIA = "us-east-1"
ROOT = Credentials(ACCOUNT, SECRET)


class Ops:
    """Calls with somebody's credentials."""

    def __init__(self, world: World, credentials: Credentials = ROOT, region: str = VIRGINIA) -> None:
        self._world = world
        self._credentials = credentials
        self._region = region

    def __call__(
        self,
        method: str,
        path: str,
        document: object = None,
        *,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> requests.Response:
        body = b"" if document is None else json.dumps(document).encode()
        url = f"http://{self._world.ops_endpoint.host}{path}"
        request = AWSRequest(method, url, data=body, headers=headers or {}, params=params or {})
        SigV4Auth(self._credentials, "execute-api", self._region).add_auth(request)
        signed = request.prepare()
        # The Host header says which API: not every resolver knows *.localhost.
        address = signed.url.replace(self._world.ops_endpoint.host, f"127.0.0.1:{self._world.port}")
        sent = dict(signed.headers) | {"Host": self._world.ops_endpoint.host}
        return requests.request(method, address, data=body, headers=sent, timeout=60)
