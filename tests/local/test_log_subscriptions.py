"""Subscription filters that end in a Kinesis stream, through AWS APIs alone."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tallygate.local.aws import LocalAws
from tallygate.local.errors import WorldError
from tallygate.local.process import Emulator
from tests.local.templates import AWAY, HOME, ROLE, stream, stream_arn

USAGE = '{ ($.type = "usage") && ($.home = "us-east-1") }'
PRINTS_ITS_EVENT = "def handler(event, context):\n    for line in event:\n        print(line)\n"
USAGE_LINE = '{"type":"usage","home":"us-east-1","n":%d}'


def subscription(group: str, destination_arn: str, pattern: str = USAGE) -> dict[str, Any]:
    return {
        "Type": "AWS::Logs::SubscriptionFilter",
        "DependsOn": ["Group"],
        "Properties": {
            "LogGroupName": group,
            "FilterName": "usage",
            "FilterPattern": pattern,
            "DestinationArn": destination_arn,
        },
    }


def destination_arn(name: str) -> str:
    return f"arn:aws:logs:{AWAY}:000000000000:destination:to-{name}"


def destination(name: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Logs::Destination",
        "Properties": {
            "DestinationName": f"to-{name}",
            "RoleArn": ROLE,
            "TargetArn": stream_arn(name),
            "DestinationPolicy": "{}",
        },
    }


def payloads(aws: LocalAws, name: str) -> list[dict[str, Any]]:
    """Everything on a stream, decoded, with partition keys."""
    kinesis = aws.client("kinesis", HOME)
    shard = kinesis.list_shards(StreamName=name)["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    return [{"PartitionKey": r["PartitionKey"], **json.loads(gzip.decompress(r["Data"]))} for r in records]


def data_payloads(aws: LocalAws, name: str) -> list[dict[str, Any]]:
    return [payload for payload in payloads(aws, name) if payload["messageType"] == "DATA_MESSAGE"]


@pytest.fixture
def printing(create: Any, function: Any, aws: LocalAws) -> Callable[..., Callable[[list[str]], None]]:
    """Deploys a function that prints what it is given, with a subscribed log group; returns how to make it print."""

    def deploy(name: str, region: str, destination_arn: str, **more: Any) -> Callable[[list[str]], None]:
        group = f"/aws/lambda/{name}"
        resources = {
            "Function": function(name, PRINTS_ITS_EVENT),
            "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": group}},
            "Filter": subscription(group, destination_arn),
            **more,
        }
        create(region, resources)
        client = aws.client("lambda", region)

        def print_lines(lines: list[str]) -> None:
            answer = client.invoke(FunctionName=name, Payload=json.dumps(lines))
            assert "FunctionError" not in answer

        return print_lines

    return deploy


def test_a_payload_is_what_aws_puts_on_a_stream(
    create: Any, printing: Any, aws: LocalAws, emulator: Emulator, eventually: Any
) -> None:
    create(HOME, {"Stream": stream("shape")})
    print_lines = printing("prints-shape", AWAY, destination_arn("shape"), Destination=destination("shape"))
    print_lines([USAGE_LINE % 1, "not usage", USAGE_LINE % 2])
    print_lines([USAGE_LINE % 3])
    emulator.ask("POST", "/_tallygate/flush")
    control, payload = eventually(lambda: len(found := payloads(aws, "shape")) == 2 and found)

    assert control["messageType"] == "CONTROL_MESSAGE"
    events = payload.pop("logEvents")
    log_stream = payload["logStream"]
    assert payload == {
        "PartitionKey": log_stream,
        "messageType": "DATA_MESSAGE",
        "owner": "000000000000",
        "logGroup": "/aws/lambda/prints-shape",
        "logStream": log_stream,
        "subscriptionFilters": ["usage"],
    }
    assert [event["message"] for event in events] == [USAGE_LINE % 1, USAGE_LINE % 2, USAGE_LINE % 3]
    ids = [event["id"] for event in events]
    assert {len(event_id) for event_id in ids} == {56}
    assert ids == sorted(set(ids), key=int)
    assert all(int(event_id) >> 144 == event["timestamp"] for event_id, event in zip(ids, events, strict=True))
    found = aws.client("logs", AWAY).describe_log_streams(logGroupName="/aws/lambda/prints-shape")["logStreams"]
    assert [each["logStreamName"] for each in found] == [log_stream]


def test_a_filter_reaches_a_stream_of_its_own_region_directly(
    create: Any, printing: Any, aws: LocalAws, eventually: Any
) -> None:
    create(HOME, {"Stream": stream("direct")})
    print_lines = printing("prints-direct", HOME, stream_arn("direct"))
    print_lines([USAGE_LINE % 7])
    (payload,) = eventually(lambda: data_payloads(aws, "direct"))
    assert [event["message"] for event in payload["logEvents"]] == [USAGE_LINE % 7]


@pytest.mark.parametrize(
    ("arn", "pattern", "reason"),
    [
        (stream_arn("refused"), "{ $.units > 0 }", "filter pattern has a term other than"),
        (stream_arn("nowhere"), USAGE, "Could not deliver test message"),
        (destination_arn("nowhere"), USAGE, f"is not in the log group's region {HOME}"),
    ],
)
def test_a_filter_that_would_lose_lines_cannot_be_put(
    arn: str, pattern: str, reason: str, aws: LocalAws, request: pytest.FixtureRequest
) -> None:
    logs, group = aws.client("logs", HOME), f"refused-{hash(request.node.name)}"
    logs.create_log_group(logGroupName=group)
    with pytest.raises(ClientError, match=reason) as refused:
        logs.put_subscription_filter(
            logGroupName=group, filterName="usage", filterPattern=pattern, destinationArn=arn, roleArn=ROLE
        )
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
    assert logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"] == []


def test_a_log_group_has_two_filters_at_most(create: Any, aws: LocalAws) -> None:
    create(HOME, {"Stream": stream("two")})
    logs = aws.client("logs", HOME)
    logs.create_log_group(logGroupName="two-filters")

    def put(name: str) -> None:
        logs.put_subscription_filter(
            logGroupName="two-filters",
            filterName=name,
            filterPattern=USAGE,
            destinationArn=stream_arn("two"),
            roleArn=ROLE,
        )

    put("first")
    put("second")
    put("first")
    with pytest.raises(ClientError, match="LimitExceededException"):
        put("third")


def test_a_stack_whose_destination_is_missing_names_the_filter(create: Any) -> None:
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "lonely"}}
    with pytest.raises(WorldError, match=r"Filter \(AWS::Logs::SubscriptionFilter\): .*nowhere"):
        create(HOME, {"Group": group, "Filter": subscription("lonely", stream_arn("nowhere"))})
