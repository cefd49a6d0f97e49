"""Amazon DynamoDB: the lock that allows one sweep at a time, and the progress of the sweep."""

from dataclasses import dataclass

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import client, code_of
from deployer.aws.items import plain, wire
from deployer.aws.ledger.calls import CONDITION_FAILED, get, try_update
from deployer.domain.errors import AwsRefusedError


@dataclass(frozen=True)
class Sweep:
    """A sweep that may begin.

    `since` is since when what is watched now is watched, `previous` when the sweep before this one began (UNIX
    seconds, 0 if there was none), `after` the app that the last one came to, '' if it came
    to the end; `died` says that it did not even get round to saying so.
    """

    since: int
    previous: int
    after: str
    died: bool


def begin_sweep(*, sweep: str, now: int, until: int, watching: str = "") -> Sweep | None:
    """Begin; None while another one is at it.

    `sweep` is a name of its own, so that it may begin twice; it has until `until`. `watching` names what is
    watched: where that is not what the last sweep watched, `since` is now. Times are in UNIX seconds.
    """
    try:
        answer = client("dynamodb").update_item(
            TableName=table.name(),
            Key=wire(keys.SWEEP),
            UpdateExpression="SET sweep = :sweep, began_at = :now, busy_until = :until",
            ConditionExpression=("attribute_not_exists(busy_until) OR busy_until <= :now OR sweep = :sweep"),
            ExpressionAttributeValues=wire({":now": now, ":sweep": sweep, ":until": until}),
            ReturnValues="ALL_OLD",
        )
    except AwsRefusedError as error:
        if code_of(error) == CONDITION_FAILED:
            return None
        raise
    before = plain(answer.get("Attributes") or {})
    since = before.get("since", now) if before.get("watching") == watching else now
    if (since, watching) != (before.get("since"), before.get("watching")):
        try_update(
            TableName=table.name(),
            Key=wire(keys.SWEEP),
            UpdateExpression="SET #since = :since, watching = :watching",
            ConditionExpression="sweep = :sweep",
            ExpressionAttributeNames={"#since": "since"},
            ExpressionAttributeValues=wire({":since": since, ":watching": watching, ":sweep": sweep}),
        )
    return Sweep(
        since=since,
        previous=before.get("began_at", 0),
        after=before.get("came_to", ""),
        died="busy_until" in before and before.get("sweep") != sweep,
    )


def note_sweep(*, sweep: str, app: str) -> None:
    """Note the progress of a sweep: if it dies, the next one begins with the app after this one."""
    try_update(
        TableName=table.name(),
        Key=wire(keys.SWEEP),
        UpdateExpression="SET came_to = :app",
        ConditionExpression="sweep = :sweep",
        ExpressionAttributeValues=wire({":app": app, ":sweep": sweep}),
    )


def end_sweep(*, sweep: str, after: str) -> None:
    """Release the lock; the next sweep begins after that app. Does nothing once another sweep has begun."""
    try_update(
        TableName=table.name(),
        Key=wire(keys.SWEEP),
        UpdateExpression="SET came_to = :after REMOVE busy_until",
        ConditionExpression="sweep = :sweep",
        ExpressionAttributeValues=wire({":sweep": sweep, ":after": after}),
    )


def last_sweep() -> int:
    """When the last sweep began, in UNIX seconds; 0 if there was none."""
    return int(get(keys.SWEEP).get("began_at", 0))
