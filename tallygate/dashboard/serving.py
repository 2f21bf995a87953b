"""The application on a port of this machine, until it is told to end."""

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8460
"""Always the same where it is free, so that a bookmark and what the browser remembers of the page stay good."""


class PortTakenError(Exception):
    """Somebody listens on this port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken")
        self.port = port


def listen(port: int | None) -> socket.socket:
    """A socket on 127.0.0.1. None takes DEFAULT_PORT, or any that is free when that one is not. PortTakenError."""
    try:
        return _bound(DEFAULT_PORT if port is None else port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and port is None:
            return _bound(0)
        if error.errno == errno.EADDRINUSE and port is not None:
            raise PortTakenError(port) from None
        raise


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[str]:
    """Serves in a thread of its own and gives the URL when it answers. Ends within a second, whatever is under way."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            access_log=False,
            log_level="critical",  # what fails is logged by the application, whatever is under way at the end is not
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,
            ws="none",
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="dashboard", daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}/"  # connections wait in the listener until it answers
    finally:
        server.should_exit = True
        thread.join(5)
        listener.close()


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
