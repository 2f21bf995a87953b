"""What every stack is told, and the ARNs by which stacks know what others made. Nothing is exported or looked up: names
are deterministic (tallygate/resources.py), so that stacks in different regions need no reference to each other."""

from dataclasses import dataclass

from aws_cdk import Aws, RemovalPolicy

from stacks.assets import FunctionCode
from tallygate.config import Config, Service
from tallygate.core.plans import OnUnavailable, strictest_on_unavailable
from tallygate.local.flavour import Flavour
from tallygate.resources import Names


@dataclass(frozen=True)
class Deployment:
    """One stage of the service. The account is whichever the stacks are deployed to, the regions are concrete."""

    config: Config
    names: Names
    flavour: Flavour
    code: FunctionCode

    @property
    def service(self) -> Service:
        return self.config.service

    def on_unavailable(self, *, keyed: bool) -> OnUnavailable:
        """What holds for callers while no plan could be read, by the plans that are configured."""
        plans = (plan for plan in self.config.plans if plan.anonymous != keyed)
        # With no plan for keys there is no key either: what is presented as one may wait until that can be told.
        return strictest_on_unavailable(plans) or "deny"

    @property
    def table_removal(self) -> RemovalPolicy:
        """Tables outlive their stack, except when its first deployment fails: retained then, their fixed names would
        block the next one."""
        return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if self.flavour.keep_tables else RemovalPolicy.DESTROY

    @property
    def trusted_proxies(self) -> tuple[str, ...]:
        return (*self.service.trusted_proxies, *self.flavour.trusted_proxies)

    def settings(self, home: str) -> dict[str, str]:
        """What every function is told that decides by the counts of `home` or makes them."""
        return {
            "TALLYGATE_GATE_TABLE": self.names.gate_table,
            "TALLYGATE_HOME": home,
            "TALLYGATE_HOMES": ",".join(self.service.homes),
        }

    def gate_table_arn(self, region: str) -> str:
        return _arn("dynamodb", region, f"table/{self.names.gate_table}")

    def tally_table_arn(self, home: str) -> str:
        return _arn("dynamodb", home, f"table/{self.names.tally_table}")

    def stream_arn(self, home: str) -> str:
        return _arn("kinesis", home, f"stream/{self.names.stream}")

    def gate_streams_arn(self, region: str) -> str:
        """Every stream that the gate ever had there."""
        return _arn("dynamodb", region, f"table/{self.names.gate_table}/stream/*")

    def gate_stream_reference(self) -> str:
        """The gate's stream in the administrative region, filled in when a stack is deployed."""
        return f"{{{{resolve:ssm:{self.names.gate_stream_parameter}}}}}"

    def rejects_queue_arn(self, home: str) -> str:
        return _arn("sqs", home, self.names.rejects_queue)

    def destination_arn(self, region: str, home: str) -> str:
        return _arn("logs", region, f"destination:{self.names.destination(home)}")


def _arn(service: str, region: str, resource: str) -> str:
    return f"arn:{Aws.PARTITION}:{service}:{region}:{Aws.ACCOUNT_ID}:{resource}"
