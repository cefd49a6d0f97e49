"""Amazon DynamoDB: the list of apps."""

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import client
from deployer.aws.items import Item, wire
from deployer.aws.ledger.calls import listing, try_update


def apps() -> set[str]:
    """Every app that exists or may exist. It is read from an index, so the latest changes may be missing."""
    return {keys.app_of(str(item["pk"])) for item in listed()}


def listed() -> list[Item]:
    """The `order` item of every app."""
    return listing(keys.APPS)


def list_app(*, app: str) -> None:
    """Add an app to `apps`."""
    client("dynamodb").update_item(
        TableName=table.name(),
        Key=wire(keys.order(app)),
        UpdateExpression="SET listed = :apps",
        ExpressionAttributeValues=wire({":apps": keys.APPS}),
    )


def unlist_app(*, app: str) -> bool:
    """Remove an app from `apps`; False if a deployment of it was recorded meanwhile."""
    return try_update(
        TableName=table.name(),
        Key=wire(keys.order(app)),
        UpdateExpression="REMOVE listed",
        ConditionExpression="attribute_not_exists(#open) AND attribute_not_exists(unmailed)",
        ExpressionAttributeNames={"#open": "open"},
    )
