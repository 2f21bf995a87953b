"""What templates say and the emulator alone would not do: replicas and settings of tables, CORS, authorizers; and what
a function may import."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tallygate.local.aws import LocalAws
from tallygate.local.process import Emulator
from tests.local.templates import AWAY, HOME


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
