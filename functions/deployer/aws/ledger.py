"""Amazon DynamoDB: the ledger. One table, `pk` and `sk`; `expires_at` is in UNIX seconds.

`app#<app>` / `current`                       the deployment that serves; stays
`app#<app>` / `order`                         how many numbers were drawn, and the largest admitted; stays
`app#<app>` / `deployment#<time>#<event id>`  one push and what became of it; kept for 90 days
`mails#<second>` / `sent`                     how many mails went out in that second; kept for an hour
`sweep`     / `first`                         when the first sweep was; stays
"""

import time
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from deployer.aws.client import client, code_of, errors_as_ours
from deployer.aws.items import plain, wire
from deployer.domain.endpoint import Address
from deployer.domain.errors import AwsRefusedError
from deployer.domain.push import Push

CONDITION_FAILED = "ConditionalCheckFailedException"
KEEP = 90 * 24 * 60 * 60


@dataclass(frozen=True)
class Current:
    """The deployment of an app that serves.

    `url` is what people are told: that of `address`, which stays, or else `direct_url`, which is the task's
    own. `digest` is what runs, `image` what ReadImage found in it, from which a restart starts, `previous` the
    digest that ran before it. `sequence` orders an app's deployments: a larger one was pushed later.
    `retired` are the tasks of earlier ones that have yet to be stopped. `healing` is the task whose stop is
    being made up for, `crashes` when the app crashed lately (UNIX seconds), `attempts` how many restarts have
    come to nothing; `halted` says why it is not started again. `version` counts the changes of the item.
    """

    deployment: str
    sequence: int
    task: str
    url: str
    digest: str
    tag: str
    revision: str
    since: str
    direct_url: str = ""
    address: Address | None = None
    image: dict[str, Any] = field(default_factory=dict)
    previous: str = ""
    retired: list[str] = field(default_factory=list)
    healing: str = ""
    crashes: list[int] = field(default_factory=list)
    attempts: int = 0
    halted: str = ""
    version: int = 0


@dataclass(frozen=True)
class Deployment:
    """One push or restart, as the ledger has it; `outcome` is '' while it is open."""

    deployment: str
    time: str
    tag: str
    digest: str
    execution: str
    outcome: str


def claim(*, table: str, push: Push, execution: str) -> bool:
    """Note that `execution` deals with this push; False if another does already.

    The same execution may claim a push again, since any step may run twice.
    """
    item = {
        **_deployment(push),
        "execution": execution,
        "tag": push.tag,
        "digest": push.digest,
        "expires_at": int(time.time()) + KEEP,
    }
    return _unless_refused(
        "put_item",
        TableName=table,
        Item=wire(item),
        ConditionExpression="attribute_not_exists(pk) OR execution = :mine",
        ExpressionAttributeValues=wire({":mine": execution}),
    )


def next_in_order(*, table: str, app: str) -> int:
    """The number of a push among those of its app, from one on."""
    with errors_as_ours():
        answer = client("dynamodb").update_item(
            TableName=table,
            Key=wire({"pk": f"app#{app}", "sk": "order"}),
            UpdateExpression="ADD admitted :one",
            ExpressionAttributeValues=wire({":one": 1}),
            ReturnValues="UPDATED_NEW",
        )
    return int(plain(answer["Attributes"])["admitted"])


def is_newest(*, table: str, app: str, sequence: int) -> bool:
    """Note that the push with this number is of an app; False if one with a larger number was noted.

    A push that came too late, or of what is no app, draws a number too, but never gets here.
    """
    return _unless_refused(
        "update_item",
        TableName=table,
        Key=wire({"pk": f"app#{app}", "sk": "order"}),
        UpdateExpression="SET last_admitted = :sequence",
        ConditionExpression="attribute_not_exists(last_admitted) OR last_admitted <= :sequence",
        ExpressionAttributeValues=wire({":sequence": sequence}),
    )


def current(*, table: str, app: str) -> Current | None:
    """The deployment that serves, None before the first."""
    item = _get(table, f"app#{app}", "current")
    return _current(item) if item else None


def make_current(*, table: str, app: str, new: Current, seen: Current | None) -> bool:
    """Put `new` in the place of `seen`; False if somebody else has changed the item since it was seen."""
    item = {
        "pk": f"app#{app}",
        "sk": "current",
        **asdict(new),
        "version": (seen.version if seen else 0) + 1,
    }
    unchanged = "version = :seen" if seen else "attribute_not_exists(pk)"
    return _unless_refused(
        "put_item",
        TableName=table,
        Item=wire(item),
        ConditionExpression=unchanged,
        **({"ExpressionAttributeValues": wire({":seen": seen.version})} if seen else {}),
    )


def record(*, table: str, push: Push, outcome: str, **facts: Any) -> bool:
    """Write the outcome of a push; return whether it is still to be told.

    A push that has another outcome already keeps that, and this one is not to be told.
    """
    now = int(time.time())
    values = {
        # Where the push could not even be claimed, this is all that the ledger will know of it.
        "tag": push.tag,
        "digest": push.digest,
        "expires_at": now + KEEP,
        "outcome": outcome,
        "ended_at": now,
        **facts,
    }
    try:
        item = _update(table, push, values, "attribute_not_exists(#outcome) OR #outcome = :outcome")
    except AwsRefusedError as error:
        if code_of(error) == CONDITION_FAILED:
            return False
        raise
    return "told_at" not in item


def mails_this_second(*, table: str) -> int:
    """Count a mail, and return how many that makes in this second, of all apps."""
    now = int(time.time())
    with errors_as_ours():
        answer = client("dynamodb").update_item(
            TableName=table,
            Key=wire({"pk": f"mails#{now}", "sk": "sent"}),
            UpdateExpression="SET expires_at = :expires ADD mails :one",
            ExpressionAttributeValues=wire({":one": 1, ":expires": now + 3600}),
            ReturnValues="ALL_NEW",
        )
    return int(plain(answer["Attributes"])["mails"])


def mark_told(*, table: str, push: Push) -> None:
    """Note that everybody knows the outcome of a push."""
    _update(table, push, {"told_at": int(time.time())})


def _update(table: str, push: Push, values: dict[str, Any], condition: str = "") -> dict[str, Any]:
    with errors_as_ours():
        answer = client("dynamodb").update_item(
            TableName=table,
            Key=wire(_deployment(push)),
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues=wire({f":{name}": value for name, value in values.items()}),
            ReturnValues="ALL_NEW",
            **({"ConditionExpression": condition} if condition else {}),
        )
    return plain(answer["Attributes"])


def deployments(*, table: str, app: str, most: int = 50) -> list[Deployment]:
    """The last deployments of an app, newest first."""
    with errors_as_ours():
        answer = client("dynamodb").query(
            TableName=table,
            KeyConditionExpression="pk = :app AND begins_with(sk, :deployment)",
            ExpressionAttributeValues=wire({":app": f"app#{app}", ":deployment": "deployment#"}),
            ScanIndexForward=False,
            Limit=most,
            ConsistentRead=True,
        )
    found = []
    for item in map(plain, answer["Items"]):
        _, at, deployment = item["sk"].split("#", 2)
        # A push that AdmitPush could not claim has an outcome, but no more than that.
        facts = {name: item.get(name, "") for name in ("tag", "digest", "execution", "outcome")}
        found.append(Deployment(deployment, at, **facts))
    return found


def first_sweep(*, table: str, now: int) -> int:
    """When the first sweep was, in UNIX seconds, which is now if this is it."""
    with errors_as_ours():
        answer = client("dynamodb").update_item(
            TableName=table,
            Key=wire({"pk": "sweep", "sk": "first"}),
            UpdateExpression="SET swept_at = if_not_exists(swept_at, :now)",
            ExpressionAttributeValues=wire({":now": now}),
            ReturnValues="ALL_NEW",
        )
    return int(plain(answer["Attributes"])["swept_at"])


def _deployment(push: Push) -> dict[str, str]:
    return {"pk": f"app#{push.app}", "sk": f"deployment#{push.time}#{push.deployment}"}


def _get(table: str, pk: str, sk: str) -> dict[str, Any]:
    with errors_as_ours():
        answer = client("dynamodb").get_item(
            TableName=table, Key=wire({"pk": pk, "sk": sk}), ConsistentRead=True
        )
    return plain(answer.get("Item") or {})


def _current(item: dict[str, Any]) -> Current:
    known = {each.name: item[each.name] for each in fields(Current) if each.name in item}
    return Current(**known | {"address": Address(**known["address"]) if known.get("address") else None})


def _unless_refused(operation: str, **request: Any) -> bool:
    """Call; False if the request's condition does not hold."""
    try:
        with errors_as_ours():
            getattr(client("dynamodb"), operation)(**request)
    except AwsRefusedError as error:
        if code_of(error) == CONDITION_FAILED:
            return False
        raise
    return True
