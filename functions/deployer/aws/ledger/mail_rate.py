"""Amazon DynamoDB: the counts of sent mails."""

import time

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import client
from deployer.aws.items import plain, wire
from deployer.aws.ledger.bounded_sets import add_member
from deployer.domain.push import Push

RETENTION_SECONDS = 24 * 60 * 60


def note_mail(*, push: Push, hour: int, kind: str, most: int) -> bool:
    """Count the mail about a push for its repository and hour; False if `most` is reached.

    `kind` is `mails`, or a kind with a lower limit. A second mail about the same push is not counted.
    """
    key = keys.mails_of_hour(push.repository, hour)
    return not add_member(key, push.deployment, {kind: most}, expires_at=int(time.time()) + RETENTION_SECONDS)


def note_test_mail(*, name: str, hour: int, most: int) -> bool:
    """Count a test email by the id of its request; False if `most` is reached in this hour."""
    expires = int(time.time()) + RETENTION_SECONDS
    return not add_member(keys.test_mails_of_hour(hour), name, {"mails": most}, expires_at=expires)


def mails_this_second() -> int:
    """Count a mail, and return the number of mails in this second, of all apps."""
    now = int(time.time())
    answer = client("dynamodb").update_item(
        TableName=table.name(),
        Key=wire(keys.mails_of_second(now)),
        UpdateExpression="SET expires_at = :expires ADD mails :one",
        ExpressionAttributeValues=wire({":one": 1, ":expires": now + 3600}),
        ReturnValues="ALL_NEW",
    )
    return int(plain(answer["Attributes"])["mails"])
