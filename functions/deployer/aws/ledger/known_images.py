"""Amazon DynamoDB: which deployment handles an image of an app, and the tags of that image."""

import time
from dataclasses import asdict, fields

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.items import wire
from deployer.aws.ledger.calls import RETENTION_SECONDS, get, try_update
from deployer.domain.push import Push
from deployer.domain.same_image import KnownImage


def image(*, app: str, digest: str) -> KnownImage | None:
    """The record of an image, None if it is new."""
    item = get(keys.image(app, digest))
    return KnownImage(**{each.name: item[each.name] for each in fields(KnownImage)}) if item else None


def put_image(*, push: Push, new: KnownImage, seen: KnownImage | None) -> bool:
    """Replace the image's record `seen` by `new`; False if it has changed."""
    values = asdict(new) | {"version": new.version + 1, "expires_at": int(time.time()) + RETENTION_SECONDS}
    return try_update(
        TableName=table.name(),
        Key=wire(keys.image(push.app, push.digest)),
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ConditionExpression="#version = :seen" if seen else "attribute_not_exists(pk)",
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues=wire(
            {f":{name}": value for name, value in values.items()} | ({":seen": seen.version} if seen else {})
        ),
    )
