"""What a function is told by its environment, parsed once at its first call. A value that is missing or makes no sense
is a fault of the deployment: SettingsError names all of them at once. The stacks set these variables.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from tallygate.core.addresses import Network
from tallygate.core.identity import parse_networks
from tallygate.core.plans import ON_UNAVAILABLE, OnUnavailable

if TYPE_CHECKING:
    from tallygate.core.publish import PublishMode

Value = TypeVar("Value")
Word = TypeVar("Word", bound=str)

DEFAULT_READ_DEADLINE_MS: Final = 150
"""For all reads of one call together: what a caller may be made to wait before they are answered without them."""
LOCAL_STAGE: Final = "local"
"""The stage on one machine: its webhook may be on that machine, too."""
PUBLISH_MODES: Final[tuple["PublishMode", ...]] = ("marks", "every")


class SettingsError(Exception):
    """The environment is not what the function needs; trying again will not help."""


@dataclass(frozen=True, slots=True)
class AuthorizerSettings:
    """`home` counts this region's calls; `homes` are all that count, the administrative one first.
    `anonymous_on_unavailable` and `keyed_on_unavailable` hold while no plan could be read."""

    stage: str
    region: str
    gate_table: str
    home: str
    homes: tuple[str, ...]
    trusted_proxies: tuple[Network, ...]
    ipv6_prefix: int
    read_deadline_ms: int
    anonymous_on_unavailable: OnUnavailable
    keyed_on_unavailable: OnUnavailable

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "AuthorizerSettings":
        """Settings of the authorizer. SettingsError when they are not complete."""
        with _Reader(env) as read:
            return cls(
                stage=read("TALLYGATE_STAGE"),
                region=read("AWS_REGION"),
                gate_table=read("TALLYGATE_GATE_TABLE"),
                home=read("TALLYGATE_HOME"),
                homes=read("TALLYGATE_HOMES", _words),
                trusted_proxies=read("TALLYGATE_TRUSTED_PROXIES", parse_networks, default="", may_be_empty=True),
                ipv6_prefix=read("TALLYGATE_IPV6_PREFIX", _integer(1, 128)),
                read_deadline_ms=read(
                    "TALLYGATE_READ_DEADLINE_MS", _integer(1, 10_000), default=str(DEFAULT_READ_DEADLINE_MS)
                ),
                anonymous_on_unavailable=read("TALLYGATE_ANONYMOUS_ON_UNAVAILABLE", _one_of(ON_UNAVAILABLE)),
                keyed_on_unavailable=read("TALLYGATE_KEYED_ON_UNAVAILABLE", _one_of(ON_UNAVAILABLE)),
            )


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """`home` counts this region's calls; `homes` are all that count, each with a tally table of the same name.
    `docs_url` is the page that describes types of problem."""

    region: str
    gate_table: str
    tally_table: str
    home: str
    homes: tuple[str, ...]
    docs_url: str
    stream_retention_hours: int
    history_days: int

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "ApiSettings":
        """Settings of the API function. SettingsError when they are not complete."""
        with _Reader(env) as read:
            return cls(
                region=read("AWS_REGION"),
                gate_table=read("TALLYGATE_GATE_TABLE"),
                tally_table=read("TALLYGATE_TALLY_TABLE"),
                home=read("TALLYGATE_HOME"),
                homes=read("TALLYGATE_HOMES", _words),
                docs_url=read("TALLYGATE_DOCS_URL"),
                stream_retention_hours=read("TALLYGATE_STREAM_RETENTION_HOURS", _integer(24, 8_760)),
                history_days=read("TALLYGATE_HISTORY_DAYS", _integer(0, 3_650)),
            )


@dataclass(frozen=True, slots=True)
class CountersSettings:
    """`homes` are all that count, the administrative one first: it keeps sequences and epochs."""

    gate_table: str
    tally_table: str
    homes: tuple[str, ...]
    docs_url: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "CountersSettings":
        """Settings of the counters' function. SettingsError when they are not complete."""
        with _Reader(env) as read:
            return cls(
                gate_table=read("TALLYGATE_GATE_TABLE"),
                tally_table=read("TALLYGATE_TALLY_TABLE"),
                homes=read("TALLYGATE_HOMES", _words),
                docs_url=read("TALLYGATE_DOCS_URL"),
            )


@dataclass(frozen=True, slots=True)
class LogConsumerSettings:
    """`home` is the one that this consumer counts for."""

    gate_table: str
    tally_table: str
    rejects_queue_url: str
    home: str
    homes: tuple[str, ...]
    publish: "PublishMode"
    dedupe_window_seconds: int
    stream_retention_hours: int
    history_days: int

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "LogConsumerSettings":
        """Settings of the log consumer. SettingsError when they are not complete."""
        with _Reader(env) as read:
            return cls(
                gate_table=read("TALLYGATE_GATE_TABLE"),
                tally_table=read("TALLYGATE_TALLY_TABLE"),
                rejects_queue_url=read("TALLYGATE_REJECTS_QUEUE_URL"),
                home=read("TALLYGATE_HOME"),
                homes=read("TALLYGATE_HOMES", _words),
                publish=read("TALLYGATE_PUBLISH", _one_of(PUBLISH_MODES)),
                dedupe_window_seconds=read("TALLYGATE_DEDUPE_WINDOW_SECONDS", _integer(1, 86_400)),
                stream_retention_hours=read("TALLYGATE_STREAM_RETENTION_HOURS", _integer(24, 8_760)),
                history_days=read("TALLYGATE_HISTORY_DAYS", _integer(0, 3_650)),
            )


@dataclass(frozen=True, slots=True)
class OpsSettings:
    """`region` is the administrative one, where keys are written."""

    stage: str
    region: str
    gate_table: str
    tally_table: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "OpsSettings":
        """Settings of the operators' function. SettingsError when they are not complete."""
        with _Reader(env) as read:
            return cls(
                stage=read("TALLYGATE_STAGE"),
                region=read("AWS_REGION"),
                gate_table=read("TALLYGATE_GATE_TABLE"),
                tally_table=read("TALLYGATE_TALLY_TABLE"),
            )


@dataclass(frozen=True, slots=True)
class NotifierSettings:
    """`region` is the administrative one, where every home's publications arrive."""

    service: str
    stage: str
    region: str
    gate_table: str
    tally_table: str
    notices_bus: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "NotifierSettings":
        """Settings of the notifier. SettingsError when they are not complete."""
        with _Reader(env) as read:
            return cls(
                service=read("TALLYGATE_SERVICE"),
                stage=read("TALLYGATE_STAGE"),
                region=read("AWS_REGION"),
                gate_table=read("TALLYGATE_GATE_TABLE"),
                tally_table=read("TALLYGATE_TALLY_TABLE"),
                notices_bus=read("TALLYGATE_NOTICES_BUS"),
            )


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """`url` is https, but to this machine. `webhook_secret` names the secret with which calls are signed."""

    url: str = field(repr=False)
    region: str
    webhook_secret: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "WebhookSettings":
        """Settings of the webhook. SettingsError when they are not complete."""
        with _Reader(env) as read:
            stage: str = read("TALLYGATE_STAGE")
            return cls(
                url=read("TALLYGATE_WEBHOOK_URL", _https if stage != LOCAL_STAGE else str),
                region=read("AWS_REGION"),
                webhook_secret=read("TALLYGATE_WEBHOOK_SECRET"),
            )


@dataclass(frozen=True, slots=True)
class OpsReaderSettings:
    """`region` is the administrative one, with a replica of the gate; `regions` serve callers, `homes` count."""

    service: str
    stage: str
    region: str
    homes: tuple[str, ...]
    regions: tuple[str, ...]
    stream_retention_hours: int
    history_days: int
    ipv6_prefix: int

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "OpsReaderSettings":
        """Settings of the function that answers operators' questions. SettingsError when they are not complete."""
        with _Reader(env) as read:
            return cls(
                service=read("TALLYGATE_SERVICE"),
                stage=read("TALLYGATE_STAGE"),
                region=read("AWS_REGION"),
                homes=read("TALLYGATE_HOMES", _words),
                regions=read("TALLYGATE_REGIONS", _words),
                stream_retention_hours=read("TALLYGATE_STREAM_RETENTION_HOURS", _integer(24, 8_760)),
                history_days=read("TALLYGATE_HISTORY_DAYS", _integer(0, 3_650)),
                ipv6_prefix=read("TALLYGATE_IPV6_PREFIX", _integer(1, 128)),
            )


class _Reader:
    """Reads variables one by one and remembers what is wrong with them, so that one error tells everything: at the end
    of the `with` in which they are read."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._faults: list[str] = []

    def __call__(
        self,
        name: str,
        parse: Callable[[str], Value] = str,  # type: ignore[assignment]  # Value is str where it is left out
        default: str | None = None,
        may_be_empty: bool = False,
    ) -> Value:
        text = self._env.get(name, default)
        try:
            if text is None or not (text.strip() or may_be_empty):
                raise ValueError("is not set")
            return parse(text)
        except ValueError as error:
            self._faults.append(f"{name} {error}")
            return None  # type: ignore[return-value]  # __exit__ raises before anybody sees it

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *raised: object) -> None:
        if self._faults:
            raise SettingsError("; ".join(self._faults))


def _https(text: str) -> str:
    if not text.startswith("https://"):
        raise ValueError("is no https URL")
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _integer(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isdecimal() and least <= int(text) <= most):
            raise ValueError(f"is not a whole number from {least} to {most}: {text!r}")
        return int(text)

    return parse


def _one_of(allowed: tuple[Word, ...]) -> Callable[[str], Word]:
    def parse(text: str) -> Word:
        for word in allowed:
            if text == word:
                return word
        raise ValueError(f"is not one of {', '.join(allowed)}: {text!r}")

    return parse
