"""Failures, callbacks and permissions of Step Functions."""

import json
import time
from typing import Any

import pytest

from tests.broken_workflows import CHANGES, broken, deployed
from tests.local.conftest import Cloud, eventually

pytestmark = pytest.mark.long(15)

RAISE = """
class NoSuchImage(Exception):
    pass

def handler(event, context):
    raise NoSuchImage("it is gone")
"""


def task(function: str, **more: Any) -> dict[str, Any]:
    payload = {"FunctionName": function, "Payload.$": "$"}
    resource = "arn:aws:states:::lambda:invoke"
    return {
        "Type": "Task",
        "Resource": resource,
        "Parameters": payload,
        "TimeoutSeconds": 20,
        "End": True,
        **more,
    }


def callback(function: str, **more: Any) -> dict[str, Any]:
    payload = {"FunctionName": function, "Payload": {"token.$": "$$.Task.Token"}}
    return task(
        function, Resource="arn:aws:states:::lambda:invoke.waitForTaskToken", Parameters=payload, **more
    )


def machine(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"StartAt": "Try", "States": {"Try": state}, **more}


def tokens(cloud: Cloud) -> list[str]:
    """The tokens that the keeper has printed so far."""
    events = cloud.client("logs").filter_log_events(logGroupName="tokens")["events"]
    return [event["message"].split()[1] for event in events if event["message"].startswith("TOKEN ")]


@pytest.fixture(scope="module")
def keeper(cloud: Cloud) -> str:
    """A function that prints its token and leaves it to others."""
    cloud.client("logs").create_log_group(logGroupName="tokens")
    source = "def handler(event, context):\n    print('TOKEN', event['token'])\n"
    return cloud.function(source, LoggingConfig={"LogGroup": "tokens"})


@pytest.fixture(scope="module")
def workflow(cloud: Cloud) -> Any:
    return cloud.client("stepfunctions")


def test_the_error_of_a_failed_function_is_its_class_name(cloud: Cloud) -> None:
    outcome = cloud.outcome(cloud.execute(machine(task(cloud.function(RAISE)))))
    assert (outcome["status"], outcome["error"]) == ("FAILED", "NoSuchImage")
    cause = json.loads(outcome["cause"])
    assert (cause["errorType"], cause["errorMessage"]) == ("NoSuchImage", "it is gone")
    assert "in handler" in cause["stackTrace"][0]
    assert cause["requestId"]


def test_a_catch_by_class_name_catches(cloud: Cloud) -> None:
    state = task(cloud.function(RAISE), Catch=[{"ErrorEquals": ["NoSuchImage"], "Next": "Fine"}])
    definition = machine(state)
    definition["States"]["Fine"] = {"Type": "Succeed"}
    assert cloud.outcome(cloud.execute(definition))["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (
            "import time\ndef handler(e, c):\n    time.sleep(9)\n",
            "Sandbox.Timedout",
            "Task timed out after 1.00 seconds",
        ),
        ("import os\ndef handler(e, c):\n    os._exit(3)\n", "Runtime.ExitError", "exit status 3"),
        ("import nowhere\n", "Runtime.ImportModuleError", "No module named 'nowhere'"),
        ("other = 1\n", "Runtime.HandlerNotFound", "Handler 'handler' missing"),
        ("def handler(e, c):\n    return object()\n", "Runtime.MarshalError", "Unable to marshal response"),
    ],
)
def test_a_failed_function_fails_the_execution_with_lambdas_error_and_message(
    cloud: Cloud, source: str, error: str, message: str
) -> None:
    outcome = cloud.outcome(cloud.execute(machine(task(cloud.function(source, Timeout=1)))))
    assert outcome["error"] == error
    assert message in json.loads(outcome["cause"])["errorMessage"]


def test_throttling_is_too_many_requests(cloud: Cloud) -> None:
    function = cloud.function("def handler(e, c):\n    return 1\n")
    cloud.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    assert cloud.outcome(cloud.execute(machine(task(function))))["error"] == "Lambda.TooManyRequestsException"


def test_a_function_that_fails_fails_its_callback_task_at_once(cloud: Cloud) -> None:
    # Otherwise the error would be the time-out of the state.
    outcome = cloud.outcome(cloud.execute(machine(callback(cloud.function(RAISE)))))
    assert (outcome["status"], outcome["error"]) == ("FAILED", "NoSuchImage")


def test_a_token_works_once(cloud: Cloud, keeper: str) -> None:
    workflow = cloud.client("stepfunctions")
    known = len(tokens(cloud))
    before = cloud.execute(machine(callback(keeper)))
    (token,) = eventually(lambda: tokens(cloud)[known:])
    workflow.send_task_success(taskToken=token, output='{"ok": true}')
    assert json.loads(cloud.outcome(before)["output"]) == {"ok": True}
    with pytest.raises(workflow.exceptions.TaskTimedOut):
        workflow.send_task_success(taskToken=token, output="{}")
    with pytest.raises(workflow.exceptions.TaskTimedOut):
        workflow.send_task_failure(taskToken=token)
    with pytest.raises(workflow.exceptions.TaskTimedOut):
        workflow.send_task_heartbeat(taskToken=token)
    with pytest.raises(workflow.exceptions.InvalidToken):
        workflow.send_task_success(taskToken="never given out", output="{}")


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
def test_each_attempt_has_a_token_of_its_own(cloud: Cloud, keeper: str, language: str) -> None:
    retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1, "IntervalSeconds": 1}]
    state = callback(keeper, TimeoutSeconds=1, Retry=retry)
    if language == "JSONata":
        del state["Parameters"]
        state["Arguments"] = {"FunctionName": keeper, "Payload": {"token": "{% $states.context.Task.Token %}"}}
    known = len(tokens(cloud))
    outcome = cloud.outcome(cloud.execute(machine(state, QueryLanguage=language)))
    assert (outcome["status"], outcome["error"]) == ("FAILED", "States.Timeout")
    # A slow function prints its token after the time-out.
    first, second = eventually(lambda: new if len(new := tokens(cloud)[known:]) == 2 else [])
    assert first != second
    workflow = cloud.client("stepfunctions")
    with pytest.raises(workflow.exceptions.TaskTimedOut):
        workflow.send_task_success(taskToken=first, output="{}")


def test_a_retry_waits_no_longer_than_max_delay_seconds(cloud: Cloud) -> None:
    retry = {"ErrorEquals": ["NoSuchImage"], "IntervalSeconds": 1, "BackoffRate": 100, "MaxDelaySeconds": 2}
    function = cloud.function(RAISE)
    started = time.monotonic()
    cloud.outcome(cloud.execute(machine(task(function, Retry=[{**retry, "MaxAttempts": 2}]))))
    # Without the limit the second pause is 100 s, and nobody waits that long for the outcome.
    assert time.monotonic() - started >= 3


def test_a_state_machine_that_takes_too_long_has_timed_out_and_stays_so(cloud: Cloud, keeper: str) -> None:
    execution = cloud.execute(machine(callback(keeper, TimeoutSeconds=2), TimeoutSeconds=1))
    assert cloud.outcome(execution)["status"] == "TIMED_OUT"
    # The time-out of its task comes later, and no longer fails the execution.
    time.sleep(1.5)
    assert cloud.outcome(execution)["status"] == "TIMED_OUT"


def test_start_execution_by_name_is_idempotent_while_it_runs(cloud: Cloud) -> None:
    workflow = cloud.client("stepfunctions")
    definition = machine({"Type": "Wait", "Seconds": 600, "End": True})
    arn = workflow.create_state_machine(
        name="named", definition=json.dumps(definition), roleArn=cloud.role("states")
    )["stateMachineArn"]
    first = workflow.start_execution(stateMachineArn=arn, name="once", input="{}")
    assert workflow.start_execution(stateMachineArn=arn, name="once", input="{}") | {"ResponseMetadata": 0} == (
        first | {"ResponseMetadata": 0}
    )
    with pytest.raises(workflow.exceptions.ExecutionAlreadyExists):
        workflow.start_execution(stateMachineArn=arn, name="once", input='{"other": 1}')
    workflow.stop_execution(executionArn=first["executionArn"])
    cloud.outcome(first["executionArn"])
    with pytest.raises(workflow.exceptions.ExecutionAlreadyExists):
        workflow.start_execution(stateMachineArn=arn, name="once", input="{}")


def test_a_role_that_may_not_invoke_the_function_fails_the_task(cloud: Cloud) -> None:
    function = cloud.function("def handler(e, c):\n    return 1\n")
    outcome = cloud.outcome(cloud.execute(machine(task(function)), role=cloud.role("states")))
    assert outcome["error"] == "Lambda.AWSLambdaException"
    assert f"is not authorized to perform: lambda:InvokeFunction on resource: {function}" in outcome["cause"]


def test_an_execution_that_is_stopped_tries_nothing_again(cloud: Cloud) -> None:
    cloud.client("logs").create_log_group(logGroupName="tries")
    source = "def handler(event, context):\n    print('TRY')\n    raise ValueError('again')\n"
    function = cloud.function(source, LoggingConfig={"LogGroup": "tries"})
    retry = {"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 9}
    execution = cloud.execute(machine(task(function, Retry=[retry])))

    def tries() -> int:
        events = cloud.client("logs").filter_log_events(logGroupName="tries")["events"]
        return sum(event["message"].startswith("TRY") for event in events)

    eventually(tries)
    cloud.client("stepfunctions").stop_execution(executionArn=execution)
    before = tries()
    time.sleep(2.5)
    # One may have begun.
    assert tries() <= before + 1


@pytest.mark.parametrize("name", CHANGES)
def test_a_broken_definition_is_refused(cloud: Cloud, workflow: Any, name: str) -> None:
    with pytest.raises(workflow.exceptions.InvalidDefinition, match="Invalid State Machine Definition: '"):
        workflow.create_state_machine(
            name="broken", definition=json.dumps(broken(name)), roleArn=f"arn:aws:iam::{cloud.account}:role/any"
        )


def test_a_state_machine_is_not_updated_to_a_broken_definition(cloud: Cloud, workflow: Any) -> None:
    arn = workflow.create_state_machine(
        name="whole", definition=json.dumps(deployed()), roleArn=cloud.role("states")
    )["stateMachineArn"]
    with pytest.raises(workflow.exceptions.InvalidDefinition):
        workflow.update_state_machine(stateMachineArn=arn, definition=json.dumps(broken("StartAt is missing")))
    assert json.loads(workflow.describe_state_machine(stateMachineArn=arn)["definition"]) == deployed()


def test_a_stack_with_a_broken_definition_is_rolled_back(cloud: Cloud) -> None:
    formation = cloud.client("cloudformation")
    properties = {
        "RoleArn": f"arn:aws:iam::{cloud.account}:role/any",
        "DefinitionString": json.dumps(broken("Next names no state")),
    }
    template = {"Resources": {"It": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}}
    formation.create_stack(StackName="broken", TemplateBody=json.dumps(template))

    def ended() -> Any:
        (stack,) = formation.describe_stacks(StackName="broken")["Stacks"]
        return stack if not stack["StackStatus"].endswith("_IN_PROGRESS") else None

    assert eventually(ended)["StackStatus"] == "ROLLBACK_COMPLETE"
    events = formation.describe_stack_events(StackName="broken")["StackEvents"]
    assert any("No state found named" in event.get("ResourceStatusReason", "") for event in events)
