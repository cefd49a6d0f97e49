"""Measures the commands' calls and CPU seconds with a ledger of 200 apps and 10,000 deployments.

`python -m bench.ledger`; the table is moto's, so the CPU seconds are an upper bound: they hold moto's work,
too. DynamoDB itself reads a page of an index in milliseconds, whatever else the table has.
"""

import json
import time
from collections import Counter
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import boto3
from click.testing import CliRunner
from deployer.aws import client as aws
from deployer.aws.items import wire
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from portcall.cli import main as command_line
from portcall.cli import options
from portcall.core.target import Target, choose
from tests.templates import template
from tests.unit import full_ledger

APPS, DEPLOYMENTS, REGION = 200, 50, "eu-west-1"
WANTED = full_ledger.deployment_id(123, 7)
COMMANDS = (
    ["status"],
    ["history", "app-123"],
    ["show", "app-123"],
    ["show", WANTED[:8]],
    ["show", "ffffffff0"],
)


def measure(target: Target) -> None:
    """Print a line for each command."""
    properties = template()["Resources"]["Ledger"]["Properties"]
    kept = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    boto3.client("dynamodb", region_name=REGION).create_table(
        TableName="ledger", **{name: properties[name] for name in kept}
    )
    # Past its API, which would take minutes.
    put = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].get_table("ledger").put_item
    for item in full_ledger.items(apps=APPS, deployments=DEPLOYMENTS):
        put(wire(item))
    calls: list[str] = []
    emitter = aws.client("dynamodb").meta.events
    emitter.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    print("| | Calls | CPU seconds, moto's included |\n|---|---|---|")
    for words in COMMANDS:
        calls.clear()
        began = time.process_time()
        with patch.object(options, "choose", lambda **_: target):
            result = CliRunner().invoke(command_line.cli, [*words, "--json"])
        took = time.process_time() - began
        if result.exit_code == 0:
            json.loads(result.stdout)
        counted = ", ".join(f"{number} {name}" for name, number in Counter(calls).items())
        print(f"| portcall {' '.join(words)} | {counted} | {took:.2f} |")


def main() -> None:
    outputs = {"LedgerTableName": "ledger", "StateMachineArn": f"arn:aws:states:{REGION}:1:stateMachine:x"}
    fake = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": REGION}
    with TemporaryDirectory() as folder, mock_aws():
        stack = {"PORTCALL_STACK": "portcall", "XDG_CACHE_HOME": folder}
        with patch.dict("os.environ", fake | stack), patch.object(Target, "_look_up", _known(outputs)):
            target = choose()
            measure(target)


def _known(outputs: dict[str, str]) -> Any:
    def look_up(target: Target) -> None:
        target._outputs = outputs

    return look_up


if __name__ == "__main__":
    main()
