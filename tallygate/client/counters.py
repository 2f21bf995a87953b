"""The counters' side: named counters and sequences of one key."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from tallygate.client.buffer import CounterBuffer
from tallygate.client.transport import Transport
from tallygate.client.values import CounterDetail, CounterTotal, Reset, counter_detail, counter_total
from tallygate.core.routes import COUNTERS_PATH


class Counters:
    """The counters of a key. An increment is seen in totals some seconds after it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def increment(self, name: str, add: int = 1, *, idempotency_key: str | None = None) -> None:
        """Add to one counter. With an `idempotency_key`, calls that have the same one count once in 24 hours, and one
        without an answer may be made again; without, each counts."""
        self._add(f"/{quote(name, safe='')}/increment", {"add": add}, idempotency_key)

    def increments(self, adds: Mapping[str, int], *, idempotency_key: str | None = None) -> None:
        """Add to at most 50 counters: to all or to none."""
        self._add("/increments", {"increments": dict(adds)}, idempotency_key)

    def get(self, name: str, epoch: int | None = None) -> CounterDetail:
        """What a counter stands at, or stood at in an epoch that is over; 0 for one that nobody added to."""
        query = {} if epoch is None else {"epoch": str(epoch)}
        return self._transport.ask(counter_detail, "GET", self._path(name), query)

    def list(self) -> Iterator[CounterTotal]:
        """All counters by name, page by page as they are asked for; none that nobody added to since its reset."""
        path: str | None = COUNTERS_PATH
        while path is not None:
            counters, path = self._transport.ask(_page, "GET", path)
            yield from counters

    def reset(self, name: str, epoch: int | None = None) -> Reset:
        """Begin another epoch. With the `epoch` to end (of `get`), it may be asked for again: it is ended once."""
        document = {} if epoch is None else {"epoch": epoch}
        return self._transport.ask(
            _reset, "POST", self._path(name, "/reset"), document=document, may_repeat=epoch is not None
        )

    def next(self, name: str) -> int:
        """The next number of a sequence, from 1 on. No number is given out twice; one whose answer is lost is left
        out."""
        return self._transport.ask(_number, "POST", self._path(name, "/next"), may_repeat=True)

    def buffer(self, *, most: int = 1_000, seconds: float = 5.0) -> CounterBuffer:
        """Adds up increments in this program: see CounterBuffer."""
        return CounterBuffer(lambda adds, key: self.increments(adds, idempotency_key=key), most=most, seconds=seconds)

    def _add(self, path: str, document: dict[str, Any], key: str | None) -> None:
        headers = {} if key is None else {"Idempotency-Key": key}
        self._transport.send(
            "POST", COUNTERS_PATH + path, document=document, headers=headers, may_repeat=key is not None
        )

    def _path(self, name: str, what: str = "") -> str:
        return f"{COUNTERS_PATH}/{quote(name, safe='')}{what}"


def _page(page: dict[str, Any]) -> tuple[list[CounterTotal], str | None]:
    """A page, and where the next one is."""
    return [counter_total(found, page["unread"]) for found in page["counters"]], page["next"]


def _reset(found: dict[str, Any]) -> Reset:
    return Reset(found["name"], found["epoch"], counter_detail(found["ended"]))


def _number(found: dict[str, Any]) -> int:
    return int(found["number"])
