"""Amazon DynamoDB: the sequence numbers of an app's pushes, and which of them are open."""

from typing import Any

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import client
from deployer.aws.items import plain, wire
from deployer.aws.ledger.calls import Condition, get, try_update
from deployer.domain.push import Push


def next_in_order(*, push: Push, now: float, after_all: bool = False) -> int:
    """Draw the sequence number of a push of an app, and note that it is open.

    A push of a later second has a larger number, in whatever order their events come. Within a second, and
    among pushes of one tag, whose order the tag itself shows, it is the order of drawing. One that is dated
    ahead of `now` (UNIX seconds) counts as pushed now, or it would supersede all that are pushed until then.
    What somebody asks for comes `after_all` that was admitted, whatever the clocks say.
    """
    order = note_open(push)
    number = min(push.pushed_at, int(now)) * 1_000_000 + int(order["admitted"])
    if after_all:
        return int(max(number, order.get("last_number", 0) + 1, order.get("last_admitted", 0) + 1))
    return max(number, order["last_number"] + 1) if order.get("last_tag") == push.tag else number


def note_in_order(*, push: Push, sequence: int, of_tag: bool = True) -> None:
    """Note that the tag pointed to the push with this number: a later push of the tag gets a larger one.

    What goes back to an image, whatever the tag points to, is not `of_tag`: of a push of the tag that is heard
    of only afterwards, its time says whether it was later.

    A further attempt has the number of the first, and takes its place as the last deployment.
    """
    try_update(
        TableName=table.name(),
        Key=wire(keys.order(push.app)),
        UpdateExpression="SET last_number = :sequence, last_tag = :tag, last_deployment = :name",
        ConditionExpression="attribute_not_exists(last_number) OR last_number <= :sequence",
        ExpressionAttributeValues=wire(
            {":sequence": sequence, ":tag": push.tag if of_tag else "", ":name": keys.name_of_push(push)}
        ),
    )


def is_newest(*, push: Push, sequence: int) -> bool:
    """Note that the push with this number is of an app; False if one with a larger number was noted.

    Late pushes, and pushes of other artifacts, get a sequence number too, but never get here.
    """
    return try_update(
        TableName=table.name(),
        Key=wire(keys.order(push.app)),
        UpdateExpression="SET last_admitted = :sequence",
        ConditionExpression="attribute_not_exists(last_admitted) OR last_admitted <= :sequence",
        ExpressionAttributeValues=wire({":sequence": sequence}),
    )


def newest(*, app: str) -> int:
    """The largest number of a push that `is_newest` noted to be of the app; 0 if there is none."""
    return int(get(keys.order(app)).get("last_admitted", 0))


def no_more_than(noted: int) -> Condition:
    """The condition on an app's order that no deployment of it has begun since so many were noted."""
    if not noted:
        return {"ConditionExpression": "attribute_not_exists(admitted)"}
    values = wire({":noted": noted})
    return {"ConditionExpression": "admitted = :noted", "ExpressionAttributeValues": values}


def note_open(push: Push) -> dict[str, Any]:
    """Add a push to its app's open ones, draw a number, and return the item."""
    answer = client("dynamodb").update_item(
        TableName=table.name(),
        Key=wire(keys.order(push.app)),
        UpdateExpression="ADD admitted :one, #open :this SET listed = :apps",
        ExpressionAttributeNames={"#open": "open"},
        ExpressionAttributeValues=wire({":one": 1, ":this": {keys.name_of_push(push)}, ":apps": keys.APPS}),
        ReturnValues="ALL_NEW",
    )
    return plain(answer["Attributes"])
