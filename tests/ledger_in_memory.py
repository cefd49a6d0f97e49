"""The ledger's table in memory, below botocore's real client of DynamoDB.

The client builds and checks each request, then asks here instead of sending it: with moto below it two thirds of
each test were moto's. `tests/unit/test_explorer_table.py` holds that the two answer alike.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.hooks import BaseEventHooks
from botocore.useragent import UserAgentString

from tests.explorer.dynamodb import Table

IN_THE_FUTURE = 4_000_000_000.0
# What the table heeds of a request, or need not: it is one table, always consistent.
UNDERSTOOD = {
    "TableName",
    "Key",
    "Item",
    "ConsistentRead",
    "ConditionExpression",
    "UpdateExpression",
    "KeyConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "IndexName",
    "ScanIndexForward",
    "ExclusiveStartKey",
    "RequestItems",
    "Limit",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
    "TransactItems",
    "ClientRequestToken",
}


@contextmanager
def in_memory(events: BaseEventHooks) -> Iterator[Table]:
    """Meanwhile, clients of the session with these events ask this table, and no other service."""
    table, one_at_a_time = Table(), threading.Lock()
    # Each sweep is later, except where a test says so: the install is as old as its first sweep.
    table.created_at = IN_THE_FUTURE

    def answer(model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        assert model.service_model.service_name == "dynamodb", f"nobody plays {model.name}"
        request = json.loads(params["body"])
        assert set(request) <= UNDERSTOOD, request
        operation = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", model.name).lower()
        with one_at_a_time:
            return SimpleNamespace(status_code=200), getattr(table, operation)(**request)

    events.register_last("before-call", answer, unique_id="in memory")
    try:
        # Nobody reads these, and botocore makes them again for each request: an eighth of each test.
        nowhere = ("https://aws.example", {}, {})
        with (
            patch.object(UserAgentString, "to_string", lambda _: "tests"),
            patch.object(BaseClient, "_resolve_endpoint_ruleset", lambda *_, **__: nowhere),
        ):
            yield table
    finally:
        events.unregister("before-call", unique_id="in memory")
