"""The soak: calls without a pause from one thread, trouble from another; then everything is compared."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, Final

from tallygate.aws.key_admin import key_admin
from tallygate.demo.calls import Call
from tallygate.demo.keys import DemoKey, give_out_keys
from tallygate.demo.sender import Sender
from tallygate.local.flavour import LOCAL_STAGE
from tallygate.local.world import World
from tests.soak import stored
from tests.soak.callers import calls
from tests.soak.schedule import FAILURES, KILLS, REDELIVERY, REREADING, Order, Redelivery, draw
from tests.soak.verdict import Answered, differences

ROUND: Final = 120
"""Calls given to the sender at a time: it ends between rounds only, so that no answer is thrown away."""
LOOK_SECONDS: Final = 0.1
GOING_ON_SECONDS: Final = 60
CATCHING_UP_SECONDS: Final = 300
MOST_UNCERTAIN: Final = 0.01
"""Of all calls: with more of them unanswered, equal counts would not say much."""
METRICS: Final = {"DuplicatePayloads": "payloads dropped as known", "RepeatedItems": "items found applied"}

Watch = Callable[[float, int], None]
"""Told the seconds that have passed and the calls that were answered."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it. `faults`: how often each happened. `met`: what of it the consumer noticed, as far as it lived to
    tell. `compared`: identifiers and regions."""

    seed: int
    seconds: float
    catching_up_seconds: float
    answered: Answered
    faults: Counter[str]
    met: dict[str, int]
    compared: int
    differences: Sequence[str]

    @property
    def drift(self) -> int:
        return len(self.differences)

    @property
    def holds(self) -> bool:
        return not self.drift and self.answered.uncertain <= MOST_UNCERTAIN * self.answered.calls

    def document(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "catching_up_seconds": round(self.catching_up_seconds, 1),
            "calls": self.answered.calls,
            "answers": dict(sorted(self.answered.statuses.items())),
            "uncertain": self.answered.uncertain,
            "kills": sum(self.faults[fault] for fault in KILLS),
            "redeliveries": self.faults[REDELIVERY],
            "rewinds": self.faults[REREADING],
            "failed_writes": sum(self.faults[fault] for fault in FAILURES),
            "faults": dict(sorted(self.faults.items())),
            "met": self.met,
            "compared": self.compared,
            "drift": self.drift,
            "differences": list(self.differences),
            "holds": self.holds,
        }


class Soak:
    """A soak of `world`, which nobody called before."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._seed = seed
        gate = world.aws.client("dynamodb", world.config.service.administrative_region)
        admin = key_admin(gate, world.names.gate_table, LOCAL_STAGE)
        self._keys: list[DemoKey] = give_out_keys(admin, world.config.plans, time.time_ns() // 1_000_000)
        self._streams = [Stream(world, home) for home in world.config.service.homes]
        self._redelivered = 0
        self.answered = Answered(world.config.service.ipv6_prefix)

    def run(self, seconds: float, watch: Watch = lambda passed, answered: None) -> Report:
        """Calls and trouble for `seconds`, and on until all that was drawn has happened, at most for GOING_ON_SECONDS;
        then the verdict. NoAnswersError when the APIs do not answer; WorldError when the consumer does not catch up."""
        began = time.monotonic()
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(self._load, stop)
            try:
                self._trouble(began, seconds, load, watch)
            finally:
                stop.set()
            load.result()
        sent_seconds = time.monotonic() - began
        self._world.cancel_faults()
        self._world.wait_until_caught_up(CATCHING_UP_SECONDS)
        return self.judge(sent_seconds, time.monotonic() - began - sent_seconds)

    def judge(self, seconds: float, catching_up_seconds: float) -> Report:
        """What is stored now beside what was answered."""
        quotas = stored.quotas_of(self._world.config.plans, self._keys)
        metrics = stored.consumer_metrics(self._world, *METRICS)
        return Report(
            self._seed,
            seconds,
            catching_up_seconds,
            self.answered,
            Counter(self._world.faults().happened) + Counter({REDELIVERY: self._redelivered}),
            {METRICS[name]: number for name, number in metrics.items()},
            len(self.answered.counts),
            differences(self.answered, stored.read(self._world), quotas),
        )

    def _load(self, stop: threading.Event) -> None:
        """Calls, round after round."""
        urls = {region: endpoint.url for region, endpoint in self._world.endpoints.items()}
        sender = Sender(urls)
        endless: Iterator[Call] = calls(Random(self._seed), list(urls), self._keys)
        while not stop.is_set():
            for answer in sender.send(islice(endless, ROUND)):
                self.answered.add(answer)

    def _trouble(self, began: float, seconds: float, load: Future[None], watch: Watch) -> None:
        """Everything that was drawn, each in its time; then waits for what has not had its occasion."""
        names = self._world.names
        moments = iter(draw(self._seed, seconds, names.log_consumer, names.stream))
        due = next(moments, None)
        while not load.done():
            passed = time.monotonic() - began
            watch(passed, self.answered.calls)
            while due is not None and due.at_seconds <= passed:
                self._happen(due)
                due = next(moments, None)
            is_late = passed >= seconds + GOING_ON_SECONDS
            if due is None and passed >= seconds and (is_late or not self._world.faults().waiting):
                return
            time.sleep(LOOK_SECONDS)

    def _happen(self, moment: Order | Redelivery) -> None:
        if isinstance(moment, Order):
            self._world.order_faults([moment.document])
            return
        for stream in self._streams:
            self._redelivered += stream.put_again(moment.age, moment.times)


class Stream:
    """The usage stream of a home, from which payloads are delivered again: the same bytes as a new record."""

    def __init__(self, world: World, home: str) -> None:
        self._client = world.aws.client("kinesis", home)
        self._name = world.names.stream
        self._records: list[tuple[str, bytes]] = []
        self._iterators = [
            self._client.get_shard_iterator(
                StreamName=self._name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            for shard in self._client.list_shards(StreamName=self._name)["Shards"]
        ]

    def put_again(self, age: float, times: int) -> int:
        """Put the record of that `age` (0.0 the newest, 1.0 the oldest) again; how often that was possible."""
        self._read()
        if not self._records:
            return 0
        key, data = self._records[round((1 - age) * (len(self._records) - 1))]
        for _ in range(times):
            self._client.put_record(StreamName=self._name, PartitionKey=key, Data=data)
        return times

    def _read(self) -> None:
        """What came since the last time."""
        for place, iterator in enumerate(self._iterators):
            page = {"Records": [None], "NextShardIterator": iterator}
            while page["Records"]:
                page = self._client.get_records(ShardIterator=page["NextShardIterator"])
                self._records += [(record["PartitionKey"], record["Data"]) for record in page["Records"]]
            self._iterators[place] = page["NextShardIterator"]
