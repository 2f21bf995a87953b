"""What a shell completes besides commands and options: stages, regions and plans of the configuration, and the keys and
owners of the world on this machine. AWS is never asked: a key that is pressed to complete a word should not wait for
it. What cannot be read completes nothing; the command itself says why."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

from tallygate.aws.key_store import KeyStore
from tallygate.cli.failures import Failure, one_line_failures
from tallygate.cli.world import attach
from tallygate.config import Config, load
from tallygate.core.key_profile import KeyProfile
from tallygate.local.flavour import LOCAL_STAGE

Suggest = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
MOST_KEYS: Final = 200
"""Keys looked at; more would be no help on a terminal."""


def _suggest(found: Callable[[click.Context], Iterable[tuple[str, str | None]]]) -> Suggest:
    """Completes values, each with a word about it, that `found` tells of a half-written command."""

    def suggest(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            with one_line_failures():
                values = dict(found(context))
        except Failure:
            return []
        return [CompletionItem(value, help=said) for value, said in values.items() if value.startswith(incomplete)]

    return suggest


def _config(context: click.Context) -> Config:
    path: Path | None = context.params.get("config_path")
    if path is None and context.params.get("stage") in (None, LOCAL_STAGE):
        try:
            with one_line_failures():
                return attach().config
        except Failure:
            pass  # no world is up: that of the directory
    return load(path or Path("tallygate.toml"))


def _stages(context: click.Context) -> Iterator[tuple[str, str | None]]:
    for stage in _config(context).service.stages:
        yield stage, "the world on this machine" if stage == LOCAL_STAGE else "in AWS"


def _regions(context: click.Context) -> Iterator[tuple[str, str | None]]:
    service = _config(context).service
    for region in service.gate_regions:
        yield region, "home" if region in service.homes else None


def _plans(context: click.Context) -> Iterator[tuple[str, str | None]]:
    for plan in _config(context).plans:
        yield plan.name, ", ".join(f"{limit.quota:,} per {limit.per} and {limit.window}" for limit in plan.limits)


def _profiles(context: click.Context) -> Iterator[KeyProfile]:
    if context.params.get("stage") not in (None, LOCAL_STAGE):
        return
    world = attach()
    gate = world.aws.client("dynamodb", world.config.service.administrative_region)
    yield from islice(KeyStore(gate, world.names.gate_table).profiles(), MOST_KEYS)


def _keys(context: click.Context) -> Iterator[tuple[str, str | None]]:
    for profile in _profiles(context):
        yield profile.id, f"{profile.owner}, {profile.plan}"


def _owners(context: click.Context) -> Iterator[tuple[str, str | None]]:
    for profile in _profiles(context):
        yield profile.owner, None


def _values(context: click.Context) -> Iterator[tuple[str, str | None]]:
    """Of identifiers, those that somebody gave out. Whose addresses and sites call is for `usage top`."""
    kind = context.params.get("kind")
    if kind == "key":
        yield from _keys(context)
    elif kind == "owner":
        yield from _owners(context)


stages: Final = _suggest(_stages)
regions: Final = _suggest(_regions)
plans: Final = _suggest(_plans)
keys: Final = _suggest(_keys)
owners: Final = _suggest(_owners)
values: Final = _suggest(_values)
