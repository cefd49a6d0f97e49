"""Follows the states of a deployment's execution, live."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from localcloud.processes import CloudError
from localcloud.settings import CloudSettings
from localcloud.stack import client, outputs

APPEARS_WITHIN = 15.0
LOOK_EVERY = 0.1


@dataclass(frozen=True)
class State:
    """A finished state, or the one in which the execution ended; `ok` is False if it failed."""

    name: str
    seconds: float
    ok: bool


def follow(settings: CloudSettings, *, since: float) -> Iterator[State]:
    """The states of the first execution that began after `since` (UNIX seconds), each when it ends.

    Raises CloudError if none begins.
    """
    workflow = client(settings, "stepfunctions")
    execution = _execution(settings, workflow, since)
    seen = 0
    entered: tuple[str, float] | None = None
    failed = False
    while True:
        status = workflow.describe_execution(executionArn=execution)["status"]
        events = workflow.get_execution_history(executionArn=execution, maxResults=1000)["events"]
        for event in events[seen:]:
            at = event["timestamp"].timestamp()
            if event["type"] == "ChoiceStateEntered":
                # These states do nothing that a user wants to see.
                entered = None
            elif "stateEnteredEventDetails" in event:
                entered = (event["stateEnteredEventDetails"]["name"], at)
                failed = False
            elif event["type"] == "TaskFailed":
                failed = True
            elif "stateExitedEventDetails" in event and entered:
                yield State(entered[0], at - entered[1], ok=not failed)
                entered = None
        seen = len(events)
        if status != "RUNNING":
            if entered:
                yield State(entered[0], 0.0, ok=False)
            return
        time.sleep(LOOK_EVERY)


def _execution(settings: CloudSettings, workflow: Any, since: float) -> str:
    machine = outputs(settings)["StateMachineArn"]
    deadline = time.monotonic() + APPEARS_WITHIN
    while time.monotonic() < deadline:
        found = workflow.list_executions(stateMachineArn=machine)["executions"]
        fresh = [each for each in found if each["startDate"].timestamp() >= since]
        if fresh:
            return str(min(fresh, key=lambda each: each["startDate"])["executionArn"])
        time.sleep(LOOK_EVERY)
    raise CloudError("The push started no deployment. Does its tag match TagPattern? Is the rule enabled?")
