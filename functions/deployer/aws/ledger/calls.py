"""Amazon DynamoDB: the calls that several subjects of the ledger make."""

from typing import Any

from deployer.aws import ledger_keys as keys
from deployer.aws import table
from deployer.aws.client import answer_of, client, code_of
from deployer.aws.items import plain, wire
from deployer.domain.errors import AwsRefusedError

CONDITION_FAILED = "ConditionalCheckFailedException"
RETENTION_SECONDS = 90 * 24 * 60 * 60


def get(key: keys.Key) -> dict[str, Any]:
    """An item, {} if there is none."""
    answer = client("dynamodb").get_item(TableName=table.name(), Key=wire(key), ConsistentRead=True)
    return plain(answer.get("Item") or {})


def try_write(operation: str, **request: Any) -> bool:
    """Make a conditional write; False if its condition does not hold."""
    try:
        getattr(client("dynamodb"), operation)(**request)
    except AwsRefusedError as error:
        if code_of(error) == CONDITION_FAILED:
            return False
        raise
    return True


def try_transaction(*items: Any) -> bool:
    """Write all of these or none; False if a condition does not hold, or another write is in progress."""
    try:
        client("dynamodb").transact_write_items(TransactItems=items)
    except AwsRefusedError as error:
        reasons = answer_of(error).get("CancellationReasons", [])
        if {each.get("Code") for each in reasons} & {"ConditionalCheckFailed", "TransactionConflict"}:
            return False
        raise
    return True
