"""How the stacks stand together: by names alone."""

import json

from synthesized import Synthesized, Where

NAME_OF = {
    "AWS::ApiGatewayV2::Api": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::Destination": "DestinationName",
    "AWS::Logs::SubscriptionFilter": "FilterName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SecretsManager::Secret": "Name",
}


def stack_artifacts(stage: Synthesized) -> dict[str, dict]:
    artifacts = stage.manifest["artifacts"]
    return {name: each for name, each in artifacts.items() if each["type"] == "aws:cloudformation:stack"}


def test_no_stack_exports_to_another_or_imports_from_one(two_homes: Synthesized) -> None:
    for where, template in two_homes.written.items():
        assert "Fn::ImportValue" not in json.dumps(template), where
        for name, output in template.get("Outputs", {}).items():
            assert "Export" not in output, (where, name)


def test_nothing_is_asked_when_a_template_is_deployed(two_homes: Synthesized) -> None:
    for where, template in two_homes.written.items():
        assert template.keys() <= {"Resources", "Outputs"}, f"{where}: neither parameters nor rules nor conditions"


def test_regions_are_concrete_and_the_account_is_whichever_it_is_deployed_to(two_homes: Synthesized) -> None:
    environments = {name: each["environment"] for name, each in stack_artifacts(two_homes).items()}
    assert environments == {
        "tallygate-acceptance-gate-us-east-1": "aws://unknown-account/us-east-1",
        "tallygate-acceptance-home-us-east-1": "aws://unknown-account/us-east-1",
        "tallygate-acceptance-home-eu-central-1": "aws://unknown-account/eu-central-1",
        "tallygate-acceptance-ops-us-east-1": "aws://unknown-account/us-east-1",
        "tallygate-acceptance-notices-us-east-1": "aws://unknown-account/us-east-1",
        "tallygate-acceptance-region-us-east-1": "aws://unknown-account/us-east-1",
        "tallygate-acceptance-region-eu-west-1": "aws://unknown-account/eu-west-1",
        "tallygate-acceptance-region-ap-southeast-2": "aws://unknown-account/ap-southeast-2",
    }
    assert "missing" not in two_homes.manifest, "context that would have to be looked up in AWS"


def test_the_gate_is_deployed_before_the_homes_and_these_before_the_regions(two_homes: Synthesized) -> None:
    stacks = stack_artifacts(two_homes)
    after = {name: set(each["dependencies"]) & stacks.keys() for name, each in stacks.items()}
    homes = {"tallygate-acceptance-home-us-east-1", "tallygate-acceptance-home-eu-central-1"}
    for home in homes:
        assert after[home] == {"tallygate-acceptance-gate-us-east-1"}
    for part in ("ops", "notices"):
        assert after[f"tallygate-acceptance-{part}-us-east-1"] == {"tallygate-acceptance-home-us-east-1"}
    for region in ("us-east-1", "eu-west-1", "ap-southeast-2"):
        assert after[f"tallygate-acceptance-region-{region}"] == homes


def test_everything_that_can_have_a_name_has_one_made_of_service_and_stage(two_homes: Synthesized) -> None:
    for where in two_homes.templates:
        for type, name in NAME_OF.items():
            for properties in two_homes.all(where, type):
                assert properties[name].startswith("tallygate-acceptance"), (where, type, properties)
        for group in two_homes.all(where, "AWS::Logs::LogGroup"):
            assert group["LogGroupName"].startswith(
                ("/aws/lambda/tallygate-acceptance-", "/aws/apigateway/tallygate-acceptance-")
            )


def test_roles_of_different_regions_have_different_names(two_homes: Synthesized) -> None:
    """IAM is global: a name in use elsewhere fails the stack."""
    roles: dict[str, Where] = {}
    for where in two_homes.templates:
        for role in two_homes.all(where, "AWS::IAM::Role"):
            assert role["RoleName"] not in roles, (where, roles[role["RoleName"]])
            assert len(role["RoleName"]) <= 64
            roles[role["RoleName"]] = where


def test_a_template_fits_the_body_of_one_request(two_homes: Synthesized) -> None:
    for where, template in two_homes.written.items():
        assert len(json.dumps(template, separators=(",", ":"))) < 51_200, where
