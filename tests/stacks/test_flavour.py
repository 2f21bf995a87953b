"""The emulator is given the templates that AWS is given, but for what tallygate/local/flavour.py lists."""

import copy
from typing import Any

from synthesized import Synthesized


def like_local(written: dict[str, Any]) -> dict[str, Any]:
    """A real template with every difference of the local flavour made by hand, and no other."""
    template = copy.deepcopy(written)
    resources = template["Resources"]
    for logical_id, resource in list(resources.items()):
        properties = resource["Properties"]
        match resource["Type"]:
            case "AWS::DynamoDB::GlobalTable" | "AWS::DynamoDB::Table":
                resource["DeletionPolicy"] = resource["UpdateReplacePolicy"] = "Delete"
                for replica in properties.get("Replicas", []):
                    replica["DeletionProtectionEnabled"] = False
            case "AWS::Lambda::Function":
                properties["Code"]["S3Key"] = "the code, without wheels"
                variables = properties["Environment"]["Variables"]
                if "TALLYGATE_TRUSTED_PROXIES" in variables:
                    assert variables["TALLYGATE_TRUSTED_PROXIES"] == ""
                    variables["TALLYGATE_TRUSTED_PROXIES"] = "127.0.0.1/32"
                    assert variables["TALLYGATE_READ_DEADLINE_MS"] == "150"
                    variables["TALLYGATE_READ_DEADLINE_MS"] = "5000"
            case "AWS::CloudWatch::Alarm" if "Metrics" in properties:
                del resources[logical_id]
    return template


def without_code(written: dict[str, Any]) -> dict[str, Any]:
    template = copy.deepcopy(written)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Code"]["S3Key"] = "the code, without wheels"
    return template


def code_keys(stage: Synthesized) -> set[str]:
    return {
        function["Code"]["S3Key"] for where in stage.templates for function in stage.all(where, "AWS::Lambda::Function")
    }


def test_local_templates_are_the_real_ones_but_for_what_is_listed(prod: Synthesized, local: Synthesized) -> None:
    assert prod.written.keys() == local.written.keys()
    for where in prod.written:
        assert without_code(local.written[where]) == like_local(prod.written[where]), where


def test_local_functions_have_code_of_their_own_without_wheels(prod: Synthesized, local: Synthesized) -> None:
    assert not code_keys(prod) & code_keys(local)


def test_tables_of_a_real_stage_outlive_their_stack_but_not_its_first_rollback(prod: Synthesized) -> None:
    tables = [
        resource
        for template in prod.written.values()
        for resource in template["Resources"].values()
        if resource["Type"].startswith("AWS::DynamoDB::")
    ]
    assert {table["Type"] for table in tables} == {"AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table"}
    for table in tables:
        assert table["DeletionPolicy"] == "RetainExceptOnCreate"
        assert table["UpdateReplacePolicy"] == "Retain"
