"""Amazon DynamoDB: where an app's tags pointed, and which deployment handles that."""

import time
from typing import Any

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import answer_of, client, code_of
from deployer.aws.items import plain, wire
from deployer.aws.ledger.calls import CONDITION_FAILED, RETENTION_SECONDS, get, try_update
from deployer.domain.deployment import KnownTag
from deployer.domain.errors import AwsRefusedError
from deployer.domain.push import Push


def tags(*, app: str) -> dict[str, KnownTag]:
    """What is known of an app's tags."""
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
    """What is known of one tag."""
    item = get(keys.tag(app, tag))
    return _known_tag(item) if item else None


def claim_tag(*, push: Push, as_of: int = 0, instead_of: str = "", seen: bool = True) -> str:
    """Record that the tag points to what was pushed, and that this deployment handles it.

    `as_of` is when that was `seen` (UNIX seconds), or the push's own time. What was not seen to be so counts
    only where nothing later is known. Returns '', or the deployment that deals with this very push already; in
    place of `instead_of`, an attempt before it, or of nobody, this one may.
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

    False if a push of it has been noted since it was `seen`. Which deployment deals with a digest stays.
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


def _known_tag(item: dict[str, Any]) -> KnownTag:
    return KnownTag(item["digest"], item["as_of"], item["deployment"])
