"""A stand-in for the deployed service: regional APIs over HTTP that count at once, in one place."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tallygate.core.identity import identify, parse_networks
from tallygate.core.keys import key_id, stage_of
from tallygate.core.names import SHOWN_KINDS, Kind
from tallygate.core.plans import Plan
from tallygate.core.tally import TallyItem
from tallygate.demo.keys import DemoKey

LOOPBACK = parse_networks("127.0.0.1/32")


class FakeRegions:
    """Three regions, one count. `lose` makes the tally forget one admitted call of an identifier."""

    def __init__(self, plans: list[Plan], keys: list[DemoKey]) -> None:
        self.urls: dict[str, str] = {}
        self.calls: list[tuple[str, str, str | None, str | None]] = []
        self.broken_region: str | None = None
        self._quotas = {key.id: self._quota(plan) for key in keys for plan in plans if plan.name == key.plan}
        self._anonymous = next(self._quota(plan) for plan in plans if plan.anonymous)
        self._admitted: Counter[tuple[Kind, str]] = Counter()
        self._charged: Counter[tuple[Kind, str]] = Counter()
        self._denied: Counter[tuple[Kind, str]] = Counter()
        self._lock = threading.Lock()

    def wait_until_caught_up(self) -> None:
        """Everything is counted when it is answered."""

    def everything(self) -> Iterator[tuple[Kind, str, TallyItem]]:
        """What WholeTally.everything would give."""
        for kind, value in sorted(self._admitted.keys() | self._denied.keys()):
            yield kind, value, TallyItem(units=self._admitted[kind, value], denied=self._denied[kind, value])

    def lose(self, kind: Kind, value: str) -> None:
        with self._lock:
            self._admitted[kind, value] -= 1

    def answer(self, region: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Decide and count one call."""
        identity = identify(headers, {}, "127.0.0.1", LOOPBACK)
        secret = identity.credential
        with self._lock:
            self.calls.append((region, identity.ip, identity.ref, secret))
            if region == self.broken_region:
                return 500, {}
            id = None if secret is None else key_id(secret) if stage_of(secret) else "invalid"
            found = [
                (kind, value) for kind, value in zip(SHOWN_KINDS, (identity.ip, identity.ref, id), strict=True) if value
            ]
            payer: tuple[Kind, str] = ("ip", identity.ip) if id is None else ("key", id)
            quota = self._anonymous if id is None else self._quotas.get(id, 0)
            if id == "invalid" or self._charged[payer] >= quota:
                self._denied.update(found)
                return (401, {}) if id == "invalid" else (429, {"Retry-After": "60"})
            self._admitted.update(found)
            self._charged[payer] += 1
            return 200, {"RateLimit": f'"ip-day";r={quota - self._charged[payer]};t=60'}

    @staticmethod
    def _quota(plan: Plan) -> int:
        return min(limit.quota for limit in plan.limits if limit.per in ("ip", "key"))

    @contextmanager
    def serving(self, regions: tuple[str, ...]) -> Iterator["FakeRegions"]:
        """Serve every region on a port of its own."""
        servers = {region: ThreadingHTTPServer(("127.0.0.1", 0), self._handler(region)) for region in regions}
        threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in servers.values()]
        for thread in threads:
            thread.start()
        self.urls = {region: f"http://127.0.0.1:{server.server_port}" for region, server in servers.items()}
        try:
            yield self
        finally:
            for server in servers.values():
                server.shutdown()
                server.server_close()

    def _handler(self, region: str) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                status, headers = fake.answer(region, {name.lower(): value for name, value in self.headers.items()})
                self.send_response(status)
                for name, value in {**headers, "Content-Length": "2"}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        return Handler
