"""The world on one machine: an emulated AWS on 127.0.0.1 with the service deployed to every region of its
configuration.

    with World.start(Path("tallygate.toml")) as world:
        world.endpoints["eu-west-1"].url      # http://<api id>.execute-api.localhost:<port>
        world.aws.client("dynamodb", "us-east-1")
        ...                                   # call the APIs
        world.wait_until_caught_up()          # every call that was answered is counted

`World.start(..., detached=True)` leaves it running when this process ends; `World.attach()` finds it again from the
state file and `stop()` ends it. Everything it needs is below `directory`, by default `.tallygate/` beside app.py.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from botocore.exceptions import BotoCoreError

from tallygate.aws.plan_store import PlanStore
from tallygate.config import Config, load
from tallygate.local.assembly import read_assembly
from tallygate.local.aws import ACCOUNT, LocalAws
from tallygate.local.deployment import DeployedStack, deploy
from tallygate.local.errors import WorldError
from tallygate.local.flavour import LOCAL_STAGE
from tallygate.local.process import Emulator, start_emulator
from tallygate.local.state import State, forget_state, only_start_in, read_state, write_state
from tallygate.local.synthesis import Synthesis
from tallygate.resources import Names

PROJECT: Final = Path(__file__).resolve().parents[2]
"""Where app.py is."""
DIRECTORY: Final = PROJECT / ".tallygate"
POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the start; `seconds` is None when it begins and its duration when it has ended."""

    name: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class FaultProgress:
    """`happened`: how often each fault did. `waiting`: orders whose occasion has not come."""

    happened: Mapping[str, int]
    waiting: int


@dataclass(frozen=True, slots=True)
class RegionEndpoint:
    """How to call the API of a region. Browsers and curl resolve `*.localhost` by themselves; a client that does not
    can connect to 127.0.0.1:`port` and send `host` as its Host header, or call `path_url`, which needs neither."""

    region: str
    api_id: str
    port: int

    @property
    def host(self) -> str:
        return f"{self.api_id}.execute-api.localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def path_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/_aws/execute-api/{self.api_id}/$default"


class World:
    """A running world. Made by `start` and `attach`, never directly."""

    def __init__(self, config: Config, directory: Path, emulator: Emulator, state: State) -> None:
        self.config = config
        self.names = Names(config.service.name, LOCAL_STAGE)
        self.aws = LocalAws(emulator.endpoint)
        self._directory = directory
        self._emulator = emulator
        self._state = state

    @classmethod
    def start(
        cls,
        config_path: Path = PROJECT / "tallygate.toml",
        *,
        port: int | None = None,
        detached: bool = False,
        directory: Path = DIRECTORY,
        report: Callable[[Phase], None] = lambda _: None,
    ) -> "World":
        """Builds a world and returns when it is ready to be called. `port` None chooses a free one.

        Raises ConfigError for a configuration that cannot be used, before anything is started, and WorldError, in one
        line, for whatever else stands in the way: a world that is up in `directory`, a port that is taken, an emulator
        with other internals, an app that cannot be synthesized, a resource that cannot be created, a function that
        cannot be imported. Whatever had been started is ended then, as it is on KeyboardInterrupt.
        """
        config = load(config_path)
        if LOCAL_STAGE not in config.service.stages:
            raise WorldError(f'{config_path}: service.stages: without "{LOCAL_STAGE}", there is no local world')
        if not (PROJECT / "app.py").exists():
            raise WorldError(f"there is no app.py in {PROJECT}: the local world is deployed from a checkout")
        directory.mkdir(parents=True, exist_ok=True)
        with only_start_in(directory):
            _clear(directory)
            return cls._start(config, config_path, port, directory, report, detached=detached)

    @classmethod
    def _start(
        cls,
        config: Config,
        config_path: Path,
        port: int | None,
        directory: Path,
        report: Callable[[Phase], None],
        *,
        detached: bool,
    ) -> "World":
        scratch = directory / f"scratch-{time.time_ns():x}"
        synthesis = Synthesis(PROJECT, config_path, DIRECTORY / "synthesized")
        emulator = None
        try:
            with _phase(report, "emulator"):
                emulator = start_emulator(port, directory / "emulator.log", scratch)
            state = State(
                pid=emulator.pid,
                port=emulator.port,
                instance=emulator.instance,
                log_path=str(emulator.log_path),
                scratch=str(emulator.scratch),
                config_path=str(config_path.resolve()),
            )
            write_state(directory, state)
            with _phase(report, "synthesize"):
                assembly = synthesis.result()
            world = cls(config, directory, emulator, state)
            world._build(assembly, report)
            if detached:
                emulator.let_go()
        except BaseException as error:
            synthesis.cancel()
            if emulator is not None:
                emulator.stop()
                forget_state(directory, emulator.instance)
            shutil.rmtree(scratch, ignore_errors=True)
            if isinstance(error, BotoCoreError):
                raise WorldError(
                    f"the emulator stopped answering ({error}); see {directory / 'emulator.log'}"
                ) from None
            raise
        return world

    @classmethod
    def attach(cls, directory: Path = DIRECTORY) -> "World":
        """The world that is up in `directory`; WorldError when there is none, or it died."""
        state = read_state(directory)
        if state is None or not _emulator_of(state).is_running():
            raise WorldError("no local world is up: `tallygate up` starts one")
        return cls(load(state.config_path), directory, _emulator_of(state), state)

    @property
    def endpoints(self) -> Mapping[str, RegionEndpoint]:
        """The API of each serving region, in the order of the configuration."""
        api_ids = self._state.api_ids
        return {
            region: RegionEndpoint(region, api_ids[region], self._emulator.port)
            for region in self.config.service.regions
            if region in api_ids
        }

    @property
    def ops_endpoint(self) -> RegionEndpoint:
        """The operators' API, in the administrative region."""
        region = self.config.service.administrative_region
        return RegionEndpoint(region, self._state.ops_api_id, self._emulator.port)

    @property
    def port(self) -> int:
        return self._emulator.port

    @property
    def pid(self) -> int:
        """The emulator's process."""
        return self._emulator.pid

    @property
    def log_path(self) -> Path:
        """What the emulator and the functions complain about."""
        return self._emulator.log_path

    @property
    def notes(self) -> Mapping[str, Any]:
        """What was remembered about this world."""
        return self._state.notes

    def remember(self, **notes: Any) -> None:
        """Keeps JSON values with this world, for whoever attaches to it."""
        self._state = replace(self._state, notes={**self._state.notes, **notes})
        write_state(self._directory, self._state)

    def is_running(self) -> bool:
        return self._emulator.is_running()

    def wait_until_caught_up(self, timeout_seconds: float = 120) -> None:
        """Returns when every call that was answered before is counted: no log event waits for delivery, no record for
        the consumer. Windows are not waited for. WorldError says what is missing after `timeout_seconds`, or what was
        lost."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            progress = self._emulator.ask("POST", "/_tallygate/flush")
            delivery, behind = progress["delivery"], [shard for shard in progress["shards"] if shard["behind"]]
            if delivery["lost"]:
                raise WorldError(f"{delivery['lost']} log events were lost on the way to a stream; see {self.log_path}")
            if not delivery["waiting"] and not behind:
                return
            if time.monotonic() > deadline:
                found = [f"{delivery['waiting']} log events are not delivered"] if delivery["waiting"] else []
                found += [
                    f"{shard['stream']} {shard['shard']} is {shard['behind']} records behind: {shard['error']}"
                    for shard in behind
                ]
                raise WorldError(
                    f"not caught up after {timeout_seconds:.0f} s: {'; '.join(found)}; see {self.log_path}"
                )
            time.sleep(POLL_SECONDS)

    def order_faults(self, orders: Sequence[Mapping[str, Any]]) -> None:
        """Lets things go wrong, each at its next occasion: `additions/faults.py` says what can."""
        self._emulator.ask("POST", "/_tallygate/faults", document=orders)

    def cancel_faults(self) -> None:
        """Nothing more of what was ordered goes wrong."""
        self._emulator.ask("DELETE", "/_tallygate/faults")

    def faults(self) -> FaultProgress:
        """What went wrong as ordered."""
        return FaultProgress(**self._emulator.ask("GET", "/_tallygate/faults"))

    def queries_of_gate(self, region: str) -> int:
        """How many Queries the gate's replica in `region` has answered."""
        counts: Mapping[str, int] = self._emulator.ask("GET", "/_tallygate/queries")
        return counts.get(f"{region}/{self.names.gate_table}", 0)

    def stop(self) -> None:
        """Ends the emulator, its workers and everything in it. May be called again."""
        self._emulator.stop()
        forget_state(self._directory, self._state.instance)
        shutil.rmtree(self._state.scratch, ignore_errors=True)

    def __enter__(self) -> "World":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _build(self, assembly: Path, report: Callable[[Phase], None]) -> None:
        with _phase(report, "deploy"):
            deployed = deploy(read_assembly(assembly, ACCOUNT), self.aws)
        with _phase(report, "plans"):
            home = self.config.service.administrative_region
            PlanStore(self.aws.client("dynamodb", home), self.names.gate_table).apply(
                self.config.plans, self.config.routes
            )
        with _phase(report, "functions"):
            errors = self._emulator.ask("POST", "/_tallygate/warm", timeout_seconds=120)["errors"]
            for function, error in errors.items():
                raise WorldError(f"function {function} does not start: {error}")
        ops_api_id = next(stack.outputs["OpsApiId"] for stack in deployed if "OpsApiId" in stack.outputs)
        self._state = replace(self._state, api_ids=_api_ids(deployed), ops_api_id=ops_api_id)
        write_state(self._directory, self._state)


def _api_ids(deployed: tuple[DeployedStack, ...]) -> dict[str, str]:
    """The API of each region, which its stack names in the output `ApiId`."""
    return {stack.region: stack.outputs["ApiId"] for stack in deployed if "ApiId" in stack.outputs}


def _clear(directory: Path) -> None:
    """Makes room for a new world: removes what one that was killed has left. WorldError when one is up."""
    state = read_state(directory)
    if state is not None:
        if _emulator_of(state).is_running():
            raise WorldError(
                f"a local world is up already (process {state.pid}, port {state.port}): `tallygate down` ends it"
            )
        forget_state(directory, state.instance)
    for scratch in directory.glob("scratch-*"):
        shutil.rmtree(scratch, ignore_errors=True)


def _emulator_of(state: State) -> Emulator:
    return Emulator(state.pid, state.port, state.instance, Path(state.log_path), Path(state.scratch))


@contextmanager
def _phase(report: Callable[[Phase], None], name: str) -> Iterator[None]:
    report(Phase(name))
    begun = time.monotonic()
    yield
    report(Phase(name, time.monotonic() - begun))
