"""Amazon DynamoDB: sets of limited size in an item."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import answer_of, client, code_of
from deployer.aws.items import plain, wire
from deployer.aws.ledger.calls import CONDITION_FAILED
from deployer.domain.errors import AwsRefusedError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import UpdateTypeDef


def add_member(key: keys.Key, member: str, most: Mapping[str, int], expires_at: int = 0) -> dict[str, set[str]]:
    """Add a member to sets of an item, all or none, in one conditional write; `most` is the limit of each set.

    An existing member keeps its place. Returns {} or, if a set is full, the members of each.
    """
    names = {f"#{number}": name for number, name in enumerate(most)}
    limits = {f":most{number}": limit for number, limit in enumerate(most.values())}
    room = " AND ".join(
        f"(attribute_not_exists({name}) OR size({name}) < {limit})"
        for name, limit in zip(names, limits, strict=True)
    )
    try:
        client("dynamodb").update_item(
            TableName=table.name(),
            Key=wire(key),
            UpdateExpression=(
                ("SET expires_at = :expires " if expires_at else "")
                + "ADD "
                + ", ".join(f"{name} :these" for name in names)
            ),
            ConditionExpression=f"contains(#0, :member) OR {room}",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=wire(
                {":these": {member}, ":member": member}
                | limits
                | ({":expires": expires_at} if expires_at else {})
            ),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except AwsRefusedError as error:
        if code_of(error) != CONDITION_FAILED:
            raise
        item = plain(answer_of(error)["Item"])
        return {name: set(item.get(name, ())) for name in most}
    return {}


def remove_member(key: keys.Key, member: str, sets: Sequence[str]) -> None:
    """Remove a member from sets of an item."""
    client("dynamodb").update_item(**without(key, member, sets))


def move_member(key: keys.Key, member: str, *, to: Sequence[str], away_from: Sequence[str]) -> None:
    """Put a member into some sets of an item, regardless of their limits, and remove it from others."""
    names = {f"#{number}": name for number, name in enumerate((*to, *away_from))}
    places = [f"{name} :these" for name in names]
    client("dynamodb").update_item(
        TableName=table.name(),
        Key=wire(key),
        UpdateExpression=f"ADD {', '.join(places[: len(to)])} DELETE {', '.join(places[len(to) :])}",
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=wire({":these": {member}}),
    )


def without(key: keys.Key, member: str, sets: Sequence[str]) -> "UpdateTypeDef":
    """The update that removes a member from sets of an item."""
    names = {f"#{number}": name for number, name in enumerate(sets)}
    return {
        "TableName": table.name(),
        "Key": wire(key),
        "UpdateExpression": "DELETE " + ", ".join(f"{name} :these" for name in names),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": wire({":these": {member}}),
    }
