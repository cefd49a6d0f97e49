"""Amazon DynamoDB: the requests of operators."""

import time
from typing import TypedDict, Unpack

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import client
from deployer.aws.items import Item, plain, wire
from deployer.aws.ledger.calls import RETENTION_SECONDS


class Request(TypedDict, total=False):
    """What an operator asks for; `at` is ISO 8601, `token` is that of the call which noted it first."""

    action: str
    at: str
    by: str
    reason: str
    token: str


def note_operation(*, app: str, name: str, **asked: Unpack[Request]) -> Item:
    """Record a request. If it comes a second time, return the first record."""
    values = {**asked, "expires_at": int(time.time()) + RETENTION_SECONDS}
    answer = client("dynamodb").update_item(
        TableName=table.name(),
        Key=wire(keys.operation(app, name)),
        UpdateExpression="SET " + ", ".join(f"#{each} = if_not_exists(#{each}, :{each})" for each in values),
        ExpressionAttributeNames={f"#{each}": each for each in values},
        ExpressionAttributeValues=wire({f":{each}": value for each, value in values.items()}),
        ReturnValues="ALL_NEW",
    )
    return plain(answer["Attributes"])


def answer_operation(*, app: str, name: str, answer: dict[str, str]) -> None:
    """Record the answer, for a request that comes a second time."""
    client("dynamodb").update_item(
        TableName=table.name(),
        Key=wire(keys.operation(app, name)),
        UpdateExpression="SET answer = :answer",
        ExpressionAttributeValues=wire({":answer": answer}),
    )


def operations(*, app: str) -> list[Item]:
    """The requests of the last 90 days, the last first: `action`, `by`, `reason`, `at` (ISO 8601)."""
    pages = (
        client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=table.name(),
            KeyConditionExpression="pk = :app AND begins_with(sk, :asked)",
            ExpressionAttributeValues=wire({":app": keys.partition(app), ":asked": keys.OPERATION}),
            ConsistentRead=True,
        )
    )
    found = [plain(item) for page in pages for item in page["Items"]]
    return sorted(found, key=lambda item: str(item["at"]), reverse=True)
