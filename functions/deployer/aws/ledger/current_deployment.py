"""Amazon DynamoDB: the deployment of an app that serves."""

from dataclasses import asdict, fields
from typing import Any

from deployer.aws import ledger_keys as keys
from deployer.aws.items import wire
from deployer.aws.ledger.calls import get, unless_cancelled, unless_refused
from deployer.domain.deployment import Current
from deployer.domain.endpoint import Address
from deployer.domain.push import Push


def current(*, table: str, app: str) -> Current | None:
    """The deployment that serves, None before the first."""
    item = get(table, keys.current(app))
    return current_of(item) if item else None


def make_current(*, table: str, push: Push, new: Current, seen: Current | None) -> bool:
    """Put `new`, which is of `push`, in the place of `seen`.

    False if somebody else has changed the item since it was seen, or the push was given up.
    """
    alive = {
        "TableName": table,
        "Key": wire(keys.deployment(push.app, keys.name_of_push(push))),
        "ConditionExpression": "attribute_not_exists(given_up_at)",
    }
    return unless_cancelled({"Put": _replacement(table, push.app, new, seen)}, {"ConditionCheck": alive})


def change_current(*, table: str, app: str, new: Current, seen: Current) -> bool:
    """Put `new`, which is of the same deployment, in the place of `seen`; False if that has changed."""
    return unless_refused("put_item", **_replacement(table, app, new, seen))


def forget(*, table: str, app: str, seen: Current) -> bool:
    """Take away what is current; False if somebody else has changed it since it was seen."""
    return unless_refused(
        "delete_item",
        TableName=table,
        Key=wire(keys.current(app)),
        ConditionExpression="attribute_not_exists(pk) OR version = :seen",
        ExpressionAttributeValues=wire({":seen": seen.version}),
    )


def _replacement(table: str, app: str, new: Current, seen: Current | None) -> dict[str, Any]:
    item = {**keys.current(app), **asdict(new), "version": (seen.version if seen else 0) + 1}
    return {"TableName": table, "Item": wire(item), **unchanged(seen)}


def unchanged(seen: Current | None) -> dict[str, Any]:
    """The condition that the item is still as it was seen."""
    if seen is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    values = wire({":seen": seen.version})
    return {"ConditionExpression": "version = :seen", "ExpressionAttributeValues": values}


def current_of(item: dict[str, Any]) -> Current:
    """The deployment that an item describes."""
    known = {each.name: item[each.name] for each in fields(Current) if each.name in item}
    address = known.get("address")
    return Current(**known | {"address": Address(address["api"], address["url"]) if address else None})
