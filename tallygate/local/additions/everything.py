"""All additions at once, and what they tell about their progress."""

import json
import os
from dataclasses import dataclass
from typing import Any

from tallygate.local.additions import (
    bulk,
    destinations,
    faults,
    function_logs,
    http_api,
    iam_routes,
    key_conditions,
    log_delivery,
    queries,
    stream_mapping,
    table_streams,
    tables,
    workers,
)


@dataclass(frozen=True, slots=True)
class Additions:
    pool: workers.Pool
    delivery: log_delivery.LogDelivery
    mappings: stream_mapping.StreamMappings
    table_streams: table_streams.TableStreams
    faults: faults.Faults
    queries: queries.Queries

    def answer(self, method: str, path: str, body: bytes = b"") -> dict[str, Any] | None:
        """Answers the emulator's own routes; None for any other. `GET /_tallygate/progress`: events not yet delivered,
        then records not yet processed. Read in this order, zeros in both mean that every line printed before the call
        has been consumed. `POST /_tallygate/flush` does not wait for any window to end; its answer is the same. `POST
        /_tallygate/warm` starts a worker of every function. `POST /_tallygate/faults` takes a list of orders for what
        shall go wrong, `DELETE` cancels them, `GET` tells what has happened. `GET /_tallygate/queries` tells how many
        Queries each table answered. `POST /_tallygate/rows` fills a table: {account, region, table, rows}."""
        match method, path:
            case "POST", "/_tallygate/warm":
                return {"errors": workers.warm()}
            case "POST" | "DELETE" | "GET", "/_tallygate/faults":
                if method == "DELETE":
                    self.faults.cancel()
                for order in json.loads(body) if method == "POST" else ():
                    self.faults.order(order)
                return self.faults.progress()
            case "POST", "/_tallygate/rows":
                return {"rows": bulk.put_rows(**json.loads(body))}
            case "GET", "/_tallygate/queries":
                return self.queries.progress()
            case "POST", "/_tallygate/flush":
                self.mappings.flush()
                self.table_streams.flush()
                self.delivery.flush()
            case "GET", "/_tallygate/progress":
                pass
            case _:
                return None
        return {
            "pid": os.getpid(),
            "delivery": self.delivery.progress(),
            "shards": self.mappings.progress() + self.table_streams.progress(),
        }


def install(delivery_window_seconds: float, longest_batching_window_seconds: float) -> Additions:
    """Extends the imported emulator. To be called once, before it serves."""
    mappings = stream_mapping.StreamMappings(longest_batching_window_seconds)
    streams = table_streams.TableStreams(mappings)
    additions = Additions(
        workers.Pool(most_workers=max(2, os.cpu_count() or 2)),
        log_delivery.LogDelivery(delivery_window_seconds),
        mappings,
        streams,
        faults.Faults(mappings, streams),
        queries.Queries(),
    )
    additions.delivery.on_delivered = additions.mappings.wake
    workers.install(additions.pool)
    function_logs.install()
    log_delivery.install(additions.delivery)
    stream_mapping.install(additions.mappings)
    table_streams.install(additions.table_streams)
    tables.install()
    destinations.install()
    http_api.install()
    iam_routes.install()
    faults.install(additions.faults)
    queries.install(additions.queries)
    key_conditions.install()
    return additions
