"""An emulator of its own for this suite, with small templates instead of the app's: what is tested here is what we add
to it."""

import ipaddress
import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tallygate.local.assembly import Stack
from tallygate.local.aws import LocalAws
from tallygate.local.deployment import DeployedStack, deploy
from tallygate.local.process import Emulator, start_emulator

Eventually = Callable[[Callable[[], Any]], Any]
Create = Callable[..., DeployedStack]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    directory = tmp_path_factory.mktemp("emulator")
    emulator = start_emulator(None, directory / "emulator.log", directory / "scratch")
    yield emulator
    emulator.stop()


@pytest.fixture(scope="session")
def aws(emulator: Emulator) -> LocalAws:
    return LocalAws(emulator.endpoint)


@pytest.fixture
def create(aws: LocalAws, request: pytest.FixtureRequest) -> Create:
    """Deploys a stack made of `resources` to a region."""
    numbers = itertools.count(1)

    def create_stack(region: str, resources: dict[str, Any], outputs: dict[str, Any] | None = None) -> DeployedStack:
        name = f"{re.sub('[^a-zA-Z0-9]+', '-', request.node.name).strip('-')}-{next(numbers)}"
        template = json.dumps({"Resources": resources, "Outputs": outputs or {}})
        return deploy((Stack(name, region, template, (), frozenset()),), aws)[0]

    return create_stack


@pytest.fixture
def eventually() -> Eventually:
    """The first value of a condition that is true; fails after 20 s."""

    def wait_for(condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 20
        while not (value := condition()):
            assert time.monotonic() < deadline, "the condition did not come true"
        return value

    return wait_for


@pytest.fixture
def function() -> Callable[..., dict[str, Any]]:
    """Resources of a function from its source, with a role that nobody checks."""

    def resource(
        name: str, source: str, environment: dict[str, str] | None = None, **properties: Any
    ) -> dict[str, Any]:
        return {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": name,
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": "arn:aws:iam::000000000000:role/none",
                "Code": {"ZipFile": source},
                "Environment": {"Variables": environment or {}},
                "LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN", "LogGroup": f"/aws/lambda/{name}"},
                **properties,
            },
        }

    return resource


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A file that functions write to, since they are processes of this machine."""
    file = tmp_path / "journal"
    file.touch()
    return file


LISTENING = "0A"


@pytest.fixture
def listening() -> Callable[[int], set[str]]:
    """Addresses on which a process listens, as `127.0.0.1:4566`; IPv6 ones stay as Linux writes them."""

    def addresses(pid: int) -> set[str]:
        sockets = set()
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                sockets.add(os.readlink(descriptor))
        found = set()
        for table in ("tcp", "tcp6", "udp", "udp6"):
            for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state, *_, inode = row.split()[:10]
                if f"socket:[{inode}]" in sockets and (state == LISTENING or table.startswith("udp")):
                    host, _, port = local.partition(":")
                    if len(host) == 8:
                        host = str(ipaddress.IPv4Address(bytes.fromhex(host)[::-1]))  # little-endian
                    found.add(f"{host}:{int(port, 16)}")
        return found

    return addresses
