"""How soon a change of a key holds in each region of the world on this machine: `python -m benchmarks.key_changes`.

Starts a world of its own. A key is made through `/ops/keys` and called with at once in every region; then it is revoked
with the command while each region is called without a pause, and the time from the command's start and from its end to
the first refusal is told; likewise for a blocked range of addresses. Replication takes no time here: on AWS, add it
(mostly less than a second).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tallygate.local.aws import ACCOUNT, SECRET
from tallygate.local.world import World

TALLYGATE: Final = Path(sys.executable).with_name("tallygate")
ROUNDS: Final = 5
PAUSE_SECONDS: Final = 0.02
MOST_SECONDS: Final = 60.0
BLOCKED: Final = "198.51.100.9"

Headers = Mapping[str, str]


def status(world: World, host: str, path: str, headers: Headers, method: str = "GET", body: bytes = b"") -> Any:
    """Status and document of an answer."""
    connection = HTTPConnection("127.0.0.1", world.port, timeout=60)
    try:
        connection.request(method, path, body, {**headers, "Host": host})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def sign_up(world: World) -> Any:
    """A key, made as a sign-up page does."""
    body = json.dumps({"owner": "benchmark", "plan": "pro"}).encode()
    request = AWSRequest("POST", f"{world.ops_endpoint.url}/ops/keys", data=body)
    region = world.config.service.administrative_region
    SigV4Auth(Credentials(ACCOUNT, SECRET), "execute-api", region).add_auth(request)
    answered, document = status(world, world.ops_endpoint.host, "/ops/keys", dict(request.headers), "POST", body)
    if answered != 201:
        raise SystemExit(f"/ops/keys answered {answered}")
    return document


def command(world: World, *arguments: str) -> None:
    environment = os.environ | world.aws.environment(world.config.service.administrative_region)
    subprocess.run([TALLYGATE, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)


def effects(world: World, headers: Headers, refused: int, change: Callable[[], None]) -> dict[str, tuple[float, float]]:
    """By region, seconds from the start and from the end of `change` to the first call that is answered `refused`."""

    def watch(region: str) -> float:
        while time.monotonic() < began + MOST_SECONDS:
            if status(world, world.endpoints[region].host, "/v1/whoami", headers)[0] == refused:
                return time.monotonic()
            time.sleep(PAUSE_SECONDS)
        raise SystemExit(f"{region} still answers after {MOST_SECONDS:.0f} s")

    began = time.monotonic()
    with ThreadPoolExecutor(len(world.endpoints)) as pool:
        watching = {region: pool.submit(watch, region) for region in world.endpoints}
        change()
        ended = time.monotonic()
        return {region: (future.result() - began, future.result() - ended) for region, future in watching.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, World.start(directory=Path(directory)) as world:
        first: dict[str, list[float]] = {region: [] for region in world.endpoints}
        revoked: dict[str, list[tuple[float, float]]] = {region: [] for region in world.endpoints}
        for _ in range(ROUNDS):
            for region in world.endpoints:
                began = time.monotonic()
                secret = sign_up(world)["secret"]
                answered, _ = status(world, world.endpoints[region].host, "/v1/whoami", {"x-api-key": secret})
                if answered != 200:
                    raise SystemExit(f"a new key is answered {answered} in {region}")
                first[region].append(time.monotonic() - began)
            made = sign_up(world)
            found = effects(
                world, {"x-api-key": made["secret"]}, 401, lambda id=made["id"]: command(world, "keys", "revoke", id)
            )
            for region, seconds in found.items():
                revoked[region].append(seconds)
        blocked = effects(
            world, {"X-Forwarded-For": BLOCKED}, 403, lambda: command(world, "addresses", "block", BLOCKED)
        )
    columns = ("sign-up and first call", "revoked: from start", "from end", "blocked: from end")
    print(f"{'':16}" + "".join(f"{column:>24}" for column in columns))
    for region in first:
        started, ended = (max(seconds) for seconds in zip(*revoked[region], strict=True))
        row = (max(first[region]), started, ended, blocked[region][1])
        print(f"{region:16}" + "".join(f"{seconds:>22.2f} s" for seconds in row))
    print(f"The longest of {ROUNDS}; of blocking, one. `from end` is of the command: below 0, it held before it ended.")


if __name__ == "__main__":
    main()
