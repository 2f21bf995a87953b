"""`AWS::Logs::Destination`: what a subscription filter of one region reaches a stream of another region through.

CloudFormation calls PutDestination and PutDestinationPolicy; Ref is the name, GetAtt Arn the ARN. Name changes replace
it. The emulator has both calls but not the resource type, and an unknown type fails a whole stack.
"""

from typing import Any

from tallygate.local.internals import part


def put_destination(properties: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Creates or replaces the destination in this region; the physical id and the attributes of the resource."""
    logs, responses = part("services.cloudwatch_logs"), part("core.responses")
    name = properties["DestinationName"]
    logs._put_destination(
        {"destinationName": name, "targetArn": properties["TargetArn"], "roleArn": properties["RoleArn"]}
    )
    if policy := properties.get("DestinationPolicy"):
        logs._put_destination_policy({"destinationName": name, "accessPolicy": policy})
    return name, {"Arn": f"arn:aws:logs:{responses.get_region()}:{responses.get_account_id()}:destination:{name}"}


def install() -> None:
    """Registers the resource type."""

    def create(_logical_id: str, props: dict[str, Any], _stack_name: str) -> Any:
        return put_destination(props)

    def update(physical_id: str, _old: dict[str, Any], new: dict[str, Any], _stack_name: str) -> Any:
        if new["DestinationName"] != physical_id:
            delete(physical_id, new)
        return put_destination(new)

    def delete(physical_id: str, _props: dict[str, Any]) -> None:
        part("services.cloudwatch_logs")._destinations.pop(physical_id, None)

    part("services.cloudformation.provisioners")._RESOURCE_HANDLERS["AWS::Logs::Destination"] = {
        "create": create,
        "update": update,
        "delete": delete,
    }
