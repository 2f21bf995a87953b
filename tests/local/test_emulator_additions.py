"""What is added to the emulator, seen from outside: through AWS APIs, as our stacks and functions use them."""

import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tallygate.local.aws import LocalAws
from tallygate.local.errors import WorldError
from tallygate.local.process import Emulator

HOME, AWAY = "us-east-1", "ap-southeast-2"
USAGE = '{ ($.type = "usage") && ($.home = "us-east-1") }'
PRINTS_ITS_EVENT = "def handler(event, context):\n    for line in event:\n        print(line)\n"
ROLE = "arn:aws:iam::000000000000:role/logs"
USAGE_LINE = '{"type":"usage","home":"us-east-1","n":%d}'


def stream(name: str) -> dict[str, Any]:
    return {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": name, "ShardCount": 1}}


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


def stream_arn(name: str) -> str:
    return f"arn:aws:kinesis:{HOME}:000000000000:stream/{name}"


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


def test_a_filter_reaches_a_stream_of_its_own_region_directly(
    create: Any, printing: Any, aws: LocalAws, eventually: Any
) -> None:
    create(HOME, {"Stream": stream("direct")})
    print_lines = printing("prints-direct", HOME, stream_arn("direct"))
    print_lines([USAGE_LINE % 7])
    (payload,) = eventually(lambda: data_payloads(aws, "direct"))
    assert [event["message"] for event in payload["logEvents"]] == [USAGE_LINE % 7]


def test_sequence_numbers_have_56_digits_and_grow(create: Any, aws: LocalAws) -> None:
    create(HOME, {"Stream": stream("numbers")})
    kinesis = aws.client("kinesis", HOME)
    numbers = [
        kinesis.put_record(StreamName="numbers", Data=b"x", PartitionKey="p")["SequenceNumber"] for _ in range(3)
    ]
    assert {len(number) for number in numbers} == {56}
    assert numbers == sorted(set(numbers), key=int)


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


FAILS_UNTIL_ALLOWED = """
import json, os

def handler(event, context):
    journal = os.environ["JOURNAL"]
    numbers = [int(__import__("base64").b64decode(r["kinesis"]["data"])) for r in event["Records"]]
    with open(journal, "a") as file:
        print(json.dumps(numbers), file=file)
    if not os.path.exists(journal + ".allowed"):
        if 2 in numbers:
            raise RuntimeError("two is not welcome")
"""


def mapping(function_name: str, stream_name: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "DependsOn": ["Function", "Stream"],
        "Properties": {
            "FunctionName": function_name,
            "EventSourceArn": stream_arn(stream_name),
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 100,
            **properties,
        },
    }


def put_numbers(aws: LocalAws, name: str, numbers: range) -> None:
    records = [{"Data": str(number).encode(), "PartitionKey": "p"} for number in numbers]
    aws.client("kinesis", HOME).put_records(StreamName=name, Records=records)


def shard_of(emulator: Emulator, name: str) -> dict[str, Any]:
    (shard,) = [each for each in emulator.ask("GET", "/_tallygate/progress")["shards"] if each["stream"] == name]
    return dict(shard)


def test_a_batch_that_fails_is_halved_and_comes_again_until_it_succeeds(
    create: Any, function: Any, aws: LocalAws, emulator: Emulator, eventually: Any, journal: Path
) -> None:
    create(
        HOME,
        {
            "Stream": stream("retried"),
            "Function": function("retried", FAILS_UNTIL_ALLOWED, {"JOURNAL": str(journal)}, Timeout=20),
            "Mapping": mapping("retried", "retried", BisectBatchOnFunctionError=True, MaximumBatchingWindowInSeconds=5),
        },
    )
    put_numbers(aws, "retried", range(4))
    eventually(lambda: shard_of(emulator, "retried")["error"] and journal.read_text().count("[2]"))
    failing = shard_of(emulator, "retried")
    assert (failing["behind"], failing["error"]) == (2, "two is not welcome")
    Path(f"{journal}.allowed").touch()
    eventually(lambda: shard_of(emulator, "retried")["behind"] == 0)
    batches = [json.loads(line) for line in journal.read_text().splitlines()]
    assert batches[:3] == [[0, 1, 2, 3], [0, 1], [2, 3]]
    assert set(map(tuple, batches[3:-1])) == {(2,)}
    assert batches[-1] == [3]


REPORTS_FROM_TWO = """
import base64, json, os

def handler(event, context):
    journal = os.environ["JOURNAL"]
    numbers = {r["kinesis"]["sequenceNumber"]: int(base64.b64decode(r["kinesis"]["data"])) for r in event["Records"]}
    with open(journal, "a") as file:
        print(json.dumps(list(numbers.values())), file=file)
    if len(numbers) > 2:
        return {"batchItemFailures": [{"itemIdentifier": s} for s, number in numbers.items() if number >= 2]}
"""


def test_a_partial_answer_goes_on_from_the_lowest_failed_record(
    create: Any, function: Any, aws: LocalAws, emulator: Emulator, eventually: Any, journal: Path
) -> None:
    create(
        HOME,
        {
            "Stream": stream("partial"),
            "Function": function("partial", REPORTS_FROM_TWO, {"JOURNAL": str(journal)}, Timeout=20),
            "Mapping": mapping("partial", "partial", FunctionResponseTypes=["ReportBatchItemFailures"]),
        },
    )
    put_numbers(aws, "partial", range(4))
    eventually(lambda: shard_of(emulator, "partial")["behind"] == 0)
    assert [json.loads(line) for line in journal.read_text().splitlines()] == [[0, 1, 2, 3], [2, 3]]


def test_a_disabled_mapping_rests_and_goes_on_where_it_was(
    create: Any, function: Any, aws: LocalAws, emulator: Emulator, eventually: Any, journal: Path
) -> None:
    create(
        HOME,
        {
            "Stream": stream("paused"),
            "Function": function("paused", FAILS_UNTIL_ALLOWED, {"JOURNAL": str(journal)}, Timeout=20),
            "Mapping": mapping("paused", "paused"),
        },
    )
    functions = aws.client("lambda", HOME)
    (paused,) = functions.list_event_source_mappings(FunctionName="paused")["EventSourceMappings"]

    put_numbers(aws, "paused", range(1))
    eventually(lambda: journal.read_text() == "[0]\n")
    functions.update_event_source_mapping(UUID=paused["UUID"], Enabled=False)
    for number in (5, 6):
        put_numbers(aws, "paused", range(number, number + 1))
        emulator.ask("POST", "/_tallygate/flush")
    functions.update_event_source_mapping(UUID=paused["UUID"], Enabled=True)
    eventually(lambda: journal.read_text() == "[0]\n[5, 6]\n")


def test_records_put_before_the_mapping_are_read_from_the_trim_horizon(
    create: Any, function: Any, aws: LocalAws, emulator: Emulator, eventually: Any, journal: Path
) -> None:
    aws.client("kinesis", HOME).create_stream(StreamName="earlier", ShardCount=1)
    put_numbers(aws, "earlier", range(3))
    resources = {
        "Stream": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "unused"}},
        "Function": function("earlier", REPORTS_FROM_TWO, {"JOURNAL": str(journal)}, Timeout=20),
        "Mapping": mapping("earlier", "earlier"),
    }
    create(HOME, resources)
    eventually(lambda: shard_of(emulator, "earlier")["behind"] == 0)
    assert json.loads(journal.read_text()) == [0, 1, 2]


def table(name: str, kind: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": f"AWS::DynamoDB::{kind}",
        "Properties": {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True},
            **properties,
        },
    }


RECOVERY = {"PointInTimeRecoveryEnabled": True}


def test_a_global_table_has_its_replicas_with_their_settings_until_it_is_deleted(create: Any, aws: LocalAws) -> None:
    replicas = [
        {"Region": AWAY},
        {"Region": "eu-west-1"},
        {"Region": HOME, "PointInTimeRecoverySpecification": RECOVERY},
    ]
    deployed = create(HOME, {"Table": table("gate", "GlobalTable", Replicas=replicas)})
    at_home = aws.client("dynamodb", HOME)
    at_home.put_item(TableName="gate", Item={"pk": {"S": "a"}, "n": {"N": "1"}})
    for region in (HOME, AWAY, "eu-west-1"):
        there = aws.client("dynamodb", region)
        assert there.get_item(TableName="gate", Key={"pk": {"S": "a"}})["Item"]["n"] == {"N": "1"}
        assert there.describe_time_to_live(TableName="gate")["TimeToLiveDescription"] == {
            "TimeToLiveStatus": "ENABLED",
            "AttributeName": "ttl",
        }
    backups = at_home.describe_continuous_backups(TableName="gate")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"

    cloudformation = aws.client("cloudformation", HOME)
    cloudformation.delete_stack(StackName=deployed.name)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=deployed.name, WaiterConfig={"Delay": 0, "MaxAttempts": 200}
    )
    for region in (HOME, AWAY, "eu-west-1"):
        assert "gate" not in aws.client("dynamodb", region).list_tables()["TableNames"]


def test_a_table_of_one_region_has_its_settings_too(create: Any, aws: LocalAws) -> None:
    create(HOME, {"Table": table("tally", "Table", PointInTimeRecoverySpecification=RECOVERY)})
    client = aws.client("dynamodb", HOME)
    ttl = client.describe_time_to_live(TableName="tally")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
    backups = client.describe_continuous_backups(TableName="tally")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


IMPORTS = """
import json

def handler(event, context):
    import boto3, orjson
    found = {"boto3": boto3.__version__, "orjson": orjson.__version__}
    for name in event:
        try:
            __import__(name)
            found[name] = "imported"
        except ModuleNotFoundError as error:
            found[name] = str(error)
    return found
"""


def test_a_function_cannot_import_our_code_unless_its_package_has_it(create: Any, function: Any, aws: LocalAws) -> None:
    create(HOME, {"Function": function("imports", IMPORTS, Timeout=20)})
    names = ["tallygate", "tallygate.core.lines", "functions.api", "stacks", "json"]
    answer = aws.client("lambda", HOME).invoke(FunctionName="imports", Payload=json.dumps(names))
    found = json.loads(answer["Payload"].read())
    assert found.pop("boto3")
    assert found.pop("orjson")
    assert found == {
        "tallygate": "the function's package has no tallygate",
        "tallygate.core.lines": "the function's package has no tallygate",
        "functions.api": "the function's package has no functions",
        "stacks": "the function's package has no stacks",
        "json": "imported",
    }


ECHO = """
import json

def handler(event, context):
    return {"statusCode": 200, "headers": {"x-seen": "yes"}, "body": json.dumps(event["requestContext"]["authorizer"])}
"""
ALLOW = "def handler(event, context):\n    return {'isAuthorized': True, 'context': {'tallygate': 'verdict'}}\n"


def test_an_http_api_answers_browsers_and_asks_its_authorizer_without_identity_sources(
    create: Any, function: Any, emulator: Emulator
) -> None:
    uri = (
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:"
    )
    deployed = create(
        HOME,
        {
            "Echo": function("echo", ECHO, Timeout=20),
            "Allow": function("allow", ALLOW, Timeout=20),
            "Api": {
                "Type": "AWS::ApiGatewayV2::Api",
                "Properties": {
                    "Name": "api",
                    "ProtocolType": "HTTP",
                    "CorsConfiguration": {
                        "AllowOrigins": ["*"],
                        "AllowMethods": ["GET"],
                        "AllowHeaders": ["x-api-key"],
                        "ExposeHeaders": ["RateLimit"],
                        "MaxAge": 60,
                    },
                },
            },
            "Authorizer": {
                "Type": "AWS::ApiGatewayV2::Authorizer",
                "Properties": {
                    "ApiId": {"Ref": "Api"},
                    "Name": "allow",
                    "AuthorizerType": "REQUEST",
                    "AuthorizerPayloadFormatVersion": "2.0",
                    "EnableSimpleResponses": True,
                    "AuthorizerUri": f"{uri}allow/invocations",
                },
            },
            "Integration": {
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": {
                    "ApiId": {"Ref": "Api"},
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": f"{uri}echo/invocations",
                    "PayloadFormatVersion": "2.0",
                },
            },
            "Route": {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": {"Ref": "Api"},
                    "RouteKey": "GET /v1/echo",
                    "AuthorizationType": "CUSTOM",
                    "AuthorizerId": {"Ref": "Authorizer"},
                    "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]},
                },
            },
            "Stage": {
                "Type": "AWS::ApiGatewayV2::Stage",
                "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True},
            },
        },
        {"ApiId": {"Value": {"Ref": "Api"}}},
    )
    url = f"{emulator.endpoint}/_aws/execute-api/{deployed.outputs['ApiId']}/$default/v1/echo"
    preflight = urllib.request.Request(url, method="OPTIONS", headers={"Origin": "https://shop.example"})
    with urllib.request.urlopen(preflight) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Methods"] == "GET"
        assert answer.headers["Access-Control-Allow-Headers"] == "x-api-key"
        assert answer.headers["Access-Control-Max-Age"] == "60"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Origin": "https://shop.example"})) as answer:
        assert json.load(answer) == {"lambda": {"tallygate": "verdict"}}
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Expose-Headers"] == "RateLimit"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(url + "/elsewhere")
