"""Sending a call and reading its answer."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote, urlencode

import urllib3

from tallygate.client.errors import NoAnswerError, TallygateError, problem_of
from tallygate.client.limits import Limit, limits_of

TIMEOUT: Final = urllib3.Timeout(connect=5, read=30)
"""In seconds; no gateway of AWS answers later than 30."""
CONNECTIONS: Final = 8
"""Kept open, for as many threads."""
USER_AGENT: Final = "tallygate-client"
SAFE: Final = frozenset({"GET", "HEAD"})
_LOOPBACK = re.compile(r"(http://)([^/:@]+\.localhost)(?=[:/]|$)", re.IGNORECASE)
"""Names below .localhost are this machine (RFC 6761), which browsers and curl know, and not every resolver: that of
`tallygate endpoints` is one."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call that was refused for the moment (429, 503) is tried again, and for how long it may wait in all.
    It waits for what `Retry-After` says, and never tries again sooner: where that is longer than what is left, the
    refusal is raised at once. A call without an answer is tried again, after a second, when it changes nothing by being
    made twice. The default tries nothing again."""

    most: int = 0
    wait_seconds: float = 60.0


NO_RETRIES: Final = Retries()
Read = TypeVar("Read")


class Answered(Protocol):
    """An HTTP response."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def data(self) -> bytes: ...


class Pool(Protocol):
    """What urllib3.PoolManager does of which anything is used here."""

    def request(self, method: str, url: str, **options: Any) -> Answered: ...


Sign = Callable[[str, str, bytes | None, Mapping[str, str]], Mapping[str, str]]
"""Gives the headers of a call (method, URL, body, headers) what proves who makes it."""


class Transport:
    """Calls below one URL. Redirects are not followed: they would take what proves the caller elsewhere."""

    def __init__(
        self,
        base_url: str,
        sign: Sign,
        *,
        retries: Retries = NO_RETRIES,
        pool: Pool | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not base_url.startswith(("https://", "http://")):
            raise ValueError("the URL of an API begins with https:// (or http://)")
        self.base_url = base_url.rstrip("/")
        self.limits: tuple[Limit, ...] = ()
        self._sign = sign
        self._retries = retries
        self._pool: Pool = pool or urllib3.PoolManager(maxsize=CONNECTIONS)
        self._renews = pool is None
        self._process = os.getpid()
        self._sleep = sleep

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        document: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        may_repeat: bool = False,
    ) -> dict[str, Any]:
        """The document that a call is answered with, and its limits kept in `limits`. `may_repeat`: made twice, it does
        no more than made once. NoAnswerError, ProblemError."""
        url = self.base_url + path + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        body = None if document is None else json.dumps(document).encode()
        left, wait_seconds = self._retries.most, self._retries.wait_seconds
        while True:
            try:
                return self._once(method, url, body, headers or {})
            except TallygateError as error:
                pause = _pause_seconds(error, may_repeat or method in SAFE)
                if pause is None or left <= 0 or pause > wait_seconds:
                    raise
                left, wait_seconds = left - 1, wait_seconds - pause
                self._sleep(pause)

    def ask(self, read: Callable[[dict[str, Any]], Read], method: str, path: str, *given: Any, **options: Any) -> Read:
        """What `read` makes of the answer to `send`. NoAnswerError, too, for a document that is none of this API."""
        fields = self.send(method, path, *given, **options)
        try:
            return read(fields)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NoAnswerError(f"{method} {self.base_url}{path}: answered, but not by this API") from error

    def _once(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, Any]:
        named = {"Accept": "application/json", "User-Agent": USER_AGENT, **headers}
        if body is not None:
            named["Content-Type"] = "application/json"
        if self._renews and self._process != os.getpid():
            # After a fork the connections are the parent's, too: one would read what the other was answered.
            self._pool, self._process = urllib3.PoolManager(maxsize=CONNECTIONS), os.getpid()
        address, headers = _reached(url, self._sign(method, url, body, named))
        try:
            answer = self._pool.request(
                method,
                address,
                body=body,
                headers=headers,
                timeout=TIMEOUT,
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise NoAnswerError(f"{method} {url}: {type(error).__name__}") from error
        self.limits = limits_of(answer.headers)
        fields = _object(answer.data)
        if 200 <= answer.status < 300:
            if fields is None:
                raise NoAnswerError(f"{method} {url}: {answer.status} without a JSON object")
            return fields
        raise problem_of(answer.status, fields or {}, _seconds(answer.headers.get("Retry-After")))


def _reached(url: str, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """Where to send what goes to `url`, and its headers: the same, but for names of this machine."""
    found = _LOOPBACK.match(url)
    if found is None:
        return url, headers
    port = re.match(r":\d+", url[found.end() :])
    return f"{found[1]}127.0.0.1{url[found.end() :]}", {**headers, "Host": found[2] + (port[0] if port else "")}


def _pause_seconds(error: TallygateError, may_repeat: bool) -> float | None:
    """After what time the same call may be made again; None for never."""
    if isinstance(error, NoAnswerError):
        return 1.0 if may_repeat else None
    seconds: int | None = getattr(error, "retry_after_seconds", None)
    return None if seconds is None or getattr(error, "status", 0) not in (429, 503) else float(seconds)


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _seconds(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 10 else None
