"""Amazon DynamoDB: the calls that several modules of the ledger make."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict, Unpack

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import answer_of, client, code_of
from deployer.aws.items import Item, plain, wire
from deployer.domain.errors import AwsRefusedError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        PutItemInputTypeDef,
        TransactWriteItemTypeDef,
        UpdateItemInputTypeDef,
    )

CONDITION_FAILED = "ConditionalCheckFailedException"
RETENTION_SECONDS = 90 * 24 * 60 * 60


class Condition(TypedDict):
    """A condition of a write, with its names and values."""

    ConditionExpression: str
    ExpressionAttributeNames: NotRequired[dict[str, str]]
    ExpressionAttributeValues: NotRequired["dict[str, AttributeValueTypeDef]"]
    ReturnValuesOnConditionCheckFailure: NotRequired[Literal["ALL_OLD", "NONE"]]


def get(key: keys.Key) -> Item:
    """An item, {} if there is none."""
    answer = client("dynamodb").get_item(TableName=table.name(), Key=wire(key), ConsistentRead=True)
    return plain(answer.get("Item") or {})


def listing(partition: str) -> list[Item]:
    """The items in a partition of the index `listing`, where the latest changes may be missing."""
    pages = (
        client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=table.name(),
            IndexName=keys.LISTING,
            KeyConditionExpression="listed = :partition",
            ExpressionAttributeValues=wire({":partition": partition}),
        )
    )
    return [plain(item) for page in pages for item in page["Items"]]


def try_update(**request: "Unpack[UpdateItemInputTypeDef]") -> bool:
    """Update an item; False if the condition does not hold."""
    return _try(lambda: client("dynamodb").update_item(**request))


def try_put(**request: "Unpack[PutItemInputTypeDef]") -> bool:
    """Write a whole item; False if the condition does not hold."""
    return _try(lambda: client("dynamodb").put_item(**request))


def _try(write: Callable[[], object]) -> bool:
    try:
        write()
    except AwsRefusedError as error:
        if code_of(error) == CONDITION_FAILED:
            return False
        raise
    return True


def try_transaction(*items: "TransactWriteItemTypeDef") -> bool:
    """Write all of these or none; False if a condition does not hold, or another write is in progress."""
    try:
        client("dynamodb").transact_write_items(TransactItems=items)
    except AwsRefusedError as error:
        reasons = answer_of(error).get("CancellationReasons", [])
        if {each.get("Code") for each in reasons} & {"ConditionalCheckFailed", "TransactionConflict"}:
            return False
        raise
    return True
