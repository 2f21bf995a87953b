"""The emulator's process: `python -m tallygate.local.emulator --port 4566 --instance …`.

Binds 127.0.0.1 before anything else, so that a taken port is known at once; checks and extends ministack; serves.
Prints one line of JSON on standard output: `{"ready": {"port": …}}`, or `{"error": "…"}` and exits 1. Ends with SIGTERM
or SIGINT, and when standard input ends, which happens however the parent dies, unless it said `stay` there before.

Beside AWS it answers routes of its own below `/_tallygate/` (see `additions/everything.py`).
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

LOOPBACK: Final = "127.0.0.1"
DELIVERY_WINDOW_SECONDS: Final = 0.5
"""How long log events are collected into one record. AWS takes seconds; an invocation of the consumer per call would
take the processor from the callers."""
LONGEST_BATCHING_WINDOW_SECONDS: Final = 0.5
SWITCH_INTERVAL_SECONDS: Final = 0.0005
"""How long a thread may keep the interpreter from the others. With the usual 5 ms, a thread that has a worker's answer
waits for the loop's turn to end and the loop for the thread's, at every call."""
SERVICES: Final = (
    "apigateway,cloudformation,dynamodb,events,iam,kinesis,kms,lambda,logs,monitoring,s3,secretsmanager,sns,sqs,ssm,sts"
)
"""What our templates need. Others open ports of their own on all addresses, or start containers."""

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Refusal(Exception):
    """A reason not to start, in one line."""


def bind(port: int) -> socket.socket:
    """Listens on a port of the loopback address; 0 is any free one. Refusal names a port that is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        raise Refusal(f"port {port} of {LOOPBACK} cannot be opened: {getattr(error, 'strerror', error)}") from None
    return listener


def environment(port: int) -> dict[str, str]:
    """Settings of ministack; its modules read them when they are imported."""
    return {
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",  # else MQTT on 0.0.0.0:8883
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{os.devnull}",  # never look at the machine's containers
        "LAMBDA_EXECUTOR": "local",
        "LOG_LEVEL": "WARNING",
        "SERVICES": SERVICES,
    }


class Stop:
    """Set once, from a signal, a thread or the server."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def ask(self) -> None:
        self._loop.call_soon_threadsafe(self.asked.set)

    def ask_at_end_of(self, descriptor: int) -> None:
        """Unless something is said before. Not through `sys.stdin`, whose lock a thread still waiting in it would keep
        to the interpreter's end."""
        if not os.read(descriptor, 4096):
            self.ask()

    async def wait(self) -> None:
        await self.asked.wait()


async def serve(listener: socket.socket) -> None:
    """Serves until asked to stop, then ends every worker."""
    from hypercorn.asyncio import serve as serve_with_hypercorn
    from hypercorn.config import Config

    from tallygate.local.additions import everything
    from tallygate.local.internals import part

    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.ask)
    threading.Thread(target=stop.ask_at_end_of, args=(0,), daemon=True).start()
    additions = everything.install(DELIVERY_WINDOW_SECONDS, LONGEST_BATCHING_WINDOW_SECONDS)
    threading.Thread(target=additions.delivery.run, args=(loop,), daemon=True, name="log-delivery").start()
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.5
    config.loglevel = "WARNING"
    try:
        await serve_with_hypercorn(
            with_admin_routes(part("app").app, additions, lambda: tell({"ready": {"port": listener.getsockname()[1]}})),
            config,
            shutdown_trigger=stop.wait,
        )
    finally:
        additions.pool.close()
        part("core.lambda_runtime").reset()


def with_admin_routes(app: Any, additions: Any, on_ready: Callable[[], None]) -> Any:
    """`app` with our own routes in front of it; calls `on_ready` when it has started."""

    async def routed(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":

            async def send_and_tell(message: dict[str, Any]) -> None:
                await send(message)
                if message["type"] == "lifespan.startup.complete":
                    on_ready()

            await app(scope, receive, send_and_tell)
            return
        if scope["type"] != "http" or not scope["path"].startswith("/_tallygate/"):
            await app(scope, receive, send)
            return
        asked = await body_of(receive)
        answer = await asyncio.to_thread(additions.answer, scope["method"], scope["path"], asked)
        body = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        status = 404 if answer is None else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return routed


async def body_of(receive: Receive) -> bytes:
    """The body of a request."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body


def tell(message: dict[str, Any]) -> None:
    """One line for the parent, who may be gone."""
    with suppress(BrokenPipeError):
        print(json.dumps(message), flush=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--instance", required=True, help="tells this process from another that took its pid")
    options = parser.parse_args(arguments)
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s [%(name)s] %(message)s")
    try:
        listener = bind(options.port)
        os.environ.update(environment(listener.getsockname()[1]))
        from tallygate.local.internals import EmulatorChangedError, check_internals

        try:
            check_internals()
        except EmulatorChangedError as error:
            raise Refusal(str(error)) from None
        asyncio.run(serve(listener))
    except Refusal as refusal:
        tell({"error": str(refusal)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
