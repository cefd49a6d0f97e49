"""Amazon DynamoDB: the state of each task, and the token of the step that waits for it.

It is the item `task#<taskArn>` / `state` of the ledger's table; `expires_at` is in UNIX seconds, a day ahead.
"""

import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import client, code_of
from deployer.aws.items import Item, plain, wire
from deployer.domain.errors import AwsRefusedError, TaskStoppedError
from deployer.domain.task import Task, TaskState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, UpdateItemInputTypeDef

RETENTION_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class TaskRecord:
    """The record of one task: its last state, the waiting step's token, or both."""

    task: Task | None
    token: str


def store_token(*, task: str, token: str) -> TaskRecord:
    """Store the token of the step that waits for a task; return the whole record."""
    return _update(task, {"token": token})


def store_task(*, task: Task) -> TaskRecord | None:
    """Store the state of a task; return the whole record, or None if a newer state is stored already.

    Events come in any order and more than once. The same version is stored again, because the first call may
    have failed before it answered the waiting step.
    """
    news = {name: value for name, value in vars(task).items() if name != "arn"}
    try:
        return _update(task.arn, news, condition="attribute_not_exists(#version) OR #version <= :version")
    except AwsRefusedError as error:
        if code_of(error) == "ConditionalCheckFailedException":
            return None
        raise


def last_known(*, task: str) -> Task | None:
    """The last stored state of a task, None if there is none."""
    answer = client("dynamodb").get_item(TableName=table.name(), Key=_key(task), ConsistentRead=True)
    return _record_of(task, plain(answer.get("Item") or {})).task


def raise_if_stopped(*, task: str) -> None:
    """Raise TaskStoppedError if the stored state says that a task has stopped."""
    news = last_known(task=task)
    if news and news.state is TaskState.STOPPED:
        raise TaskStoppedError(news.why_stopped())


def _update(task: str, values: dict[str, object], condition: str = "") -> TaskRecord:
    values = {**values, "expires_at": int(time.time()) + RETENTION_SECONDS}
    request: UpdateItemInputTypeDef = {
        "TableName": table.name(),
        "Key": _key(task),
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
        "ExpressionAttributeNames": {f"#{name}": name for name in values},
        "ExpressionAttributeValues": wire({f":{name}": value for name, value in values.items()}),
        "ReturnValues": "ALL_NEW",
    }
    if condition:
        request["ConditionExpression"] = condition
    answer = client("dynamodb").update_item(**request)
    return _record_of(task, plain(answer["Attributes"]))


def _key(task: str) -> "dict[str, AttributeValueTypeDef]":
    return wire(keys.task(task))


def _record_of(task: str, item: Item) -> TaskRecord:
    known = {each.name: item[each.name] for each in fields(Task) if each.name in item}
    return TaskRecord(Task(arn=task, **known) if "version" in item else None, item.get("token", ""))
