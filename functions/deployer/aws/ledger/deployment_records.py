"""Amazon DynamoDB: each push and restart, with its outcome."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Unpack

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import client, code_of
from deployer.aws.items import Item, plain, wire
from deployer.aws.ledger.calls import CONDITION_FAILED, RETENTION_SECONDS, get, listing, try_transaction
from deployer.aws.ledger.push_order import note_open
from deployer.aws.ledger.slots import note_ended
from deployer.domain.deployment import RECORDED, Current, Deployment, Outcome, OutcomeFacts
from deployer.domain.document import Restart, Retry
from deployer.domain.errors import AwsRefusedError
from deployer.domain.push import Push

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import ConditionCheckTypeDef, UpdateItemInputTypeDef, UpdateTypeDef


def name_app(*, push: Push) -> str:
    """Record the app of a push, unless one is recorded already; return the recorded one."""
    answer = client("dynamodb").update_item(
        TableName=table.name(),
        Key=wire(keys.app_of_push(push)),
        UpdateExpression="SET app = if_not_exists(app, :app), expires_at = :expires",
        ExpressionAttributeValues=wire({":app": push.app, ":expires": int(time.time()) + RETENTION_SECONDS}),
        ReturnValues="ALL_NEW",
    )
    return str(plain(answer["Attributes"])["app"])


def claim(
    *,
    push: Push,
    execution: str,
    sequence: int,
    restart: Restart | None = None,
    retry: Retry | None = None,
    asked: Mapping[str, object] | None = None,
) -> int | None:
    """Record that `execution` handles this push and return its number; None if another one does already.

    The same execution may claim a push again, since any step may run twice; it keeps its number.
    """
    now = int(time.time())
    values = {
        "execution": execution,
        "tag": push.tag,
        "digest": push.digest,
        "sequence": sequence,
        "began_at": now,
        "expires_at": now + RETENTION_SECONDS,
        **({"restart": restart} if restart else {}),
        **({"retry": retry} if retry else {}),
        **({"asked": asked} if asked else {}),
    }
    condition = "attribute_not_exists(pk) OR #execution = :execution"
    try:
        return int(_update(push, values, condition, keep=("sequence", "began_at"))["sequence"])
    except AwsRefusedError as error:
        if code_of(error) == CONDITION_FAILED:
            return None
        raise


def record(*, push: Push, outcome: Outcome, **facts: Unpack[OutcomeFacts]) -> bool:
    """Record the outcome of a push; return whether its mail is still to be sent.

    If the push already has another outcome, it keeps that one, and no mail is to be sent.
    """
    now = int(time.time())
    values = {
        # If the push was not claimed, the ledger has nothing else about it.
        "tag": push.tag,
        "digest": push.digest,
        "expires_at": now + RETENTION_SECONDS,
        "outcome": outcome,
        "ended_at": now,
        **facts,
    }
    try:
        item = _update(push, values, "attribute_not_exists(#outcome) OR #outcome = :outcome")
    except AwsRefusedError as error:
        if code_of(error) != CONDITION_FAILED:
            raise
        item = None
    # After the outcome is written: a step that takes the place later sees the outcome and frees the place.
    note_ended(push=push)
    return item is not None and "notified_at" not in item


def record_push(*, push: Push, seen: Current, reason: str) -> bool:
    """Set the outcome *recorded, not deployed* for a push; its mail is still to be sent.

    False if the current deployment has changed since it was read, or the push has another outcome.
    """
    now = int(time.time())
    note_ended(push=push)
    values = {
        "tag": push.tag,
        "digest": push.digest,
        "listed": keys.listed_by_id(push.deployment),
        "expires_at": now + RETENTION_SECONDS,
        "outcome": RECORDED,
        "ended_at": now,
        "reason": reason,
    }
    recorded: UpdateTypeDef = {
        "TableName": table.name(),
        "Key": wire(keys.deployment(push.app, keys.name_of_push(push))),
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
        "ConditionExpression": "attribute_not_exists(#outcome) OR #outcome = :outcome",
        "ExpressionAttributeNames": {f"#{name}": name for name in values},
        "ExpressionAttributeValues": wire({f":{name}": value for name, value in values.items()}),
    }
    unchanged: ConditionCheckTypeDef = {
        "TableName": table.name(),
        "Key": wire(keys.current(push.app)),
        "ConditionExpression": "version = :seen",
        "ExpressionAttributeValues": wire({":seen": seen.version}),
    }
    return try_transaction({"Update": recorded}, {"ConditionCheck": unchanged})


def mark_notified(*, push: Push) -> None:
    """Record that the mail about a push's outcome was sent."""
    _update(push, {"notified_at": int(time.time())})


def abandon(*, push: Push) -> None:
    """Make sure that this deployment can no longer become current, even if one of its steps still runs."""
    # It may not have been admitted, but the sweep must see it.
    note_open(push)
    _update(push, {"abandoned_at": int(time.time()), "tag": push.tag, "digest": push.digest})


def deployments(*, app: str, most: int = 50) -> list[Deployment]:
    """The last deployments of an app, newest first."""
    # A page has at most a megabyte, which may hold fewer than `most`.
    pages = (
        client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=table.name(),
            KeyConditionExpression="pk = :app AND begins_with(sk, :deployment)",
            ExpressionAttributeValues=wire({":app": keys.partition(app), ":deployment": keys.DEPLOYMENT}),
            ScanIndexForward=False,
            ConsistentRead=True,
            PaginationConfig={"MaxItems": most, "PageSize": min(most, 100)},
        )
    )
    found = [known(plain(item)) for page in pages for item in page["Items"]]
    # The keys of two pushes in one second are in no order.
    return sorted(found, key=lambda each: each.order, reverse=True)


def deployment(*, app: str, time: str, name: str) -> Deployment | None:
    """One deployment of an app, None if there is none; `time` is its push's."""
    item = get(keys.deployment(app, keys.name_of(time, name)))
    return known(item) if item else None


def find(*, name: str) -> list[tuple[str, Deployment]]:
    """The deployments whose ids begin with `name`, each with its app.

    `name` needs at least four characters of the id, after `restart-` or a similar prefix if there is one. It is
    read from an index, so the latest changes may be missing.
    """
    found = listing(keys.listed_by_id(name))
    deployments = ((keys.app_of(str(item["pk"])), known(item)) for item in found)
    return [(app, each) for app, each in deployments if each.deployment.startswith(name)]


def close(*, app: str, deployments: Sequence[Deployment]) -> None:
    """Remove deployments whose mails were sent from the list of open ones."""
    _close(app, {keys.name_of(each.time, each.deployment) for each in deployments})


def close_push(*, push: Push) -> None:
    """Remove a push that has its outcome, and whose mail is out, from the list of open ones."""
    _close(push.app, {keys.name_of_push(push)})


def _close(app: str, names: set[str]) -> None:
    client("dynamodb").update_item(
        TableName=table.name(),
        Key=wire(keys.order(app)),
        UpdateExpression="DELETE #open :these",
        ExpressionAttributeNames={"#open": "open"},
        ExpressionAttributeValues=wire({":these": names}),
    )


def _update(push: Push, values: dict[str, object], condition: str = "", keep: Collection[str] = ()) -> Item:
    """Set values, but those in `keep` only if they are missing; return the whole item."""
    values = {**values, "listed": keys.listed_by_id(push.deployment)}
    new = {name: f"if_not_exists(#{name}, :{name})" if name in keep else f":{name}" for name in values}
    request: UpdateItemInputTypeDef = {
        "TableName": table.name(),
        "Key": wire(keys.deployment(push.app, keys.name_of_push(push))),
        "UpdateExpression": "SET " + ", ".join(f"#{name} = {value}" for name, value in new.items()),
        "ExpressionAttributeNames": {f"#{name}": name for name in values},
        "ExpressionAttributeValues": wire({f":{name}": value for name, value in values.items()}),
        "ReturnValues": "ALL_NEW",
    }
    if condition:
        request["ConditionExpression"] = condition
    answer = client("dynamodb").update_item(**request)
    return plain(answer["Attributes"])


def known(item: Item) -> Deployment:
    """The deployment that an item describes."""
    at, deployment = keys.time_and_deployment(item["sk"])
    # A push that AdmitPush could not claim has an outcome and nothing else.
    facts = {each.name: item[each.name] for each in fields(Deployment) if each.name in item}
    return Deployment(deployment=deployment, time=at, **facts)
