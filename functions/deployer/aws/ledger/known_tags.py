"""Amazon DynamoDB: the digests of an app's tags, and which deployment handles each."""

import time

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import answer_of, client, code_of
from deployer.aws.items import Item, plain, wire
from deployer.aws.ledger.calls import CONDITION_FAILED, RETENTION_SECONDS, get, try_update
from deployer.domain.deployment import KnownTag
from deployer.domain.errors import AwsRefusedError
from deployer.domain.push import Push


def tags(*, app: str) -> dict[str, KnownTag]:
    """The records of an app's tags."""
    pages = (
        client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=table.name(),
            KeyConditionExpression="pk = :app AND begins_with(sk, :tag)",
            ExpressionAttributeValues=wire({":app": keys.partition(app), ":tag": keys.TAG}),
            ConsistentRead=True,
        )
    )
    items = [plain(item) for page in pages for item in page["Items"]]
    return {keys.tag_of(item["sk"]): _known_tag(item) for item in items}


def tag(*, app: str, tag: str) -> KnownTag | None:
    """The record of one tag."""
    item = get(keys.tag(app, tag))
    return _known_tag(item) if item else None


def claim_tag(*, push: Push, as_of: int = 0, instead_of: str = "", seen: bool = True) -> str:
    """Record that the tag points to the pushed digest, and that this deployment handles it.

    `as_of` is when the tag was `seen` to point there (UNIX seconds), or the push's own time. If it was not
    seen, this counts only if the record has nothing later. Returns '', or the deployment that already handles
    this push. `instead_of` is an earlier attempt, which this deployment may replace.
    """
    now = int(time.time())
    pushed_at = min(push.pushed_at, now)
    try:
        client("dynamodb").update_item(
            TableName=table.name(),
            Key=wire(keys.tag(push.app, push.tag)),
            UpdateExpression=(
                "SET digest = :digest, as_of = :as_of, deployment = :this, expires_at = :expires"
            ),
            ConditionExpression=(
                "attribute_not_exists(pk) OR as_of < :pushed_at OR deployment = :this"
                + (" OR deployment IN (:before, :nobody) OR digest <> :digest" if seen else "")
            ),
            ExpressionAttributeValues=wire(
                {
                    ":digest": push.digest,
                    ":as_of": max(as_of, pushed_at),
                    ":pushed_at": pushed_at,
                    ":this": push.deployment,
                    ":expires": now + RETENTION_SECONDS,
                }
                | ({":before": instead_of, ":nobody": ""} if seen else {})
            ),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except AwsRefusedError as error:
        if code_of(error) != CONDITION_FAILED:
            raise
        return str(plain(answer_of(error)["Item"])["deployment"])
    return ""


def record_tag(*, app: str, tag: str, digest: str, as_of: int, seen: KnownTag | None) -> bool:
    """Record where a tag points ('' for nowhere), without a deployment.

    False if a push of it was recorded since it was `seen`. The deployment of a digest is kept.
    """
    values = {":digest": digest, ":as_of": as_of, ":expires": int(time.time()) + RETENTION_SECONDS}
    change = "SET digest = :digest, as_of = :as_of, expires_at = :expires"
    if not (seen and seen.digest == digest):
        change, values = f"{change}, deployment = :none", values | {":none": ""}
    return try_update(
        TableName=table.name(),
        Key=wire(keys.tag(app, tag)),
        UpdateExpression=change,
        ConditionExpression="as_of = :seen AND digest = :before" if seen else "attribute_not_exists(pk)",
        ExpressionAttributeValues=wire(
            values | ({":seen": seen.as_of, ":before": seen.digest} if seen else {})
        ),
    )


def _known_tag(item: Item) -> KnownTag:
    return KnownTag(item["digest"], item["as_of"], item["deployment"])
