"""The authorizer containers of a region: one call at a time each, the most recently used one first, gone when idle for
minutes. What a container knows goes with it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from tallygate.core.gate import Gate
from tallygate.core.gate_view import GateView
from tallygate.core.limiter import Limiter
from tallygate.core.lines import UsageLine
from tallygate.core.snapshots import Snapshots

IDLE_MS: Final = 300_000
"""Lambda keeps an idle environment for some minutes; how many is nobody's promise."""


@dataclass(slots=True)
class Payload:
    """Lines of one log stream that are collected until `closes_ms`. `refused` are lines of which each stands for so
    many refused calls; there are none where calls are simulated one by one."""

    log_stream: str
    home: str
    region: str
    closes_ms: int
    lines: list[UsageLine] = field(default_factory=list)
    refused: list[tuple[UsageLine, int]] = field(default_factory=list)


@dataclass(slots=True)
class Container:
    """One container, whose log stream is its own."""

    number: int
    view: GateView
    limiter: Limiter
    payload: Payload | None = None
    used_ms: int = 0


class Containers:
    """Those of one region."""

    def __init__(self, gate: Gate, home: str, limiter: Callable[[], Limiter]) -> None:
        self._gate = gate
        self._home = home
        self._limiter = limiter
        self._idle: deque[Container] = deque()
        self._busy: list[tuple[int, int, Container]] = []
        self.started = 0
        self.most = 0

    def take(self, now_ms: int, busy_ms: int) -> Container:
        """The container that gets a call at `now_ms` and is busy with it for `busy_ms`."""
        busy, idle = self._busy, self._idle
        while busy and busy[0][0] <= now_ms:
            idle.append(heappop(busy)[2])
        while idle and now_ms - idle[0].used_ms > IDLE_MS:
            idle.popleft()
        if idle:
            container = idle.pop()
        else:
            self.started += 1
            container = Container(self.started, GateView(self._gate, self._home, Snapshots()), self._limiter())
            self.most = max(self.most, len(busy) + 1)
        container.used_ms = now_ms
        heappush(busy, (now_ms + busy_ms, container.number, container))
        return container

    def lose(self) -> None:
        """The region is gone, and all that its containers knew."""
        self._idle.clear()
        self._busy.clear()
