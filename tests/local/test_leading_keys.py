"""The condition key `dynamodb:LeadingKeys`, for items and queries of a table and its index.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import Cloud


@pytest.fixture(scope="module")
def table(cloud: Cloud) -> dict[str, str]:
    """Keyed as the ledger is."""
    made = cloud.client("dynamodb").create_table(
        TableName=f"table-{uuid.uuid4().hex[:8]}",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk", "listed")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "listing",
                "KeySchema": [
                    {"AttributeName": "listed", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return {"name": made["TableDescription"]["TableName"], "arn": made["TableDescription"]["TableArn"]}


def allowed(cloud: Cloud, table: dict[str, str], *keys: str) -> Any:
    """The API for a caller who has all permissions for these partition keys."""
    statement = {
        "Effect": "Allow",
        "Action": "dynamodb:*",
        "Resource": [table["arn"], f"{table['arn']}/index/*"],
        "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)}},
    }
    return cloud.user(statement)("dynamodb")


def of_table(client: Any, table: dict[str, str], key: str) -> None:
    client.query(
        TableName=table["name"],
        KeyConditionExpression="begins_with(sk, :begin) AND #pk = :own",
        ExpressionAttributeNames={"#pk": "pk"},
        ExpressionAttributeValues={":own": {"S": key}, ":begin": {"S": "x"}},
    )


def of_index(client: Any, table: dict[str, str], key: str) -> None:
    client.query(
        TableName=table["name"],
        IndexName="listing",
        KeyConditionExpression="listed = :listed",
        ExpressionAttributeValues={":listed": {"S": key}},
    )


def of_transaction(client: Any, table: dict[str, str], key: str) -> None:
    put = {"TableName": table["name"], "Item": {"pk": {"S": "own#2"}, "sk": {"S": "x"}}}
    check = {
        "TableName": table["name"],
        "Key": {"pk": {"S": key}, "sk": {"S": "y"}},
        "ConditionExpression": "attribute_not_exists(pk)",
    }
    client.transact_write_items(TransactItems=[{"Put": put}, {"ConditionCheck": check}])


@pytest.mark.parametrize("call", [of_table, of_index, of_transaction])
def test_a_call_is_refused_for_each_key_that_the_policy_does_not_name(
    cloud: Cloud, table: dict[str, str], call: Any
) -> None:
    client = allowed(cloud, table, "own#*", "all")
    call(client, table, "own#1")
    call(client, table, "all")
    with pytest.raises(ClientError, match="AccessDenied"):
        call(client, table, "other#1")
