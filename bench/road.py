"""Measures a deployment with Portcall, from the push to the mail."""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.setting import Setting


@dataclass(frozen=True)
class Deployment:
    """`whole`: from the registry's acceptance of the manifest to the mail in the inbox. Seconds.

    `accepted` is the UNIX time of the former.
    `phases`: state -> how long it took, in the order in which they were entered.
    """

    whole: float
    container_start: float
    transitions: int
    phases: dict[str, float]
    accepted: float

    @property
    def own(self) -> float:
        """Portcall's own part: all but the time from RunTask's acceptance to RUNNING."""
        return self.whole - self.container_start


def deploy(setting: Setting) -> Deployment:
    """Push, wait for the mail, and read the times from the file system, ECS and Step Functions."""
    inbox = setting.settings.inbox / "new"
    before = set(inbox.iterdir()) if inbox.exists() else set()
    known = _executions(setting)
    setting.push_again()
    accepted = time.time()
    mail = mail_after(inbox, before)
    arrived = mail.stat().st_mtime_ns / 1e9
    assert "is live" in mail.read_text(), mail.read_text()
    (execution,) = _executions(setting) - known
    workflow = setting.client("stepfunctions")
    while workflow.describe_execution(executionArn=execution)["status"] == "RUNNING":
        time.sleep(0.02)
    output = json.loads(workflow.describe_execution(executionArn=execution)["output"])
    history = workflow.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    entered = [event for event in history if "stateEnteredEventDetails" in event]
    start = _container_start(setting, output["task"]["arn"])
    return Deployment(arrived - accepted, start, len(entered), _phases(history), accepted)


def _phases(history: list[dict[str, Any]]) -> dict[str, float]:
    """How long each state took: until the next one was entered, or the execution ended."""
    times = [
        (event["stateEnteredEventDetails"]["name"], event["timestamp"])
        for event in history
        if "stateEnteredEventDetails" in event
    ]
    ends = [at for _, at in times[1:]] + [history[-1]["timestamp"]]
    took: dict[str, float] = {}
    for (name, began), ended in zip(times, ends, strict=True):
        took[name] = took.get(name, 0.0) + (ended - began).total_seconds()
    return took


def mail_after(inbox: Path, before: set[Path]) -> Path:
    """A mail in the inbox that is not among those before. Raises TimeoutError."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        fresh = (set(inbox.iterdir()) if inbox.exists() else set()) - before
        if fresh:
            return fresh.pop()
        time.sleep(0.005)
    raise TimeoutError("No mail within a minute.")


def _executions(setting: Setting) -> set[str]:
    found = setting.client("stepfunctions").list_executions(
        stateMachineArn=setting.outputs["StateMachineArn"], maxResults=1000
    )
    return {each["executionArn"] for each in found["executions"]}


def _container_start(setting: Setting, task: str) -> float:
    """From RunTask's acceptance to RUNNING, by ECS's own events: DescribeTasks rounds to seconds."""
    for message in setting.task_events():
        detail = message["detail"]
        if detail["taskArn"] == task and detail["lastStatus"] == "RUNNING":
            begin, end = (datetime.fromisoformat(detail[name]) for name in ("createdAt", "startedAt"))
            return (end - begin).total_seconds()
    raise LookupError(f"No event says that {task} ran.")
