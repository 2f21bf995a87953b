"""Who may ask: pages of this server in a browser on this machine, and programs here. A page of another site must not
read what operators may, whatever name it gives 127.0.0.1."""

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallygate.dashboard.problems import problem

NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
"""What this machine is called in the Host header. Another name that leads here was set up to mislead (DNS
rebinding)."""
METHODS: Final = ("GET", "HEAD")
_OWN: Final = ("same-origin", "none")
"""Sec-Fetch-Site of our own pages and of the address bar."""

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Refuses what a browser would send for others, and adds to every answer what keeps them from reading it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refused = _refusal(scope["method"], Headers(scope=scope))
        await (refused or self._app)(scope, receive, send_guarded)


def _refusal(method: str, headers: Headers) -> ASGIApp | None:
    hosts = headers.getlist("host")
    if len(hosts) != 1 or _name(hosts[0]) not in NAMES:
        return problem(421, "Misdirected request", "This page is for this machine: open it as 127.0.0.1 or localhost.")
    origin = headers.get("origin")
    is_ours = origin is None or origin.lower() in (f"http://{hosts[0]}".lower(), f"https://{hosts[0]}".lower())
    if not is_ours or headers.get("sec-fetch-site", "none") not in _OWN:
        return problem(403, "Cross-origin request", "Pages of other sites may not read this one.")
    if method not in METHODS:
        return problem(405, "Method not allowed", "This page only reads: GET.", headers={"Allow": ", ".join(METHODS)})
    return None


def _name(host: str) -> str:
    """The name in a Host header. Its port may be another: that of a tunnel to this machine."""
    name, colon, port = host.rpartition(":")
    return name.lower() if colon and port.isascii() and port.isdigit() else host.lower()
