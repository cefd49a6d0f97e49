"""Amazon DynamoDB: how many mails went out."""

import time

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import client
from deployer.aws.items import plain, wire
from deployer.aws.ledger.bounded_sets import add_member
from deployer.domain.push import Push

RETENTION_SECONDS = 24 * 60 * 60


def note_mail(*, push: Push, hour: int, kind: str, most: int) -> bool:
    """Count the mail about a push among those of its repository in an hour; False if `most` were counted.

    `kind` is `mails`, or one that comes less often. The mail of the same push is counted once.
    """
    key = keys.mails_of_hour(push.repository, hour)
    return not add_member(key, push.deployment, {kind: most}, expires_at=int(time.time()) + RETENTION_SECONDS)


def note_test_mail(*, name: str, hour: int, most: int) -> bool:
    """Count a test email by the id of its request; False if `most` were counted in this hour."""
    expires = int(time.time()) + RETENTION_SECONDS
    return not add_member(keys.test_mails_of_hour(hour), name, {"mails": most}, expires_at=expires)


def mails_this_second() -> int:
    """Count a mail, and return how many that makes in this second, of all apps."""
    now = int(time.time())
    answer = client("dynamodb").update_item(
        TableName=table.name(),
        Key=wire(keys.mails_of_second(now)),
        UpdateExpression="SET expires_at = :expires ADD mails :one",
        ExpressionAttributeValues=wire({":one": 1, ":expires": now + 3600}),
        ReturnValues="ALL_NEW",
    )
    return int(plain(answer["Attributes"])["mails"])
