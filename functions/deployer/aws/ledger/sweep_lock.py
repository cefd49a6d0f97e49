"""Amazon DynamoDB: the lock that allows one sweep at a time, and the progress of the sweep."""

from dataclasses import dataclass

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import client, code_of
from deployer.aws.items import Item, plain, wire
from deployer.aws.ledger.calls import CONDITION_FAILED, get, try_update
from deployer.domain.errors import AwsRefusedError, PermanentError


@dataclass(frozen=True)
class Sweep:
    """A sweep that has the lock.

    `since` is since when the current parameters have been in force, and `previous` when the last sweep began
    (UNIX seconds, 0 if there was none). `after` is the last app that the last sweep handled, '' if it handled
    all; `died` says that it did not finish.
    """

    since: int
    previous: int
    after: str
    died: bool


def begin_sweep(*, sweep: str, now: int, until: int, watching: str = "") -> Sweep | None:
    """Take the lock; None if another sweep has it.

    `sweep` is a unique name, so that the call may be repeated; the lock expires at `until`. `watching` are the
    parameters that decide what is watched: if they have changed since the last sweep, `since` is now. For the
    first sweep it is when the stack was installed. Times are in UNIX seconds.
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
    since = _since(before, watching, now)
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


def _since(before: Item, watching: str, now: int) -> int:
    if "since" not in before:
        return min(_created_at(now), now)
    return int(before["since"]) if before["watching"] == watching else now


def _created_at(now: int) -> int:
    """When the table was created, early in the install; `now` if AWS refuses to say."""
    try:
        described = client("dynamodb").describe_table(TableName=table.name())
    except PermanentError:
        # The rest of the sweep does not depend on it.
        return now
    return int(described["Table"]["CreationDateTime"].timestamp())


def note_sweep(*, sweep: str, app: str) -> None:
    """Record the progress of a sweep. If it times out, the next one begins with the app after this one."""
    try_update(
        TableName=table.name(),
        Key=wire(keys.SWEEP),
        UpdateExpression="SET came_to = :app",
        ConditionExpression="sweep = :sweep",
        ExpressionAttributeValues=wire({":app": app, ":sweep": sweep}),
    )


def end_sweep(*, sweep: str, after: str) -> None:
    """Release the lock; the next sweep begins after that app. Does nothing if another sweep has the lock."""
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
