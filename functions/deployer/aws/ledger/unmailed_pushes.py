"""Amazon DynamoDB: an app's superseded pushes that no mail has named yet."""

from collections.abc import Sequence

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import client
from deployer.aws.items import wire
from deployer.domain.deployment import Deployment
from deployer.domain.push import Push


def add_unmailed(*, push: Push) -> None:
    """Record that a mail has to name a push; the push's outcome is recorded afterwards."""
    _change(push.app, "ADD", {keys.name_of_push(push)})


def remove_unmailed(*, app: str, deployments: Sequence[Deployment]) -> None:
    """Remove pushes that a mail has named, or that no mail needs to name."""
    if deployments:
        _change(app, "DELETE", {keys.name_of(each.time, each.deployment) for each in deployments})


def _change(app: str, change: str, names: set[str]) -> None:
    client("dynamodb").update_item(
        TableName=table.name(),
        Key=wire(keys.order(app)),
        UpdateExpression=f"{change} unmailed :these",
        ExpressionAttributeValues=wire({":these": names}),
    )
