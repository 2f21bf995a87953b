"""The caller's side: who the service takes one for, what one used, one's own past, and counters."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

from tallygate.client.counters import Counters
from tallygate.client.limits import Limit
from tallygate.client.transport import NO_RETRIES, Pool, Retries, Transport
from tallygate.client.values import Period, Usage, UsedLimit, When, Whoami, optional_time, text_of, time_of, used_limit
from tallygate.core.keys import key_id

Granularity = Literal["hour", "day", "month"]


class TallygateClient:
    """Calls the API of one region as one caller: with an API key, or as the free tier without one. Every method raises
    NoAnswerError, or the ProblemError that the service answers with. Of use to several threads at once; `limits` then
    are of whichever call was answered last."""

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        retries: Retries = NO_RETRIES,
        pool: Pool | None = None,
    ) -> None:
        if key is not None and not (key.isascii() and key.isprintable() and key == key.strip()):
            # No header takes it, and what refuses it there quotes it, which puts it into tracebacks and logs.
            raise ValueError("the key has characters that none has: a line break from a file, perhaps")
        self._key = key

        def sign(_method: str, _url: str, _body: bytes | None, headers: Mapping[str, str]) -> Mapping[str, str]:
            return headers if key is None else {**headers, "x-api-key": key}

        self._transport = Transport(base_url, sign, retries=retries, pool=pool)

    def __repr__(self) -> str:
        """Names the key by its id: the secret is nowhere to be read."""
        key = None if self._key is None else key_id(self._key)
        return f"TallygateClient({self._transport.base_url!r}, key id {key})"

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits that the last answer told, a refusal's too; none before a call."""
        return self._transport.limits

    @cached_property
    def counters(self) -> Counters:
        """The named counters and sequences of this key."""
        return Counters(self._transport)

    def whoami(self) -> Whoami:
        """What the service sees of this caller. Charged as any call."""
        return self._transport.ask(_whoami, "GET", "/v1/whoami")

    def usage(self) -> Usage:
        """What is used of each limit, exactly. Free of charge."""
        return self._transport.ask(_usage, "GET", "/v1/usage")

    def history(self, start: When, end: When | None = None, granularity: Granularity = "day") -> Iterator[Period]:
        """What was charged in each hour, day or month from `start` up to `end` (now), page by page as it is asked for.
        Free of charge."""
        query = {"from": text_of(start), "granularity": granularity}
        if end is not None:
            query["to"] = text_of(end)
        periods, following = self._transport.ask(_periods, "GET", "/v1/usage", query)
        while True:
            yield from periods
            if following is None:
                return
            periods, following = self._transport.ask(_periods, "GET", following)


def _whoami(found: dict[str, Any]) -> Whoami:
    return Whoami(
        found["ip"],
        found["ref"],
        found["key"],
        found["plan"],
        found["region"],
        found["home"],
        _limits(found["limits"]),
    )


def _usage(found: dict[str, Any]) -> Usage:
    return Usage(found["plan"], found["source"], optional_time(found["as_of"]), _limits(found["usage"]))


def _periods(page: dict[str, Any]) -> tuple[list[Period], str | None]:
    """A page, and where the next one is."""
    return [Period(time_of(row["start"]), row["charged"]) for row in page["usage"]], page["next"]


def _limits(rows: list[dict[str, Any]]) -> tuple[UsedLimit, ...]:
    return tuple(map(used_limit, rows))
