"""AWS Step Functions: executions, and answers to a waiting state."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from deployer.aws.client import client, code_of
from deployer.domain.deployment import Ending as Ending
from deployer.domain.errors import AwsRefusedError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

# Errors for a second answer, or one that comes too late: no state waits for it.
NOBODY_WAITS = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")


def send_task_success(*, token: str, output: Mapping[str, object]) -> bool:
    """Wake the state that waits with `token`; False if it no longer waits."""
    return _answer(
        lambda: client("stepfunctions").send_task_success(taskToken=token, output=json.dumps(output))
    )


def send_task_failure(*, token: str, error: str, cause: str) -> bool:
    """Fail the state that waits with `token`; `error` is the name that Retry and Catch see.

    The cause has the same shape as that of a failed Lambda function, so a Catch sees only one shape.
    """
    document = json.dumps({"errorType": error, "errorMessage": cause})
    return _answer(
        lambda: client("stepfunctions").send_task_failure(taskToken=token, error=error, cause=document)
    )


def start_execution(*, machine: str, name: str, document: Mapping[str, object]) -> bool:
    """Start an execution; False if the name (at most 80 characters) was used before."""
    try:
        client("stepfunctions").start_execution(stateMachineArn=machine, name=name, input=json.dumps(document))
    except AwsRefusedError as error:
        if code_of(error) == "ExecutionAlreadyExists":
            return False
        raise
    return True


def execution_of(*, machine: str, name: str) -> str:
    """The ARN of an execution of that name."""
    return f"{machine.replace(':stateMachine:', ':execution:', 1)}:{name}"


def ending(execution: str) -> Ending | None:
    """How an execution ended, None while it runs. An unknown execution counts as ended long ago."""
    try:
        answer = client("stepfunctions").describe_execution(executionArn=execution)
    except AwsRefusedError as error:
        if code_of(error) == "ExecutionDoesNotExist":
            return Ending("GONE")
        raise
    if answer["status"] in ("RUNNING", "PENDING_REDRIVE"):
        return None
    said = (answer.get("error") or "", answer.get("cause") or "")
    return Ending(answer["status"], *said, answer["stopDate"].timestamp())


def history(execution: str) -> "list[HistoryEventTypeDef] | None":
    """The events of an execution, oldest first, without their data; None if it does not exist (any more).

    At most a thousand events: one of our executions has a hundred, unless its app takes minutes to answer.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
    """
    try:
        answer = client("stepfunctions").get_execution_history(
            executionArn=execution, maxResults=1000, includeExecutionData=False
        )
    except AwsRefusedError as error:
        if code_of(error) in ("ExecutionDoesNotExist", "InvalidArn"):
            return None
        raise
    return answer["events"]


def _answer(send: Callable[[], object]) -> bool:
    try:
        send()
    except AwsRefusedError as error:
        if code_of(error) in NOBODY_WAITS:
            return False
        raise
    return True
