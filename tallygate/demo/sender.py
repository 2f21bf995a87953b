"""Sending calls to the regional APIs over a few kept-alive connections, and keeping what each was answered."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from queue import SimpleQueue
from typing import Final
from urllib.parse import urlsplit

from tallygate.demo.calls import Call

TIMEOUT_SECONDS: Final = 60
MOST_FAILURES: Final = 20
"""After as many there is no use in going on."""
STOP_SECONDS: Final = 2
"""How long calls under way may take to end; their threads end with the process anyway."""
CONNECTIONS_PER_REGION: Final = 2
"""The emulator answers no faster with more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` is None when nothing did, and then `failure` says why: whether such a call was counted
    nobody can know, so it is never sent twice. Header names are in lower case."""

    call: Call
    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    failure: str = ""


class NoAnswersError(Exception):
    """The APIs do not answer; the message says how."""


class Sender:
    """Calls to the APIs of several regions. `urls` maps a region to the URL of its API."""

    def __init__(self, urls: Mapping[str, str], connections_per_region: int = CONNECTIONS_PER_REGION) -> None:
        self._urls = urls
        self._connections_per_region = connections_per_region

    def send(self, calls: Iterable[Call]) -> Iterator[Answer]:
        """Send `calls`, those to one region in their order but over several connections, and yield the answers as they
        come. What is left when the iterator is closed is not sent. NoAnswersError when too many get none."""
        waiting: dict[str, deque[Call]] = {region: deque() for region in self._urls}
        for call in calls:
            waiting[call.region].append(call)
        left = sum(map(len, waiting.values()))
        answers: SimpleQueue[Answer] = SimpleQueue()
        threads = [
            threading.Thread(target=_drain, args=(self._urls[region], queue, answers), daemon=True)
            for region, queue in waiting.items()
            for _ in range(min(self._connections_per_region, len(queue)))
        ]
        for thread in threads:
            thread.start()
        try:
            failures = 0
            for _ in range(left):
                answer = answers.get()
                failures += answer.status is None
                if failures == MOST_FAILURES:
                    raise NoAnswersError(f"{failures} calls got no answer; {answer.call.region}: {answer.failure}")
                yield answer
        finally:
            for queue in waiting.values():
                queue.clear()
            for thread in threads:
                thread.join(STOP_SECONDS)


def _drain(url: str, calls: deque[Call], answers: SimpleQueue[Answer]) -> None:
    line = _Line(url)
    while True:
        try:
            call = calls.popleft()
        except IndexError:
            line.close()
            return
        answers.put(line.ask(call))


class _Line:
    """One connection to one API, opened again when it broke."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.netloc
        self._base = parts.path.rstrip("/")
        # Names below .localhost are this machine (RFC 6761), which not every resolver knows.
        name = "127.0.0.1" if (parts.hostname or "").endswith(".localhost") else parts.hostname or ""
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(name, parts.port, timeout=TIMEOUT_SECONDS)

    def ask(self, call: Call) -> Answer:
        connection = self._connection
        try:
            connection.putrequest("GET", self._base + call.path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", self._host)
            connection.putheader("X-Forwarded-For", call.client)
            if call.referer is not None:
                connection.putheader("Referer", call.referer)
            if call.secret is not None:
                connection.putheader("X-Api-Key", call.secret)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read()
        except (OSError, HTTPException) as error:
            connection.close()
            return Answer(call, None, failure=str(error) or type(error).__name__)
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(call, response.status, headers, body)

    def close(self) -> None:
        self._connection.close()
