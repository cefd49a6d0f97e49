"""EventBridge delivers only what roles and targets' policies allow."""

import json
import uuid
from typing import Any

import pytest

from tests.local.conftest import Cloud, eventually


def deliver(cloud: Cloud, target: dict[str, Any]) -> str:
    """Send one event to a target; return the URL of the dead-letter queue."""
    name, sqs, events = f"rule-{uuid.uuid4().hex[:8]}", cloud.client("sqs"), cloud.client("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "it", "DeadLetterConfig": {"Arn": queue}, **target}])
    events.put_events(Entries=[{"Source": name, "DetailType": "test", "Detail": "{}"}])
    return str(url)


def dead_letters(cloud: Cloud, url: str) -> list[Any]:
    return list(cloud.client("sqs").receive_message(QueueUrl=url).get("Messages", []))


@pytest.fixture(scope="module")
def workflow(cloud: Cloud) -> str:
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    answer = cloud.client("stepfunctions").create_state_machine(
        name=f"machine-{uuid.uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=cloud.role("states")
    )
    return str(answer["stateMachineArn"])


def test_a_rule_starts_an_execution_only_with_a_role_that_may(cloud: Cloud, workflow: str) -> None:
    def executions() -> int:
        return len(cloud.client("stepfunctions").list_executions(stateMachineArn=workflow)["executions"])

    allow = {"Effect": "Allow", "Action": "states:StartExecution", "Resource": workflow}
    for role in (cloud.role("events"), cloud.role("states", allow)):
        url = deliver(cloud, {"Arn": workflow, "RoleArn": role})
        assert eventually(lambda url=url: dead_letters(cloud, url))  # type: ignore[misc]
    assert executions() == 0
    url = deliver(cloud, {"Arn": workflow, "RoleArn": cloud.role("events", allow)})
    assert eventually(executions) == 1
    assert not dead_letters(cloud, url)


def test_a_rule_invokes_a_function_only_with_its_permission(cloud: Cloud) -> None:
    cloud.client("logs").create_log_group(logGroupName="invoked")
    function = cloud.function(
        "def handler(e, c):\n    print('CALLED')\n", LoggingConfig={"LogGroup": "invoked"}
    )

    def calls() -> list[Any]:
        logged = cloud.client("logs").filter_log_events(logGroupName="invoked")["events"]
        return [event for event in logged if event["message"] == "CALLED"]

    url = deliver(cloud, {"Arn": function})
    assert eventually(lambda: dead_letters(cloud, url))
    assert not calls()
    cloud.client("lambda").add_permission(
        FunctionName=function,
        StatementId="rules",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
    )
    deliver(cloud, {"Arn": function})
    assert eventually(calls)
