"""Resources of the small templates that this suite deploys."""

from typing import Any, Final

HOME: Final = "us-east-1"
AWAY: Final = "ap-southeast-2"
ROLE: Final = "arn:aws:iam::000000000000:role/logs"


def stream(name: str) -> dict[str, Any]:
    return {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": name, "ShardCount": 1}}


def stream_arn(name: str) -> str:
    return f"arn:aws:kinesis:{HOME}:000000000000:stream/{name}"
