"""Deploying a synthesized app to the emulator: what `cdk deploy` does, in seconds instead of minutes."""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Final

from tallygate.local.assembly import FileAsset, Stack
from tallygate.local.aws import LocalAws
from tallygate.local.errors import WorldError

STACK_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.05
BOOTSTRAP_VERSION: Final = "30"
"""What `cdk bootstrap` would have left in the parameter that templates compare with the version they need."""


@dataclass(frozen=True, slots=True)
class DeployedStack:
    name: str
    region: str
    outputs: Mapping[str, str]


def deploy(
    stacks: tuple[Stack, ...], aws: LocalAws, report: Callable[[DeployedStack], None] = lambda _: None
) -> tuple[DeployedStack, ...]:
    """Creates every stack as soon as those that it depends on are there, those of different regions at the same time.
    WorldError names the first resource that fails and why."""
    deployed: list[DeployedStack] = []
    waiting, running = list(stacks), dict[Future[DeployedStack], Stack]()
    with ThreadPoolExecutor(max_workers=8) as threads:
        _upload({asset for stack in stacks for asset in stack.assets}, aws, threads)
        while waiting or running:
            done = {stack.name for stack in deployed}
            for stack in [stack for stack in waiting if stack.after <= done]:
                waiting.remove(stack)
                running[threads.submit(_create, stack, aws)] = stack
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                del running[future]
                deployed.append(future.result())
                report(deployed[-1])
    return tuple(deployed)


def _upload(assets: set[FileAsset], aws: LocalAws, threads: ThreadPoolExecutor) -> None:
    """Each distinct content is read and packed once, and put in the bucket of each region that wants it."""
    for region, bucket in sorted({(asset.region, asset.bucket) for asset in assets}):
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        aws.client("s3", region).create_bucket(Bucket=bucket, **place)
    for path in sorted({asset.path for asset in assets}):
        same = [asset for asset in assets if asset.path == path]
        content = same[0].content()
        puts = [
            threads.submit(aws.client("s3", each.region).put_object, Bucket=each.bucket, Key=each.key, Body=content)
            for each in same
        ]
        for put in puts:
            put.result()


def _create(stack: Stack, aws: LocalAws) -> DeployedStack:
    from botocore.exceptions import ClientError

    _bootstrap(stack, aws)
    cloudformation = aws.client("cloudformation", stack.region)
    try:
        cloudformation.create_stack(
            StackName=stack.name,
            TemplateBody=_compact(stack.template),
            Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            OnFailure="DO_NOTHING",
        )
    except ClientError as error:
        raise WorldError(f"stack {stack.name} in {stack.region}: {error.response['Error']['Message']}") from None
    deadline = time.monotonic() + STACK_SECONDS
    while (found := cloudformation.describe_stacks(StackName=stack.name)["Stacks"][0])["StackStatus"].endswith(
        "_IN_PROGRESS"
    ):
        if time.monotonic() > deadline:
            raise WorldError(f"stack {stack.name} in {stack.region} is not there after {STACK_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)
    if found["StackStatus"] != "CREATE_COMPLETE":
        raise WorldError(f"stack {stack.name} in {stack.region}: {_first_failure(cloudformation, stack.name)}")
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    return DeployedStack(stack.name, stack.region, outputs)


def _bootstrap(stack: Stack, aws: LocalAws) -> None:
    """What the template's `BootstrapVersion` parameter looks for, if it has one."""
    parameter = json.loads(stack.template).get("Parameters", {}).get("BootstrapVersion")
    if parameter:
        aws.client("ssm", stack.region).put_parameter(
            Name=parameter["Default"], Value=BOOTSTRAP_VERSION, Type="String", Overwrite=True
        )


def _compact(template: str) -> str:
    """A template body may have 51,200 bytes in a request, and a third of a synthesized one is indentation."""
    return json.dumps(json.loads(template), separators=(",", ":"))


def _first_failure(cloudformation: Any, stack: str) -> str:
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    for event in reversed(events):  # they come newest first
        if event["ResourceStatus"].endswith("_FAILED"):
            reason = event.get("ResourceStatusReason", "no reason given")
            return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
    return "failed without a reason"
