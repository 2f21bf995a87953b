"""What goes wrong when it is asked for, so that a test can see what survives it. Nothing goes wrong unasked.

An order says what shall happen and where; it happens at the next occasion, and is then counted. A worker is only ever
killed in the middle of an invocation, as SIGKILL does it: nothing of it runs on, but what it had sent to a table may
still be applied.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from tallygate.local.additions.stream_mapping import StreamMappings
from tallygate.local.additions.table_streams import TableStreams
from tallygate.local.internals import part

WriteFault = Literal["killed before a write", "killed after a write", "throttled", "refused", "answer lost"]
Fault = Literal["killed", "read again"] | WriteFault

WRITES: Final = ("_put_item", "_update_item", "_transact_write_items")
"""The calls of DynamoDB at which a write can go wrong."""
REFUSALS: Final[dict[WriteFault, tuple[str, int]]] = {
    # Error code and status: the SDK tries again after a throttled write and a lost answer, not after a refused one.
    "throttled": ("ProvisionedThroughputExceededException", 400),
    "refused": ("TransactionConflictException", 400),
    "answer lost": ("InternalServerError", 500),
    "killed before a write": ("InternalServerError", 500),
}

Write = Callable[[dict[str, Any]], Any]


@dataclass(slots=True)
class KillOrder:
    """Kill a worker of `function` during its next invocation: when that has gone on for `part` of the time that the
    last one took. One that ends before does not count: the order stands for the next."""

    function: str
    part: float


@dataclass(slots=True)
class WriteOrder:
    """Let `times` writes go wrong, after `skip` more, while `function` is invoked: whoever's they are, of items whose
    partition key begins with `partition`. Orders of one function are carried out one after the other, so that there is
    something between them."""

    fault: WriteFault
    function: str
    skip: int = 0
    times: int = 1
    partition: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Invocation:
    worker: Any
    function: str


class Faults:
    """Orders that wait for their occasion, and what has happened."""

    def __init__(self, mappings: StreamMappings, table_streams: TableStreams) -> None:
        self._mappings = mappings
        self._table_streams = table_streams
        self._lock = threading.Lock()
        self._kills: deque[KillOrder] = deque()
        self._writes: deque[WriteOrder] = deque()
        self._running: list[Invocation] = []
        self._took_seconds: dict[str, float] = {}
        self._happened: Counter[Fault] = Counter()

    def order(self, document: dict[str, Any]) -> None:
        """Take an order: `{"fault": …}` with the fields of KillOrder or WriteOrder, or for `read again`, which happens
        at once, those of StreamMappings.go_back or, with a `table`, of TableStreams.go_back."""
        fault: Fault = document["fault"]
        details = {name: value for name, value in document.items() if name != "fault"}
        reader = self._table_streams if "table" in details else self._mappings
        moved = reader.go_back(**details) if fault == "read again" else 0
        with self._lock:
            if fault == "read again":
                self._happened[fault] += moved
            elif fault == "killed":
                self._kills.append(KillOrder(**details))
            else:
                self._writes.append(WriteOrder(fault, **details))

    def cancel(self) -> None:
        """Nothing that has not happened will."""
        with self._lock:
            self._kills.clear()
            self._writes.clear()

    def progress(self) -> dict[str, Any]:
        """`happened`: how often, by fault; `waiting`: orders whose occasion has not come."""
        with self._lock:
            return {"happened": dict(self._happened), "waiting": len(self._kills) + len(self._writes)}

    @contextmanager
    def during_invocation(self, worker: Any) -> Iterator[None]:
        """What an invocation of `worker` runs in."""
        running = Invocation(worker, worker.func_name)
        with self._lock:
            self._running.append(running)
            order = next((order for order in self._kills if order.function == running.function), None)
            seconds = self._took_seconds.get(running.function, 0.0)
        timer = None
        if order is not None:
            timer = threading.Timer(order.part * seconds, self._carry_out, (order, running))
            timer.daemon = True
            timer.start()
        began = time.monotonic()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
            with self._lock:
                self._running.remove(running)
                self._took_seconds[running.function] = time.monotonic() - began

    def write(self, apply: Write, request: dict[str, Any]) -> Any:
        """A write, as it goes: `apply` does it. Called on the emulator's loop."""
        with self._lock:
            fault = self._due(request)
            if fault is not None:
                self._happened[fault] += 1
        if fault is None:
            return apply(request)
        answer = apply(request) if fault in ("answer lost", "killed after a write") else None
        if fault not in REFUSALS:
            return answer
        code, status = REFUSALS[fault]
        return part("core.responses").error_response_json(code, f"{fault}, as ordered", status)

    def _due(self, request: dict[str, Any]) -> WriteFault | None:
        """What goes wrong with this write, if anything does. A worker that is to die is killed here, before or after
        is the same to it: only the table knows."""
        running = {each.function: each for each in self._running}
        order = next((order for order in self._writes if order.function in running), None)
        if order is None or not _partition(request).startswith(order.partition):
            return None
        if order.skip:
            order.skip -= 1
            return None
        if order.fault.startswith("killed") and not _kill(running[order.function]):
            return None
        order.times -= 1
        if not order.times:
            self._writes.remove(order)
        return order.fault

    def _carry_out(self, order: KillOrder, running: Invocation) -> None:
        with self._lock:
            if running in self._running and order in self._kills and _kill(running):
                self._kills.remove(order)
                self._happened["killed"] += 1


def _partition(request: dict[str, Any]) -> str:
    """The partition key of what is written; of a transaction, of its first write."""
    if "TransactItems" in request:
        (request,) = request["TransactItems"][0].values()
    key = request.get("Key") or request.get("Item") or {}
    return str(key.get("pk", {}).get("S", ""))


def _kill(running: Invocation) -> bool:
    """Whether there was a process to kill: a child of this one, or it would have no handle."""
    process = running.worker._proc
    if process is None or process.poll() is not None:
        return False
    process.kill()
    return True


def install(faults: Faults) -> None:
    """Puts the occasions where invocations and writes are."""
    runtime, dynamodb = part("core.lambda_runtime"), part("services.dynamodb")
    invoke = runtime.Worker.invoke

    def invoke_at_risk(worker: Any, *args: Any, **kwargs: Any) -> Any:
        with faults.during_invocation(worker):
            return invoke(worker, *args, **kwargs)

    def at_risk(apply: Write) -> Write:
        return lambda request: faults.write(apply, request)

    runtime.Worker.invoke = invoke_at_risk
    for name in WRITES:
        setattr(dynamodb, name, at_risk(getattr(dynamodb, name)))
