"""Calling the regions as an ordinary client does."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import local

import requests
from requests.adapters import HTTPAdapter

from tallygate.local.world import World

CONNECTIONS = 6
_sessions = local()


@dataclass(frozen=True)
class Asked:
    """One call: `region`, and headers as a client sends them (bytes where text cannot say it)."""

    region: str
    headers: dict[str, str | bytes] = field(default_factory=dict)
    path: str = "/v1/whoami"
    method: str = "GET"


def ask(world: World, asked: Asked, body: object = None) -> requests.Response:
    """The answer of a region, over a kept connection, to a call with a JSON body if there is one. The Host header says
    which API: not every resolver knows *.localhost."""
    session = getattr(_sessions, "session", None)
    if session is None:
        session = _sessions.session = requests.Session()
        session.mount("http://", HTTPAdapter(pool_maxsize=1))
    url = f"http://127.0.0.1:{world.port}{asked.path}"
    headers = {"Host": world.endpoints[asked.region].host, **asked.headers}
    return session.request(asked.method, url, headers=headers, json=body, timeout=60)  # type: ignore[arg-type]


def ask_all(world: World, calls: list[Asked]) -> list[int]:
    """The status of each call; several are under way at once."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return [answer.status_code for answer in pool.map(lambda asked: ask(world, asked), calls)]
