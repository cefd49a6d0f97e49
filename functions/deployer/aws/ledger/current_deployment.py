"""Amazon DynamoDB: the current deployment of an app."""

import time
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Unpack

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.items import Item, wire
from deployer.aws.ledger.calls import RETENTION_SECONDS, Condition, get, try_put, try_transaction
from deployer.domain.deployment import ENDED, Current, OutcomeFacts, Pin, Stop
from deployer.domain.endpoint import StableUrl
from deployer.domain.push import Push

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import (
        ConditionCheckTypeDef,
        DeleteTypeDef,
        PutTypeDef,
        TransactWriteItemTypeDef,
        UpdateTypeDef,
    )


def current(*, app: str) -> Current | None:
    """The current deployment, None before the first."""
    item = get(keys.current(app))
    return current_of(item) if item else None


def make_current(*, push: Push, new: Current, seen: Current | None, while_tagged: bool = False) -> bool:
    """Replace the current deployment `seen` by `new`, which is of `push`.

    False if the item has changed since it was read, or the push was abandoned, or, with `while_tagged`, if its
    tag was deleted.
    """
    alive: ConditionCheckTypeDef = {
        "TableName": table.name(),
        "Key": wire(keys.deployment(push.app, keys.name_of_push(push))),
        "ConditionExpression": "attribute_not_exists(abandoned_at)",
    }
    tagged: ConditionCheckTypeDef = {
        "TableName": table.name(),
        "Key": wire(keys.tag(push.app, push.tag)),
        "ConditionExpression": "attribute_not_exists(pk) OR digest <> :nothing",
        "ExpressionAttributeValues": wire({":nothing": ""}),
    }
    checks: list[TransactWriteItemTypeDef] = [
        {"ConditionCheck": check} for check in ([alive, tagged] if while_tagged else [alive])
    ]
    return try_transaction({"Put": _replacement(push.app, new, seen)}, *checks)


def change_current(*, app: str, new: Current, seen: Current) -> bool:
    """Replace `seen` by `new`, which is of the same deployment; False if `seen` has changed."""
    return try_put(**_replacement(app, new, seen))


def end_current(*, push: Push, seen: Current, **facts: Unpack[OutcomeFacts]) -> bool:
    """Remove the current deployment, and record its end under `push`; its mail is sent afterwards.

    False if the current deployment has changed since it was read, or is gone: if several callers end an app,
    only one succeeds.
    """
    now = int(time.time())
    values = {
        "tag": push.tag,
        "digest": push.digest,
        "expires_at": now + RETENTION_SECONDS,
        "outcome": ENDED,
        "ended_at": now,
        **facts,
    }
    gone: DeleteTypeDef = {
        "TableName": table.name(),
        "Key": wire(keys.current(push.app)),
        "ConditionExpression": "version = :seen",
        "ExpressionAttributeValues": wire({":seen": seen.version}),
    }
    noted: UpdateTypeDef = {
        "TableName": table.name(),
        "Key": wire(keys.deployment(push.app, keys.name_of_push(push))),
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
        "ExpressionAttributeNames": {f"#{name}": name for name in values},
        "ExpressionAttributeValues": wire({f":{name}": value for name, value in values.items()}),
    }
    opened: UpdateTypeDef = {
        "TableName": table.name(),
        "Key": wire(keys.order(push.app)),
        "UpdateExpression": "ADD #open :this SET listed = :apps",
        "ExpressionAttributeNames": {"#open": "open"},
        "ExpressionAttributeValues": wire({":this": {keys.name_of_push(push)}, ":apps": keys.APPS}),
    }
    return try_transaction({"Delete": gone}, {"Update": noted}, {"Update": opened})


def _replacement(app: str, new: Current, seen: Current | None) -> "PutTypeDef":
    item = {**keys.current(app), **asdict(new), "version": (seen.version if seen else 0) + 1}
    return {"TableName": table.name(), "Item": wire(item), **unchanged(seen)}


def unchanged(seen: Current | None) -> Condition:
    """The condition that the item has not changed since it was read."""
    if seen is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    values = wire({":seen": seen.version})
    return {"ConditionExpression": "version = :seen", "ExpressionAttributeValues": values}


def current_of(item: Item) -> Current:
    """The deployment that an item describes."""
    known = {each.name: item[each.name] for each in fields(Current) if each.name in item}
    nested = {"last_stable_url": StableUrl, "pin": Pin, "stop": Stop}
    return Current(**known | {name: kind(**known[name]) for name, kind in nested.items() if known.get(name)})
