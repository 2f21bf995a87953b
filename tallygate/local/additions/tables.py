"""What CloudFormation makes of a DynamoDB table beyond its keys: replicas, time to live, point-in-time recovery.

`AWS::DynamoDB::GlobalTable` creates a replica in each region of `Replicas`, deletes those that an update leaves out,
and all with the table; `TimeToLiveSpecification` holds in all replicas. The emulator's provisioner reads none of these
properties, but its DynamoDB has all of it: the template's properties are passed on.
"""

from typing import Any

from tallygate.local.internals import part


class TableError(Exception):
    """DynamoDB's own message; CloudFormation fails the resource with it."""


def replica_regions(properties: dict[str, Any], home: str) -> set[str]:
    """Regions of `Replicas` other than the table's own."""
    return {replica["Region"] for replica in properties.get("Replicas", [])} - {home}


def apply_settings(table: str, properties: dict[str, Any]) -> None:
    """TTL and point-in-time recovery of the table in this region, as the template has them."""
    dynamodb, home = part("services.dynamodb"), part("core.responses").get_region()
    ttl = properties.get("TimeToLiveSpecification")
    if ttl and ttl.get("AttributeName"):
        _checked(dynamodb._update_ttl({"TableName": table, "TimeToLiveSpecification": ttl}))
    own = next((each for each in properties.get("Replicas", []) if each["Region"] == home), properties)
    recovery = own.get("PointInTimeRecoverySpecification")
    if recovery:
        request = {"TableName": table, "PointInTimeRecoverySpecification": recovery}
        _checked(dynamodb._update_continuous_backups(request))


def change_replicas(table: str, wanted: set[str], present: set[str]) -> None:
    """Creates and deletes replicas of this region's table until `wanted` are there."""
    dynamodb = part("services.dynamodb")
    updates = [{"Delete": {"RegionName": region}} for region in sorted(present - wanted)]
    updates += [{"Create": {"RegionName": region}} for region in sorted(wanted - present)]
    if updates:
        _checked(dynamodb._apply_replica_updates(table, dynamodb._tables[table], updates))


def _checked(response: Any) -> None:
    if response is not None and response[0] >= 400:
        raise TableError(response[2].decode())


def install() -> None:
    """Wraps the emulator's CloudFormation handlers of both table types."""
    handlers = part("services.cloudformation.provisioners")._RESOURCE_HANDLERS
    home = part("core.responses").get_region

    def created_completely(create: Any) -> Any:
        def create_table(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
            name, attributes = create(logical_id, props, stack_name)
            apply_settings(name, props)
            change_replicas(name, replica_regions(props, home()), set())
            return name, attributes

        return create_table

    def updated_completely(update: Any) -> Any:
        def update_table(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:
            name, attributes = update(physical_id, old, new, *rest)
            apply_settings(name, new)
            change_replicas(name, replica_regions(new, home()), replica_regions(old, home()))
            return name, attributes

        return update_table

    def deleted_completely(delete: Any) -> Any:
        def delete_table(physical_id: str, props: dict[str, Any]) -> None:
            if physical_id in part("services.dynamodb")._tables:
                change_replicas(physical_id, set(), replica_regions(props, home()))
            delete(physical_id, props)

        return delete_table

    for resource in ("AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table"):
        handler = handlers[resource]
        handlers[resource] = {
            **handler,
            "create": created_completely(handler["create"]),
            "update": updated_completely(handler["update"]),
            "delete": deleted_completely(handler["delete"]),
        }
