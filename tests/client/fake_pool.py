"""A pool of connections that gives out answers in their order, and remembers what was sent."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tallygate.client import Retries, TallygateClient
from tallygate.client.transport import NO_RETRIES, Transport

SECRET = "tg_prod_" + "s" * 36
URL = "https://api.example.com/v1-of-somebody"


@dataclass(frozen=True)
class Answer:
    """An HTTP response with a JSON body, or with any."""

    status: int = 200
    document: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None

    @property
    def data(self) -> bytes:
        return json.dumps(self.document if self.document is not None else {}).encode() if self.raw is None else self.raw


@dataclass
class Sent:
    """One request."""

    method: str
    url: str
    options: dict[str, Any]

    @property
    def headers(self) -> Mapping[str, str]:
        headers: Mapping[str, str] = self.options["headers"]
        return headers

    @property
    def document(self) -> Any:
        body = self.options["body"]
        return None if body is None else json.loads(body)


class FakePool:
    """Gives `answers` one by one; one that is an exception is raised."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[Sent] = []

    def request(self, method: str, url: str, **options: Any) -> Answer:
        self.sent.append(Sent(method, url, options))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def client_of(pool: FakePool, retries: Retries = NO_RETRIES, key: str | None = SECRET) -> TallygateClient:
    return TallygateClient(URL, key, retries=retries, pool=pool)


def transport_of(pool: FakePool, retries: Retries, sleep: Callable[[float], None]) -> Transport:
    return Transport(URL, lambda _method, _url, _body, headers: headers, retries=retries, pool=pool, sleep=sleep)
