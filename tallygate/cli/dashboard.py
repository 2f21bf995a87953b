"""`tallygate dashboard`: the operators' page, served on this machine."""

import os
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket
from typing import TYPE_CHECKING

import click
from rich.console import Console

from tallygate.cli.failures import ENDPOINT_VARIABLE, Failure, in_words
from tallygate.cli.output import console, print_json
from tallygate.cli.signals import ended_by_signals
from tallygate.cli.target import Target, target_options
from tallygate.cli.world import attach
from tallygate.local.flavour import LOCAL_STAGE
from tallygate.operations.errors import UnreachableError

if TYPE_CHECKING:
    from tallygate.local.world import World
    from tallygate.operations.operations import Operations


@click.command(short_help="Serve the operators' page.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port of 127.0.0.1 to serve it on.  [default: 8460, or any that is free]",
)
@click.option(
    "--open/--no-open",
    "wants_open",
    default=None,
    help="Open it in a browser.  [default: on a terminal with a display]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with the URL once it answers.")
@target_options
def dashboard(target: Target, port: int | None, wants_open: bool | None, as_json: bool) -> None:
    """Serve a page that shows what is counted, on this machine only, until Ctrl-C.

    Calls by region over time, the largest callers and how much of their quotas is left, one caller's
    limits and past, how late counting is, and rejects. It reads the tables and writes nothing:
    read-only credentials are enough (docs/dashboard.md lists what they must allow).

    \b
    Examples:
      tallygate dashboard
      tallygate dashboard --stage prod --profile operations-read --port 9000
      tallygate dashboard --no-open --json | jq -r .url
    """
    from tallygate.cli.operations import operations_of

    out = console(stderr=as_json)
    listener = _listener(port)
    with ended_by_signals(), listener:
        operations = operations_of(target)
        _check(operations, out)
        with served(target, operations, listener, _first_call(target)) as url:
            if as_json:
                print_json({"url": url, "stage": target.names.stage})
            else:
                out.print(f"The page is at {url}", soft_wrap=True)
            if wants_open or (wants_open is None and not as_json and _has_display(out)):
                _open(url, out)
            out.print("Ctrl-C ends it.")
            try:
                until_ended()
            except KeyboardInterrupt:
                out.print("Ended.")


@contextmanager
def served(target: Target, operations: "Operations", listener: socket, first_call: str | None) -> Iterator[str]:
    """Serves the page of a target for as long as it is needed; gives its URL. `first_call` is shown while there was
    none."""
    from tallygate.dashboard.app import About, dashboard
    from tallygate.dashboard.serving import serving

    service = target.config.service
    about = About(service.name, target.names.stage, service.regions, tuple(target.homes), first_call)
    with serving(dashboard(operations, about, in_words), listener) as url:
        yield url


@contextmanager
def served_world(world: "World") -> Iterator[str]:
    """The same for a world of this process, on whatever port is free."""
    from tallygate.cli.operations import operations_of

    target = Target(world.config, world.config, world.names, None, world.aws.client)
    with _listener(None) as listener, served(target, operations_of(target), listener, _call(world)) as url:
        yield url


def until_ended() -> None:
    """Waits for a signal."""
    threading.Event().wait()


def _listener(port: int | None) -> socket:
    from tallygate.dashboard.serving import PortTakenError, listen

    try:
        return listen(port)
    except PortTakenError as error:
        raise Failure(f"{error}: give another with --port, or leave it out for one that is free") from None
    except PermissionError:
        raise Failure(f"port {port} may not be opened by this user: give one above 1023 with --port") from None


def _check(operations: "Operations", out: Console) -> None:
    """One small read, so that what is wrong with the target is said here and not in a browser. A home that is down is
    no reason to show nothing of the others."""
    try:
        operations.usage({"kind": "all", "granularity": "hour", "from": str(time.time_ns() // 10**9)}, _now_ms())
    except UnreachableError as error:
        if not error.may_pass:
            raise
        out.print(f"For now, {error}. The page tries again.")


def _first_call(target: Target) -> str | None:
    if target.names.stage != LOCAL_STAGE or ENDPOINT_VARIABLE in os.environ:
        return None
    return _call(attach())


def _call(world: "World") -> str:
    return f"curl -i {next(iter(world.endpoints.values())).url}/v1/whoami"


def _has_display(out: Console) -> bool:
    """Whether a browser would be a window: on a Linux machine without one it would be a text browser, in this very
    terminal."""
    windows = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return windows and out.is_terminal and sys.stdin.isatty()


def _open(url: str, out: Console) -> None:
    try:
        opened = webbrowser.open(url)
    except webbrowser.Error:
        opened = False
    if not opened:
        out.print("No browser can be opened from here.")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
