"""What a command works on: the world on this machine, or a stage deployed to AWS."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.core import ParameterSource

from tallygate.aws.audit_log import AuditLog
from tallygate.aws.key_admin import key_admin
from tallygate.cli import suggestions
from tallygate.cli.failures import ENDPOINT_VARIABLE, Failure
from tallygate.cli.world import attach
from tallygate.config import Config, load
from tallygate.core.key_admin import KeyAdmin
from tallygate.local.flavour import LOCAL_STAGE
from tallygate.resources import Names

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TARGET_OPTIONS: Final = ("stage", "profile", "region", "config")
Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Target:
    """A stage of the service, and how to reach its tables. `region` is the one asked for with --region, if any;
    `wanted` the configuration whose plans may be applied: that of --config where it is named."""

    config: Config
    wanted: Config
    names: Names
    region: str | None
    aws: Callable[[str, str], Any]
    """A client of an AWS service (as boto3 names it) in a region."""

    def client(self, region: str) -> "DynamoDBClient":
        client: DynamoDBClient = self.aws("dynamodb", region)
        return client

    @property
    def home(self) -> str:
        """The one home asked for: with several, --region must say which."""
        homes = tuple(self.homes)
        if len(homes) > 1:
            raise Failure(f"--region: which home? {', '.join(homes)}")
        return homes[0]

    @property
    def homes(self) -> "dict[str, DynamoDBClient]":
        """A client for each home whose tally is to be read."""
        homes = self.config.service.homes
        if self.region is not None and self.region not in homes:
            raise Failure(f"--region: {self.region} is no home; calls are counted in {', '.join(homes)}")
        return {home: self.client(home) for home in ((self.region,) if self.region else homes)}

    @property
    def every_home(self) -> "dict[str, DynamoDBClient]":
        """A client for each home, whatever --region says: a quota is used up in all of them."""
        return {home: self.client(home) for home in self.config.service.homes}

    def gate(self, *, to_write: bool) -> "DynamoDBClient":
        """A client of the gate. Keys, plans and quotas are written in one region only, the administrative one."""
        service = self.config.service
        region = self.region or service.administrative_region
        if to_write and region != service.administrative_region:
            raise Failure(f"--region: keys, plans and quotas are written only in {service.administrative_region}")
        if region not in service.gate_regions:
            raise Failure(f"--region: the gate has no replica in {region}, but in {', '.join(service.gate_regions)}")
        return self.client(region)

    @property
    def administrative_client(self) -> "DynamoDBClient":
        """A client where keys are written and changes recorded, whatever --region says."""
        return self.client(self.config.service.administrative_region)

    def audit_log(self) -> AuditLog:
        """Where changes are recorded, as made by whoever these credentials are of."""
        region = self.config.service.administrative_region
        return AuditLog(self.names.tally_table, self.aws("sts", region).get_caller_identity()["Arn"])

    def key_admin(self) -> KeyAdmin:
        """The keys of this stage, to be changed."""
        return key_admin(self.gate(to_write=True), self.names.gate_table, self.names.stage, self.audit_log())


def target_options(command: Command) -> Command:
    """The options that choose a target; the command gets it as `target`. With an option `offline` that is given, it is
    one that cannot be reached."""

    def with_target(
        *args: Any, stage: str, profile: str | None, region: str | None, config_path: Path, **kwargs: Any
    ) -> Any:
        source = click.get_current_context().get_parameter_source("config_path")
        is_named = source is not None and source != ParameterSource.DEFAULT
        if kwargs.get("offline"):
            target = _unreachable_target(stage, region, config_path)
        else:
            target = find_target(stage, profile, region, config_path, is_named=is_named)
        return command(*args, target=target, **kwargs)

    with_target.__doc__ = command.__doc__
    with_target.__name__ = command.__name__
    for option in (
        click.option(
            "--config",
            "config_path",
            type=click.Path(path_type=Path, dir_okay=False),
            default=Path("tallygate.toml"),
            show_default=True,
            help="Configuration of the service: its regions and homes, and the plans to apply.",
        ),
        click.option(
            "--region",
            shell_complete=suggestions.regions,
            help="One region only: a home for usage, a replica of the gate for keys and plans.",
        ),
        click.option("--profile", help="Profile of the AWS configuration."),
        click.option(
            "--stage",
            shell_complete=suggestions.stages,
            envvar="TALLYGATE_STAGE",
            default=LOCAL_STAGE,
            show_default=True,
            show_envvar=True,
            help="A deployed stage; `local` is the world of `tallygate up`.",
        ),
    ):
        with_target = option(with_target)
    return with_target  # type: ignore[return-value]  # click's decorators keep the kind of function


def find_target(
    stage: str, profile: str | None, region: str | None, config_path: Path, *, is_named: bool = False
) -> Target:
    """The world that is up for `local`, unless AWS_ENDPOINT_URL names one; else the AWS account of the environment. A
    world runs where its own configuration says, whichever `is_named`."""
    if stage == LOCAL_STAGE and ENDPOINT_VARIABLE not in os.environ:
        wanted = load(config_path) if is_named else None
        world = attach()
        return Target(world.config, wanted or world.config, world.names, region, world.aws.client)
    config = _config_of(stage, config_path)

    import boto3

    session = boto3.Session(profile_name=profile)

    @cache
    def aws(service: str, region: str) -> Any:  # each client costs some 50 ms and connections of its own
        return session.client(service, region_name=region)  # type: ignore[call-overload]

    return Target(config, config, Names(config.service.name, stage), region, aws)


def _unreachable_target(stage: str, region: str | None, config_path: Path) -> Target:
    def aws(_service: str, _region: str) -> Any:
        raise Failure("--offline: nothing is asked of AWS")

    config = _config_of(stage, config_path)
    return Target(config, config, Names(config.service.name, stage), region, aws)


def _config_of(stage: str, path: Path) -> Config:
    config = load(path)
    if stage not in config.service.stages:
        raise Failure(f"--stage: {stage} is none of service.stages: {', '.join(config.service.stages)}")
    return config
