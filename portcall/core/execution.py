"""The steps of an execution, from its history."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from deployer.aws import step_functions
from deployer.domain.errors import AccessDeniedError

from portcall.core.target import Target

# What each step does. End states are left out: they take no time.
SAID = {
    "AdmitPush": "Take the push",
    "ReadImage": "Read the image",
    "CheckFindings": "Check ECR's scan",
    "IgnorePush": "Ignore a push that is not an app",
    "RecordPush": "Record the push without deploying it",
    "RegisterTaskDefinition": "Register the task definition",
    "RunTask": "Start the task",
    "WaitForRunning": "Wait until it runs",
    "ResolvePublicIp": "Find its address",
    "CheckHealth": "Check whether it answers",
    "ReadLog": "Read its log",
    "SwitchOver": "Take over",
    "CheckStableUrl": "Wait for the stable URL to reach it",
    "StopPrevious": "Stop the previous version",
    "PublishUrl": "Mail the URL",
    "RollBack": "Roll back",
}
# The steps of a successful push, in order.
PATH_TO_LIVE = (
    "AdmitPush",
    "ReadImage",
    "RegisterTaskDefinition",
    "RunTask",
    "WaitForRunning",
    "ResolvePublicIp",
    "CheckHealth",
    "SwitchOver",
    "PublishUrl",
)

# The states after a failed step.
FAILED = ("RollBack", "RollBackFailed")
# Steps that are needed before another one, which finds out that they have not run.
FIRST = ("CheckFindings", "CheckStableUrl")


@dataclass(frozen=True)
class Step:
    """A step of the workflow; times are in UNIX seconds, `ended` is 0 while it runs.

    A step that runs again, as CheckHealth may, is one step with more `attempts`.
    """

    name: str
    began: float = 0.0
    ended: float = 0.0
    attempts: int = 0
    failed: bool = False

    @property
    def said(self) -> str:
        """What it does, in words."""
        return SAID.get(self.name, self.name)

    @property
    def running(self) -> bool:
        """Whether this step is running."""
        return bool(self.began and not self.ended)

    @property
    def seconds(self) -> float:
        """How long it took, 0 while it runs."""
        return max(0.0, self.ended - self.began) if self.ended else 0.0


def steps(target: Target, execution: str) -> list[Step] | None:
    """The steps so far, in order; None if the history is gone or not allowed. Raises Trouble."""

    def ask(_: dict[str, str]) -> list[Step] | None:
        try:
            events = step_functions.history(execution)
        except AccessDeniedError:
            return None
        return None if events is None else steps_of(events)

    return target.ask(ask)


def steps_of(events: Iterable[Mapping[str, Any]]) -> list[Step]:
    """The steps in the events of an execution, oldest first.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
    """
    found: dict[str, Step] = {}
    name = left = ""
    for event in events:
        kind, at = str(event["type"]), event["timestamp"].timestamp()
        entered = str(event.get("stateEnteredEventDetails", {}).get("name", ""))
        if entered in FIRST and found.get(left, Step("")).failed:
            del found[left]
        elif entered and left in found and entered not in FAILED:
            # It raised a BranchError.
            found[left] = replace(found[left], failed=False)
        if kind == "TaskStateEntered":
            name = entered
            found[name] = replace(found.get(name, Step(name, began=at)), ended=0.0)
        elif kind in ("LambdaFunctionScheduled", "TaskScheduled") and name:
            found[name] = replace(found[name], attempts=found[name].attempts + 1, failed=False)
        elif kind.startswith(("LambdaFunction", "Task")) and kind.endswith(("Failed", "TimedOut")) and name:
            found[name] = replace(found[name], failed=True)
        elif kind == "TaskStateExited" and name:
            found[name] = replace(found[name], ended=at)
            name, left = "", name
        elif kind.startswith("Execution") and kind != "ExecutionStarted" and name:
            # Aborted, or out of time, in the middle of a step.
            found[name] = replace(found[name], ended=at, failed=True)
    return list(found.values())


def to_come(known: list[Step]) -> list[Step]:
    """The remaining steps of a deployment in progress, if it succeeds."""
    names = [each.name for each in known]
    if "RollBack" in names:
        return []
    came = max((PATH_TO_LIVE.index(each) for each in names if each in PATH_TO_LIVE), default=-1)
    return [Step(each) for each in PATH_TO_LIVE[came + 1 :]]
