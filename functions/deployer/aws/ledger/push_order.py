"""Amazon DynamoDB: the sequence numbers of an app's pushes, and the list of open ones."""

from dataclasses import dataclass

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import client
from deployer.aws.items import Item, plain, wire
from deployer.aws.ledger.calls import Condition, get, try_update
from deployer.domain.push import Push


@dataclass(frozen=True)
class Drawn:
    """A push's sequence number, and the names of the app's `others` that were open when it was drawn.

    `newest` is the largest number that `is_newest` had recorded by then, 0 if there was none.
    """

    number: int
    others: frozenset[str]
    newest: int


def next_in_order(*, push: Push, now: float, after_all: bool = False) -> Drawn:
    """Draw the sequence number of a push, and record the push as open.

    A push of a later second gets a larger number, in whatever order the events arrive. Within a second, and
    among pushes of one tag (whose order the tag itself shows), it is the order of drawing. A push with a time
    after `now` (UNIX seconds) counts as pushed now; otherwise it would supersede all pushes until then. An
    operator's request comes `after_all` admitted pushes, whatever the clocks say.
    """
    order = note_open(push)
    number = min(push.pushed_at, int(now)) * 1_000_000 + int(order["admitted"])
    if after_all:
        number = max(number, order.get("last_number", 0) + 1, order.get("last_admitted", 0) + 1)
    elif order.get("last_tag") == push.tag:
        number = max(number, order["last_number"] + 1)
    others = frozenset(order["open"] - {keys.name_of_push(push)})
    return Drawn(int(number), others, int(order.get("last_admitted", 0)))


def note_in_order(*, push: Push, sequence: int, of_tag: bool = True) -> None:
    """Record that the tag pointed to the push with this number. A later push of the tag gets a larger number.

    A rollback is not `of_tag`, because it ignores where the tag points. If the event of a push of the tag
    arrives later, the push's time decides which was first.

    A retry has the number of the first attempt and replaces it as the last deployment.
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
    """Record that the push with this number is an app; False if a push with a larger number was recorded.

    Late pushes, and pushes of other artifacts, get a sequence number too, but never reach this.
    """
    return try_update(
        TableName=table.name(),
        Key=wire(keys.order(push.app)),
        UpdateExpression="SET last_admitted = :sequence",
        ConditionExpression="attribute_not_exists(last_admitted) OR last_admitted <= :sequence",
        ExpressionAttributeValues=wire({":sequence": sequence}),
    )


def newest(*, app: str) -> int:
    """The largest number that `is_newest` recorded for the app, 0 if there is none."""
    return int(get(keys.order(app)).get("last_admitted", 0))


def no_more_than(noted: int) -> Condition:
    """The condition on the item `order` that the app has no more deployments than this number."""
    if not noted:
        return {"ConditionExpression": "attribute_not_exists(admitted)"}
    values = wire({":noted": noted})
    return {"ConditionExpression": "admitted = :noted", "ExpressionAttributeValues": values}


def note_open(push: Push) -> Item:
    """Add a push to the app's open ones, draw a number, and return the item."""
    answer = client("dynamodb").update_item(
        TableName=table.name(),
        Key=wire(keys.order(push.app)),
        UpdateExpression="ADD admitted :one, #open :this SET listed = :apps",
        ExpressionAttributeNames={"#open": "open"},
        ExpressionAttributeValues=wire({":one": 1, ":this": {keys.name_of_push(push)}, ":apps": keys.APPS}),
        ReturnValues="ALL_NEW",
    )
    return plain(answer["Attributes"])
